"""Bars as percentages, for SVG without a style attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP_PERCENT = 15.0  # of a bar's place is left empty


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: place and height as percentages of the plot, the failed part at its foot."""

    x: float
    place_width: float  # with the gap: what a pointer may hit
    width: float
    y: float
    height: float
    bad_y: float
    bad_height: float


def view_bars(
    counts: Sequence[int], bad_counts: Sequence[int], *, smallest: float = 6.0
) -> list[Bar]:
    """Return one bar a count. A count that is not zero is at least `smallest` percent high."""
    peak = max(counts, default=0)
    if not peak:
        return []
    place = 100 / len(counts)
    bars = []
    for number, (count, bad) in enumerate(zip(counts, bad_counts, strict=True)):
        height = max(100 * count / peak, smallest) if count else 0.0
        bad_height = max(100 * bad / peak, smallest) if bad else 0.0
        bars.append(
            Bar(
                x=round(number * place, 2),
                place_width=round(place, 2),
                width=round(place * (1 - GAP_PERCENT / 100), 2),
                y=round(100 - height, 1),
                height=round(height, 1),
                bad_y=round(100 - bad_height, 1),
                bad_height=round(bad_height, 1),
            )
        )
    return bars
