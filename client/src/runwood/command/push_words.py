"""What `runwood push` says: while it sends, at its end, and where it was told nothing to send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from runwood.command.files import FOLDER_VARIABLES, describe, waiting_folders
from runwood.command.push import FileReport, OnSent, Report

_MAX_BAD_LINES = 10  # told of one file


@contextmanager
def progress_of(files: Iterable[Path], console: Console) -> Iterator[OnSent]:
    """Show a bar of bytes on a terminal, and give what moves it."""
    total = sum(path.stat().st_size for path in files if path.exists())
    columns = (
        "sending",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.advance(task, size)


def report_lines(report: Report) -> Iterator[str]:
    """Yield what became of a push: the files that have something to tell, then the sums."""
    for file in report.files:
        yield from _file_lines(file)
    sums = [f"{len(report.files):,} files: {report.sent:,} operations sent, {report.lost:,} not"]
    if failed := sum(not file.is_whole for file in report.files):
        sums.append(f"{failed:,} did not arrive whole")
    if removed := sum(file.is_removed for file in report.files):
        sums.append(f"{removed:,} removed")
    yield "; ".join(sums)


def offer_lines() -> Iterator[str]:
    """Yield what there is to send by what the environment names."""
    folders = dict(waiting_folders())
    if not folders:
        yield "Nothing was sent: name the files or folders."
        yield f"In the environment, {FOLDER_VARIABLES[0]} and {FOLDER_VARIABLES[1]} may name folders."
        return
    yield "Nothing was sent. By the environment there is:"
    for variable, folder in folders.items():
        yield f"  {variable}  {folder}: {describe(folder)}"
    yield f"To send it: runwood push {' '.join(map(str, folders.values()))}"


def _file_lines(file: FileReport) -> Iterator[str]:
    for number in file.bad_lines[:_MAX_BAD_LINES]:
        yield f"{file.path}: line {number} holds no operation"
    if (more := len(file.bad_lines) - _MAX_BAD_LINES) > 0:
        yield f"{file.path}: nor do {more:,} more"
    if file.problem:
        yield f"{file.path}: {file.problem}"
