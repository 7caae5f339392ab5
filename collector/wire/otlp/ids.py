"""Which runs the spans of a request are.

A span's id has 8 bytes: its run's UUID is these, after 8 of zeros. A root is its trace: their UUID is the
trace's 16 bytes, so that spans that were opened within LangSmith's runs, whose exporter makes trace ids
of them, join these (LangSmith protocol 7.2). Attributes may say other ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from collector.wire.dotted_order import InvalidDottedOrder, parse_lineage
from collector.wire.errors import InvalidField
from collector.wire.fields import read_uuid, uuid7_time
from collector.wire.otlp.spans import SPAN_ID_BYTES, Span
from collector.wire.otlp.times import from_nanoseconds

# How far the time in a trace id may be from the span's: a random id looks like a UUID of version 7 once
# in 64 times, but the time in it is that of any year.
_NEAR = timedelta(days=2)


class Ids(NamedTuple):
    """Where a span stands among runs."""

    run_id: UUID
    trace_id: UUID
    parent_run_id: UUID | None
    dotted_order: str | None
    day: date | None
    reference_example_id: UUID | None


class _Said(NamedTuple):
    """What the attributes of one span say."""

    run_id: UUID | None
    trace_id: UUID | None
    parent_run_id: UUID | None
    dotted_order: str | None
    day: date | None
    reference_example_id: UUID | None
    is_root: bool


def find_ids(spans: Iterable[Span]) -> list[Ids]:
    """Return the ids of each, in order. Takes their attributes out, and notes those that are no ids."""
    said = [(span, _read(span)) for span in spans]
    # A trace that its root renames is renamed for the others too, as far as they came together.
    traces = {span.trace_id: _trace_of_root(span, ids) for span, ids in said if ids.is_root}
    runs = {
        (span.trace_id, span.span_id): _run_id(span, ids, _trace(span, ids, traces))
        for span, ids in said
    }
    return [_link(span, ids, traces, runs) for span, ids in said]


def is_from_langsmith(trace_id: UUID, time: datetime) -> bool:
    """Whether a trace id is a run's id of LangSmith's newer clients: a UUID of version 7, and of that time."""
    made = uuid7_time(trace_id)
    return made is not None and abs(made - time) < _NEAR


def _read(span: Span) -> _Said:
    # most spans have none of these
    pop = span.attributes.pop
    text = pop("langsmith.span.dotted_order", None)
    run_id = _uuid(span, "langsmith.span.id")
    trace_id = _uuid(span, "langsmith.trace.id")
    parent_id = _uuid(span, "langsmith.span.parent_id")
    example_id = _uuid(span, "langsmith.reference_example_id")
    is_root = pop("langsmith.is_root", None) in (True, "true") or not span.parent_span_id
    day = None
    if isinstance(text, str) and text:
        try:
            run_id, parent_id, trace_id, day = parse_lineage(text)
        except InvalidDottedOrder as exc:
            span.notes.append(f"{exc.reason} It was dropped.")
            text = None
        else:
            is_root = parent_id is None
    else:
        text = None
    if parent_id is not None:
        is_root = False
    return _Said(run_id, trace_id, parent_id, text, day, example_id, is_root)


def _uuid(span: Span, name: str) -> UUID | None:
    value = span.attributes.pop(name, None)
    if value is None:
        return None
    try:
        return read_uuid(name, value)
    except InvalidField as exc:
        span.notes.append(f"{exc.reason} It was ignored.")
        return None


def _trace_of_root(span: Span, said: _Said) -> UUID:
    return said.trace_id or said.run_id or UUID(bytes=span.trace_id)


def _trace(span: Span, said: _Said, traces: dict[bytes, UUID]) -> UUID:
    return said.trace_id or traces.get(span.trace_id) or UUID(bytes=span.trace_id)


def _run_id(span: Span, said: _Said, trace_id: UUID) -> UUID:
    if said.is_root:
        return trace_id
    return said.run_id or UUID(int=int.from_bytes(span.span_id, "big"))


def _link(
    span: Span,
    said: _Said,
    traces: dict[bytes, UUID],
    runs: dict[tuple[bytes, bytes], UUID],
) -> Ids:
    trace_id = _trace(span, said, traces)
    run_id = runs[span.trace_id, span.span_id]
    parent_id = None if said.is_root else said.parent_run_id or _parent(span, trace_id, runs)
    if parent_id == run_id:
        span.notes.append("parentSpanId: the span itself; it was dropped")
        parent_id = None
    day = said.day
    if day is None and said.is_root:
        day = _day_of_root(span)
    return Ids(run_id, trace_id, parent_id, said.dotted_order, day, said.reference_example_id)


def _parent(span: Span, trace_id: UUID, runs: dict[tuple[bytes, bytes], UUID]) -> UUID:
    known = runs.get((span.trace_id, span.parent_span_id))
    if known is not None:
        return known
    if span.parent_span_id == span.trace_id[:SPAN_ID_BYTES]:  # how LangSmith names a trace's root
        return trace_id
    return UUID(int=int.from_bytes(span.parent_span_id, "big"))


def _day_of_root(span: Span) -> date | None:
    """Return the trace's day, or None where spans of it may have come before and tell another.

    A day that no midnight ends within the root is that of all its spans. Else the worker has to look which
    day the trace was given when its first spans were stored: they come when they end, children first.
    """
    start = from_nanoseconds(span.start).date()
    return start if span.start and from_nanoseconds(span.end).date() == start else None
