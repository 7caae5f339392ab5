"""The events of a run, and how its tokens arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from collector.reads.types import RunSummary
from viewer.present.budget import Budget
from viewer.present.durations import format_duration
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.numbers import format_count

MAX_EVENTS = 500
MIN_TOKENS = 8  # fewer make no picture
BUCKETS = 56
BAR_HEIGHT = 18.0
MAX_NAME_CHARS = 120
MAX_MESSAGE_CHARS = 400


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, or a stretch of equal ones: `last_offset` is then when the last came."""

    offset: str
    last_offset: str
    time: datetime | None
    name: str
    count: int
    message: str
    details: Html


@dataclass(frozen=True, slots=True)
class TokenStream:
    """The arrivals of a streamed answer as bars."""

    words: str
    bars: Html
    duration: str


def view_events(events: Sequence[Any], run: RunSummary, budget: Budget) -> tuple[EventRow, ...]:
    """Return the rows of the events tab, in the order of the client."""
    rows: list[EventRow] = []
    stretch: list[Any] = []
    for event in events:
        if stretch and not (_is_token(event) and _is_token(stretch[-1])):
            rows.append(_row(stretch, run, budget))
            stretch = []
        stretch.append(event)
        if len(rows) >= MAX_EVENTS:
            return tuple(rows)
    if stretch:
        rows.append(_row(stretch, run, budget))
    return tuple(rows)


def _is_token(event: Any) -> bool:
    return isinstance(event, dict) and event.get("name") == "new_token"


def _row(stretch: list[Any], run: RunSummary, budget: Budget) -> EventRow:
    event = stretch[0]
    if not isinstance(event, dict):
        return EventRow("", "", None, "event", 1, "", render_json(event, budget))
    details = {
        key: item for key, item in event.items() if key not in ("name", "time", "message") and item
    }
    message = event.get("message")
    name = event.get("name")
    time = read_time(event)
    return EventRow(
        offset=_offset(time, run),
        last_offset=_offset(read_time(stretch[-1]), run) if len(stretch) > 1 else "",
        time=time,
        name=name[:MAX_NAME_CHARS] if isinstance(name, str) else "event",
        count=len(stretch),
        message=message[:MAX_MESSAGE_CHARS] if isinstance(message, str) else "",
        details=render_json(details, budget, open_depth=1)
        if details and len(stretch) == 1
        else EMPTY,
    )


def _offset(time: datetime | None, run: RunSummary) -> str:
    return "" if time is None else format_offset((time - run.start_time).total_seconds())


def format_offset(seconds: float) -> str:
    """`+6.02 s`: when something happened inside a run or a trace."""
    text = format_duration(seconds)
    return text if seconds < 0 else f"+{text}"


def read_time(event: Any) -> datetime | None:
    """Return when an event happened, whatever its client writes: ISO text or epoch milliseconds."""
    value = event.get("time") if isinstance(event, dict) else None
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            time = datetime.fromtimestamp(value / 1000, tz=UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def view_token_stream(events: Sequence[Any], run: RunSummary) -> TokenStream | None:
    """Return how tokens arrived, if enough of them were told."""
    times = [time for event in events if _is_token(event) if (time := read_time(event))]
    if len(times) < MIN_TOKENS:
        return None
    end = run.end_time or max(times)
    length = max((end - run.start_time).total_seconds(), 1e-3)
    counts = [0] * BUCKETS
    for time in times:
        place = (time - run.start_time).total_seconds() / length
        counts[max(0, min(BUCKETS - 1, int(place * BUCKETS)))] += 1
    spoken = max((max(times) - min(times)).total_seconds(), 1e-3)
    rate = f", {format_count(round(len(times) / spoken))} a second"
    words = f"Streamed {format_count(len(times))} tokens{rate if spoken >= 0.05 else ''}"
    return TokenStream(words, _draw(counts), format_duration(length))


def _draw(counts: Sequence[int]) -> Html:
    top, width = max(counts), 100 / BUCKETS
    bars = []
    for number, count in enumerate(counts):
        if count:
            height = max(1.5, count / top * BAR_HEIGHT)
            bars.append(
                f'<rect x="{number * width:.2f}%" width="{width * 0.68:.2f}%"'
                f' y="{BAR_HEIGHT - height:.1f}" height="{height:.1f}" rx=".5"/>'
            )
    return Html("".join(bars))
