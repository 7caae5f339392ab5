"""The one parser and the one formatter of dotted_order, LangSmith's path of a run in its trace.

Segments from the root to the run are joined by dots. A segment is the UTC start time with
microseconds, `Z`, and the run's UUID: `20261123T234344692621Z01a20acb-4a34-78d8-934e-7ba1b08d8cb8`.
Sorting a trace by it bytewise gives display order. The client package repeats the formatter;
`tests/samples/dotted_order.json` holds the cases that both must pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec

from collector.wire.errors import ItemError

MAX_CHARS = 256 << 10  # a tree 4,400 levels deep; deeper ones are told by parent_run_id
TIME_CHARS = 22  # of "20261123T234344692621Z"

_ID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_SEGMENT = rf"[0-9]{{8}}T[0-9]{{12}}Z{_ID}"
_SHAPE = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*+")


class InvalidDottedOrder(ItemError):
    """The dotted_order has not the form <time>Z<run id>, joined by dots."""

    code = "invalid_dotted_order"


class Segment(NamedTuple):
    """One run on the way from the root."""

    time: datetime
    run_id: UUID


class Lineage(NamedTuple):
    """What a dotted_order says about where its run stands."""

    run_id: UUID
    parent_run_id: UUID | None
    trace_id: UUID
    day: date  # of the trace: the date in the first segment


def format_segment(time: datetime, run_id: UUID) -> str:
    """Return one segment. `time` must be aware."""
    time = time.astimezone(UTC)
    # not strftime: it does not pad years below 1000
    return (
        f"{time.year:04}{time.month:02}{time.day:02}T{time.hour:02}{time.minute:02}"
        f"{time.second:02}{time.microsecond:06}Z{run_id}"
    )


def format_dotted_order(segments: Iterable[Segment]) -> str:
    """Return the text of segments, root first."""
    return ".".join(format_segment(time, run_id) for time, run_id in segments)


def parse_dotted_order(text: str) -> tuple[Segment, ...]:
    """Return the segments, root first.

    Raises:
        InvalidDottedOrder: the text has another form, or a time that no calendar has.
    """
    _check_shape(text)
    return tuple(Segment(_parse_time(part), _parse_id(part)) for part in text.split("."))


def parse_lineage(text: str) -> Lineage:
    """Return the ids and the day without parsing what lies between root and parent.

    Raises:
        InvalidDottedOrder: as in `parse_dotted_order`.
    """
    _check_shape(text)
    root, dot, rest = text.partition(".")
    trace_id, day = _parse_root(root)
    if not dot:
        return Lineage(trace_id, None, trace_id, day)
    above, _, own = rest.rpartition(".")
    parent = above.rpartition(".")[2] or root
    return Lineage(_parse_id(own), _parse_id(parent), trace_id, day)


def last_segment_time(text: str) -> datetime:
    """Return the time in the run's own segment, by which siblings sort.

    Raises:
        InvalidDottedOrder: the last segment has no time.
    """
    start = text.rfind(".") + 1
    return _parse_time(text[start : start + TIME_CHARS])


def _check_shape(text: str) -> None:
    if len(text) > MAX_CHARS:
        raise InvalidDottedOrder(f"dotted_order: longer than {MAX_CHARS:,} characters.")
    if _SHAPE.fullmatch(text) is None:
        raise InvalidDottedOrder


def _parse_id(segment: str) -> UUID:
    return msgspec.convert(segment[TIME_CHARS:], UUID)  # a fifth of the cost of UUID(text)


def _parse_time(segment: str) -> datetime:
    try:
        return datetime(
            int(segment[0:4]),
            int(segment[4:6]),
            int(segment[6:8]),
            int(segment[9:11]),
            int(segment[11:13]),
            int(segment[13:15]),
            int(segment[15:21]),
            UTC,
        )
    except ValueError as exc:
        raise InvalidDottedOrder("dotted_order: a segment has an impossible time.") from exc


@lru_cache(maxsize=256)  # all runs of a trace begin with the same segment
def _parse_root(segment: str) -> tuple[UUID, date]:
    return _parse_id(segment), _parse_time(segment).date()
