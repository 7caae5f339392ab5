"""Writes operations to a file in place of a server: one JSON object a line, to be sent later by `runwood push`.

`{"operation": "post" | "patch", "run": {…}}`, the run as `POST /runs/batch` takes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import orjson

from runwood.log import warn
from runwood.sending.encode import EncodedRun
from runwood.sending.losses import Losses


def format_operations(runs: list[EncodedRun]) -> bytes:
    """Return the operations as lines."""
    return b"".join(
        b'{"operation":"%b","run":%b}\n' % (b"patch" if run.is_update else b"post", run.data)
        for run in runs
    )


class FileDelivery:
    """Appends batches to a file, each in one write that is on the disk before it counts as delivered."""

    unconfirmed = 0
    has_resigned = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.lost = Losses()
        self.deadline: float | None = None

    def deliver(self, runs: list[EncodedRun]) -> None:
        """Append these runs, or count them as lost where the disk takes no more."""
        lines = format_operations(runs)
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                left = memoryview(lines)
                while left:
                    left = left[os.write(file, left) :]
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            for run in runs:
                self.lost.count(run.project, "ends" if run.is_update else "runs")
            warn("file", "%d runs could not be written to %s: %s", len(runs), self.path, error)

    def report_losses(self) -> None:
        """Settle the count: there is nobody to tell but the log."""
        self.lost.mark_reported(self.lost.total)

    def hurry(self, deadline: float | None) -> None:
        """Take a deadline; a disk does not wait."""
        self.deadline = deadline

    def close(self) -> None:
        """Do nothing: between two batches no file is open."""

    def forget(self) -> None:
        """Do nothing, for the same reason."""


def read_operations(path: Path) -> Iterator[tuple[int, EncodedRun | None]]:
    """Yield each line's number, from 1, and its operation: None where it holds none. Blank lines are passed over.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _read(line)


def _read(line: bytes) -> EncodedRun | None:
    try:
        record = orjson.loads(line)
        run, is_update = record["run"], {"post": False, "patch": True}[record["operation"]]
        project = str(run.get("session_name") or "default")
        return EncodedRun(str(run["id"]), project, is_update, orjson.dumps(run))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
