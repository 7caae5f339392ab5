"""Times and the dotted_order of the LangSmith protocol: `<root segment>.<…>.<own segment>`.

A segment is the start in UTC with microseconds, as digits, directly followed by the run's id. The
server has its own formatter; `tests/samples/dotted_order.json` holds both to the same cases.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

MAX_DOTTED_ORDER = 16_000  # characters of one that comes from outside: more than 200 levels
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  UTC, whose offset the wire's texts have at their end
_NANOSECONDS = 1_000_000_000  # a second
_SEGMENT = re.compile(
    r"\d{8}T\d{12}Z([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)


def format_time(nanoseconds: int) -> str:
    """Return a result of `time.time_ns()` as the wire writes it: `2026-11-24T23:13:00.123456+00:00`."""
    second, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{_texts_of(second)[0]}.{rest // 1000:06d}+00:00"


def format_start(nanoseconds: int, run_id: str) -> tuple[str, str]:
    """Return the time as `format_time` does, and the segment of a run that started then."""
    second, rest = divmod(nanoseconds, _NANOSECONDS)
    text, digits = _texts_of(second)
    fraction = f"{rest // 1000:06d}"
    return f"{text}.{fraction}+00:00", f"{digits}{fraction}Z{run_id}"


@lru_cache(maxsize=8)
def _texts_of(second: int) -> tuple[str, str]:
    """Return a second as the wire writes it, and as digits. Made once for all events of a second."""
    text = (_EPOCH + timedelta(seconds=second)).isoformat()[:19]
    return text, text.replace("-", "").replace(":", "")


def parse_dotted_order(text: str) -> tuple[str, UUID] | None:
    """Return (trace_id, id of the run) of one that comes from outside; None where it is none."""
    if len(text) > MAX_DOTTED_ORDER:
        return None
    found = [_SEGMENT.fullmatch(segment) for segment in text.split(".")]
    if found[0] is None or found[-1] is None or not all(found):
        return None
    return found[0][1], UUID(found[-1][1])
