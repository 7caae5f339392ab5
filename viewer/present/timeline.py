"""The time axis of a trace: ticks, and the runs that the trace had to wait for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from viewer.present.tree import VisibleRun

MAX_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis: its place as a fraction of the duration."""

    fraction: float
    label: str


def make_ticks(duration: float) -> list[Tick]:
    """Return up to six round marks between 0 and the duration (seconds), 0 first."""
    step = _round_step(duration / (MAX_TICKS - 1))
    count = math.floor(duration / step + 1e-9)
    return [
        Tick(number * step / duration, _format_tick(number * step, step))
        for number in range(count + 1)
    ]


def _round_step(rough: float) -> float:
    """Return the next step of 1, 2 or 5 times a power of ten; from a minute on, of clock parts."""
    for size in (60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400):
        if 50 < rough <= size:
            return float(size)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _format_tick(seconds: float, step: float) -> str:
    if step < 0.1:
        return f"{seconds * 1000:.10g} ms"
    if step < 60:
        return f"{seconds:.10g} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def find_critical_path(roots: Sequence[VisibleRun]) -> set[VisibleRun]:
    """Return the runs that decided when the trace ended.

    From the end of a run backwards: of the runs below that had ended by then the last one was
    waited for; go on from its start. What ran beside it made no difference.
    """
    path: set[VisibleRun] = set()
    waiting = sorted(roots, key=lambda item: item.end)[-1:]
    while waiting:
        item = waiting.pop()
        path.add(item)
        at = item.end
        for child in sorted(item.children, key=lambda child: child.end, reverse=True):
            if child.end <= at + 1e-6 and child.start < at:
                waiting.append(child)
                at = child.start
    return path
