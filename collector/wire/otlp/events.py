"""A span's events and status → a run's events, error and time of its first token."""

from __future__ import annotations

from typing import Any

import msgspec

from collector.wire.otlp.attributes import Sorted, embed
from collector.wire.otlp.spans import STATUS_ERROR, Event, Span
from collector.wire.otlp.times import from_nanoseconds

EXCEPTION = "exception"
FIRST_CHUNK = (
    "new_token"  # what LangSmith calls the event by which the worker finds the first token
)
# What instrumentations call the event of the first token
_FIRST_CHUNK_EVENTS = frozenset({"First Token Stream Event", "ai.stream.firstChunk"})
# Attribute → nanoseconds in its unit, counted from the span's start
_FIRST_CHUNK_DELAYS = {
    "gen_ai.response.time_to_first_chunk": 1_000_000_000,
    "gen_ai.server.time_to_first_token": 1_000_000_000,
    "ai.response.msToFirstChunk": 1_000_000,
    "ai.stream.msToFirstChunk": 1_000_000,
}
_MAX_DELAY = 1 << 62


def find_events(found: Sorted, span: Span, events: list[Event]) -> list[dict[str, Any]]:
    """Return the run's events. The first token is one, wherever the span says when it came."""
    listed = [
        {
            "name": event.name,
            "time": from_nanoseconds(event.time),
            "kwargs": {key: embed(value) for key, value in event.attributes.items()},
        }
        for event in events
    ]
    if not any(event.name == FIRST_CHUNK for event in events):
        time = _first_token(found, span, events)
        if time is not None:
            listed.insert(0, {"name": FIRST_CHUNK, "time": from_nanoseconds(time), "kwargs": {}})
    return listed


def _first_token(found: Sorted, span: Span, events: list[Event]) -> int | None:
    for event in events:
        if event.name in _FIRST_CHUNK_EVENTS:
            return event.time
    for name, unit in _FIRST_CHUNK_DELAYS.items():
        delay = found.plain.get(name)
        if isinstance(delay, int | float) and not isinstance(delay, bool) and delay >= 0:
            del found.plain[name]
            return span.start + int(min(delay * unit, _MAX_DELAY))
    return None


def find_error(span: Span) -> str | None:
    """Return what went wrong, or None.

    An exception counts whatever the status: LangSmith's exporter marks a run as good when it begins, and
    OpenTelemetry's SDK does not let it take that back.
    """
    exception = next((event for event in reversed(span.events) if event.name == EXCEPTION), None)
    if exception is not None:
        return _describe(exception)
    if span.status_code == STATUS_ERROR:
        return span.status_message or _named_error(span) or "error"
    return None


def _describe(exception: Event) -> str:
    said = [
        _text(exception.attributes.get(f"exception.{part}"))
        for part in ("type", "message", "stacktrace")
    ]
    kind, message, trace = said
    # LangSmith's exporter wraps the text of its error into a bare Exception
    head = f"{kind}: {message}" if kind and kind != "Exception" and message else message or kind
    if not trace or trace.strip() in (head, f"{kind}: {message}"):
        return head or "error"
    return f"{head}\n\n{trace}" if head else trace


def _named_error(span: Span) -> str:
    return _text(span.attributes.get("error.message")) or _text(span.attributes.get("error.type"))


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
