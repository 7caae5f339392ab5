"""Sends what waits in files: a `RunwoodFileHandler`'s, a spool's, and those that LangSmith's SDK could not send.

Sending a file twice changes nothing: the server knows its runs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from runwood.command.langsmith_file import is_failed_request, read_failed_request
from runwood.config import Config
from runwood.sending.delivery import Delivery
from runwood.sending.encode import MAX_BATCH_RUNS, EncodedRun, cut_batches
from runwood.sending.file import read_operations

OnSent = Callable[[int], None]


@dataclass
class FileReport:
    """What became of one file."""

    path: Path
    sent: int = 0
    lost: int = 0  # refused by the server, or not brought to it in time
    bad_lines: list[int] = field(default_factory=list)
    problem: str = ""
    is_removed: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all that it holds reached the server."""
        return not (self.lost or self.bad_lines or self.problem)


@dataclass
class Report:
    """What became of a push."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many operations the server took. A request of LangSmith's SDK is one."""
        return sum(file.sent for file in self.files)

    @property
    def lost(self) -> int:
        """How many it did not."""
        return sum(file.lost for file in self.files)

    @property
    def is_complete(self) -> bool:
        """Whether every file reached the server whole."""
        return all(file.is_whole for file in self.files)


def push(
    config: Config,
    paths: Iterable[Path],
    patience_seconds: float,
    on_sent: OnSent,
    *,
    remove: bool = False,
) -> Report:
    """Send what is in these files, in order; `on_sent` hears of the bytes that are done with.

    The server may be away for `patience_seconds`, counted anew after each batch. After that, or where it refuses the
    key, nothing more is tried. `remove` takes a file away once all of it was sent.
    """
    report = Report()
    sender = _Sender(config, patience_seconds, on_sent)
    for path in paths:
        file = FileReport(path)
        report.files.append(file)
        try:
            before = _state(path)
            sender.send(file)
            if remove and file.is_whole and _state(path) == before:  # not added to meanwhile
                path.unlink()
                file.is_removed = True
        except OSError as error:
            file.problem = error.strerror or str(error)
    sender.delivery.close()
    return report


class _Sender:
    def __init__(self, config: Config, patience_seconds: float, on_sent: OnSent) -> None:
        self.delivery = Delivery(config, tries_at_exit=math.inf)
        self._patience_seconds = patience_seconds
        self._on_sent = on_sent

    def send(self, file: FileReport) -> None:
        """Send one file, and note in its report what became of it."""
        size = file.path.stat().st_size
        done = 0
        if is_failed_request(file.path):
            self._send_failed_request(file)
        else:
            done = self._send_operations(file)
        self._on_sent(size - done)  # the lines' own wrapping, and those that hold nothing

    def _send_operations(self, file: FileReport) -> int:
        operations, done = _good_operations(file), 0
        while portion := list(islice(operations, MAX_BATCH_RUNS)):
            for batch in cut_batches(portion):
                lost = self._deliver(batch)
                file.lost += lost
                file.sent += len(batch) - lost
                size = sum(len(run.data) for run in batch)
                done += size
                self._on_sent(size)
        if file.lost:
            file.problem = self.delivery.problem
        return done

    def _deliver(self, batch: list[EncodedRun]) -> int:
        """Return how many the server did not take whole."""
        delivery = self.delivery
        if delivery.is_cut_off:
            return len(batch)
        before = delivery.lost.total + delivery.refused
        delivery.hurry(time.monotonic() + self._patience_seconds)
        delivery.deliver(batch)
        return delivery.lost.total + delivery.refused - before

    def _send_failed_request(self, file: FileReport) -> None:
        file.lost = 1
        try:
            request = read_failed_request(file.path)
        except ValueError as error:
            file.problem = str(error)
            return
        delivery = self.delivery
        if not delivery.is_cut_off:
            before = delivery.refused
            delivery.hurry(time.monotonic() + self._patience_seconds)
            answer = delivery.upload(request.path, request.headers, request.body)
            if answer is not None and answer.status // 100 == 2 and delivery.refused == before:
                file.sent, file.lost = 1, 0
                return
        file.problem = delivery.problem


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _good_operations(file: FileReport) -> Iterator[EncodedRun]:
    for number, operation in read_operations(file.path):
        if operation is None:
            file.bad_lines.append(number)
        else:
            yield operation
