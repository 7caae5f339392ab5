"""Limits, offsets and cursors of list endpoints. A limit past the bound is clamped: clients ask for 1,000."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError

MAX_LIMIT = 100
MAX_OFFSET = 1_000_000


def parse_limit(value: Any, *, default: int = MAX_LIMIT, maximum: int = MAX_LIMIT) -> int:
    """Return the limit, from 1 to `maximum`; None means `default`."""
    return min(max(_whole_number("limit", value, default), 1), maximum)


def parse_offset(value: Any) -> int:
    return min(max(_whole_number("offset", value, 0), 0), MAX_OFFSET)


def _whole_number(name: str, value: Any, default: int) -> int:
    if value is None or value == "":
        return default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParseError(f"{name}: a whole number is needed.") from error
