"""`runwood push FILE…`: what the command line says, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from runwood.command.doctor import Examination
from runwood.command.push import files_in, push
from runwood.config import Config
from runwood.version import __version__

MARKS = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "wrong": ("✗", "red"),
    "skipped": ("–", "dim"),
}

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Runwood's client.")


@app.callback()
def _main() -> None:
    """Record, send, and see what is wrong."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command("doctor")
def doctor_command(
    endpoint: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_ENDPOINT")] = None,  # noqa: UP045
    api_key: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_API_KEY")] = None,  # noqa: UP045
    project: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_PROJECT")] = None,  # noqa: UP045
) -> None:
    """Say why traces do not arrive: settings, server, clock, key, and a test trace. Ends with 1 if something is wrong."""
    console = Console()
    given = {"endpoint": endpoint, "api_key": api_key, "project": project}
    config = _resolve(console, endpoint, api_key, project)
    is_well = True
    for finding in Examination(config, given).findings():
        is_well &= finding.verdict != "wrong"
        mark, color = MARKS[finding.verdict]
        console.print(f"[{color}]{mark}[/] {finding.about}: ", end="")
        console.print(finding.said, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if is_well else 1)


@app.command("push")
def push_command(
    paths: Annotated[list[Path], typer.Argument(exists=True, readable=True)],
    endpoint: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_ENDPOINT")] = None,  # noqa: UP045  typer reads it
    api_key: Annotated[Optional[str], typer.Option(help="default: RUNWOOD_API_KEY")] = None,  # noqa: UP045
    patience: Annotated[float, typer.Option(help="seconds that the server may be away")] = 60.0,
    remove: Annotated[  # noqa: FBT002  typer's way
        bool, typer.Option("--remove", help="remove each file once it was sent")
    ] = False,
) -> None:
    """Send files, or all in folders: a RunwoodFileHandler's, a spool's, LangSmith's LANGSMITH_FAILED_TRACES_DIR.

    A file may be sent twice. Ends with 1 where something did not arrive.
    """
    console = Console(stderr=True)
    config = _resolve(console, endpoint, api_key)
    files = files_in(paths)
    total = sum(_count_lines(path) for path in files)
    columns = ("sending", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        report = push(
            config, files, patience, lambda count: progress.advance(task, count), remove=remove
        )
    for path, number in report.bad_lines:
        console.print(f"{path}: line {number} holds no operation", markup=False, soft_wrap=True)
    console.print(
        f"{len(files):,} files: {report.sent:,} operations sent, {report.lost:,} not",
        markup=False,
        soft_wrap=True,
    )
    raise typer.Exit(0 if report.is_complete else 1)


def _resolve(
    console: Console,
    endpoint: Optional[str],  # noqa: UP045
    api_key: Optional[str],  # noqa: UP045
    project: Optional[str] = None,  # noqa: UP045
) -> Config:
    try:
        return Config.resolve(endpoint=endpoint, api_key=api_key, project=project)
    except ValueError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
