"""`runwood push FILE…`: what the command line says, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from runwood.command.push import push
from runwood.config import Config
from runwood.version import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Runwood's client.")


@app.callback()
def _main() -> None:
    """Keep `push` a command of its own, though it is the only one so far."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command("push")
def push_command(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
    endpoint: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_ENDPOINT")] = None,  # noqa: UP045  typer reads it
    api_key: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_API_KEY")] = None,  # noqa: UP045
    patience: Annotated[float, typer.Option(help="seconds that the server may be away")] = 60.0,
) -> None:
    """Send files that a RunwoodFileHandler wrote. Ends with 1 where something did not arrive."""
    console = Console(stderr=True)
    try:
        config = Config.resolve(endpoint=endpoint, api_key=api_key)
    except ValueError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    total = sum(_count_lines(path) for path in files)
    columns = ("sending", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        report = push(config, files, patience, lambda count: progress.advance(task, count))
    for path, number in report.bad_lines:
        console.print(f"{path}: line {number} holds no operation", markup=False, soft_wrap=True)
    console.print(
        f"{report.sent:,} operations sent, {report.lost:,} not", markup=False, soft_wrap=True
    )
    raise typer.Exit(0 if report.is_complete else 1)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
