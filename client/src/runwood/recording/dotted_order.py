"""Times and the dotted_order of the LangSmith protocol: `<root segment>.<…>.<own segment>`.

A segment is the start in UTC with microseconds, as digits, directly followed by the run's id. The
server has its own formatter; `tests/samples/dotted_order.json` holds both to the same cases.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

MAX_DOTTED_ORDER = 16_000  # characters of one that comes from outside: more than 200 levels
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  UTC, whose offset the wire's texts have at their end
_last = (-1, "", "")
_SEGMENT = re.compile(
    r"\d{8}T\d{12}Z([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)


def format_time(microseconds: int) -> str:
    """Return a time since 1970 as the wire writes it: `2026-11-24T23:13:00.123456+00:00`."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)[1]}.{rest:06d}+00:00"


def format_segment(microseconds: int, run_id: str) -> str:
    """Return the segment of a run that started at this time since 1970."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)[2]}{rest:06d}Z{run_id}"


def _second(seconds: int) -> tuple[int, str, str]:
    """Return both forms of a second. The last one is remembered: nearly every event is in the same as the one before."""
    global _last
    last = _last
    if last[0] != seconds:
        text = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
        last = _last = (seconds, text, text.replace("-", "").replace(":", ""))
    return last


def parse_dotted_order(text: str) -> tuple[str, UUID] | None:
    """Return (trace_id, id of the run) of one that comes from outside; None where it is none."""
    if len(text) > MAX_DOTTED_ORDER:
        return None
    found = [_SEGMENT.fullmatch(segment) for segment in text.split(".")]
    if found[0] is None or found[-1] is None or not all(found):
        return None
    return found[0][1], UUID(found[-1][1])
