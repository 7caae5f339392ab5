"""Seconds as text."""

from __future__ import annotations

UNKNOWN = "–"


def format_duration(seconds: float | None) -> str:
    """`80 ms`, `9.84 s`, `31.6 s`, `2 min 8 s`, `3 h 5 min`, `2 d 4 h`; `–` for None.

    Bounds lie where the rounding changes, so that 59.96 s is `1 min 0 s` and never `60.0 s`.
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 0:
        return (
            f"-{format_duration(-seconds)}"  # clocks of two machines disagree; say so, hide nothing
        )
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, part, unit, subunit in (
        (86_400, 3_600, "d", "h"),
        (3_600, 60, "h", "min"),
        (60, 1, "min", "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {subunit}"
    raise AssertionError(seconds)


def format_clock(seconds: float) -> str:
    """Return the time that running work has taken so far: `3.2 s`, `2 min 8 s`. js/ticker.js counts on from it."""
    return f"{max(seconds, 0.0):.1f} s" if seconds < 59.95 else format_duration(seconds)
