"""The `runwood` command line: what it takes, and how it ends. What it does is in the other modules."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

from runwood.command.doctor.examination import examine
from runwood.command.doctor.finding import hide_secrets
from runwood.command.files import find_files
from runwood.command.push import push
from runwood.command.push_words import offer_lines, progress_of, report_lines
from runwood.config import Config
from runwood.log import logger
from runwood.version import __version__

MARKS = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "wrong": ("✗", "red"),
    "skipped": ("–", "dim"),
}

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Runwood's client.")

# typer reads these types, in Python 3.10 too
Endpoint = Annotated[Optional[str], typer.Option(help="default: RUNWOOD_ENDPOINT")]  # noqa: UP045
ApiKey = Annotated[Optional[str], typer.Option(help="default: RUNWOOD_API_KEY")]  # noqa: UP045
Project = Annotated[Optional[str], typer.Option(help="default: RUNWOOD_PROJECT")]  # noqa: UP045


@app.callback()
def _main() -> None:
    """Record, send, and see what is wrong."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command("doctor")
def doctor_command(
    endpoint: Endpoint = None, api_key: ApiKey = None, project: Project = None
) -> None:
    """Say why traces do not arrive: settings, server, clock, key, and a test trace. Ends with 1 if something is wrong."""
    console = Console()
    logger.addHandler(logging.NullHandler())  # what a delivery warns of is told as a finding
    is_well = True
    for finding in examine({"endpoint": endpoint, "api_key": api_key, "project": project}):
        is_well &= finding.verdict != "wrong"
        mark, color = MARKS[finding.verdict]
        console.print(mark, style=color, end=" ")
        console.print(
            f"{finding.about}: {finding.said}", markup=False, highlight=False, soft_wrap=True
        )
    raise typer.Exit(0 if is_well else 1)


@app.command("push")
def push_command(
    paths: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(exists=True, readable=True, help="files, and folders of them"),
    ] = None,
    endpoint: Endpoint = None,
    api_key: ApiKey = None,
    *,
    patience: Annotated[float, typer.Option(help="seconds that the server may be away")] = 60.0,
    remove: Annotated[
        bool, typer.Option("--remove", help="remove each file that was sent whole")
    ] = False,
) -> None:
    """Send files, or all in folders: a RunwoodFileHandler's, a spool's, LangSmith's LANGSMITH_FAILED_TRACES_DIR.

    Without any it says what the environment names. A file may be sent twice. Ends with 1 where something did not arrive.
    """
    console = Console(stderr=True)
    if not paths:
        _say(console, offer_lines())
        return
    config = _resolve(console, endpoint, api_key)
    files = find_files(paths)
    with progress_of(files, console) as on_sent:
        report = push(config, files, patience, on_sent, remove=remove)
    _say(console, report_lines(report))
    raise typer.Exit(0 if report.is_complete else 1)


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _resolve(
    console: Console,
    endpoint: Optional[str],  # noqa: UP045
    api_key: Optional[str],  # noqa: UP045
) -> Config:
    try:
        return Config.resolve(endpoint=endpoint, api_key=api_key)
    except ValueError as error:
        _say(console, [hide_secrets(str(error), api_key or "")])
        raise typer.Exit(2) from None
