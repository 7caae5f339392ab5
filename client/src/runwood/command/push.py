"""Sends what a `RunwoodFileHandler` wrote. Sending a file twice changes nothing: the server knows its runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runwood.config import Config
from runwood.sending.delivery import Delivery
from runwood.sending.encode import MAX_BATCH_RUNS, EncodedRun, cut_batches
from runwood.sending.file import read_operations


@dataclass
class Report:
    """What became of a push."""

    sent: int = 0
    lost: int = 0  # refused by the server, or not brought to it in time
    bad_lines: list[tuple[Path, int]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every line reached the server."""
        return not self.lost and not self.bad_lines


def push(
    config: Config, paths: list[Path], patience_seconds: float, on_sent: Callable[[int], None]
) -> Report:
    """Send the operations of these files, in order; `on_sent` hears of each batch's size.

    The server may be away for `patience_seconds`, counted anew after each batch.

    Raises:
        OSError: a file cannot be read. What came before it was sent.
    """
    report = Report()
    delivery = Delivery(config)
    for path in paths:
        for portion in _portions(_good_operations(path, report)):
            for batch in cut_batches(portion):
                before = delivery.lost.total
                delivery.hurry(time.monotonic() + patience_seconds)
                delivery.deliver(batch)
                lost = delivery.lost.total - before
                report.lost += lost
                report.sent += len(batch) - lost
                on_sent(len(batch))
    delivery.close()
    return report


def _good_operations(path: Path, report: Report) -> Iterator[EncodedRun]:
    for number, operation in read_operations(path):
        if operation is None:
            report.bad_lines.append((path, number))
        else:
            yield operation


def _portions(operations: Iterator[EncodedRun]) -> Iterator[list[EncodedRun]]:
    portion: list[EncodedRun] = []
    for operation in operations:
        portion.append(operation)
        if len(portion) == MAX_BATCH_RUNS:
            yield portion
            portion = []
    if portion:
        yield portion
