"""Values of single fields: what clients write for a time, an id, a text, and what is stored.

`read_…` functions judge a decoded JSON value whose type nobody has checked.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from collector.wire.errors import InvalidField

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

_UUID7_MILLISECONDS_SHIFT = 80

# A number says its unit by its size: 1e11 s is the year 5138, 1e11 ms is 1973. LangSmith's JS client
# writes milliseconds.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
_NANOSECONDS_FROM = 1e17

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?")
_FAR_YEAR = re.compile(r"[+-][0-9]{6}-[0-9]{2}-[0-9]{2}T")  # JavaScript's, before 0 and after 9999

_JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def storable(text: str) -> str:
    """Return the text without what Postgres refuses: NUL, and surrogates with no partner."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def utc(time: datetime | float) -> datetime:
    """Return an aware UTC time. A naive one is UTC; past the calendar's ends is its end.

    Raises:
        ValueError: the number is no time: not finite.
    """
    if isinstance(time, datetime):
        if time.tzinfo is UTC:
            return time
        if time.tzinfo is None:
            return time.replace(tzinfo=UTC)
        try:
            return time.astimezone(UTC)
        except OverflowError:  # 9999-12-31T23:59-05:00 is in the year 10000
            return LATEST if time.year > 1 else EARLIEST
    return _from_number(time)


def _from_number(number: float) -> datetime:
    if not math.isfinite(number):
        raise ValueError("not finite")
    size = abs(number)
    if size < _MILLISECONDS_FROM:
        microseconds = number * 1_000_000
    elif size < _MICROSECONDS_FROM:
        microseconds = number * 1000
    elif size < _NANOSECONDS_FROM:
        microseconds = number
    else:
        microseconds = number // 1000
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return LATEST if number > 0 else EARLIEST


def read_time(field: str, value: Any) -> datetime | None:
    """Return the time of an ISO 8601 string, or of a number since 1970.

    Raises:
        InvalidField: the value is nothing of the kind.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _read_time_text(field, value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(field, f"must be a time, not {json_type(value)}.")
    try:
        return utc(value)
    except (ValueError, OverflowError) as exc:  # an int that no float holds overflows
        raise InvalidField(field, "is a number that is no time.") from exc


def _read_time_text(field: str, text: str) -> datetime:
    try:
        # Digits alone are a number: fromisoformat would read many a 13-digit one as a date and hour.
        if _NUMBER.fullmatch(text) and len(text) != len("20261123"):
            return utc(float(text))
        if _FAR_YEAR.match(text):
            return EARLIEST if text.startswith("-") else LATEST
        return utc(datetime.fromisoformat(text))
    except ValueError as exc:
        raise InvalidField(
            field, "must be an ISO 8601 time or milliseconds since 1970, and is neither."
        ) from exc


def read_uuid(field: str, value: Any) -> UUID | None:
    """Return the id. Upper case, no dashes, braces and `urn:uuid:` are all read.

    Raises:
        InvalidField: the value is no UUID.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidField(field, f"must be a UUID, not {json_type(value)}.")
    try:
        return msgspec.convert(value, UUID)  # the usual forms, at a fifth of the cost
    except msgspec.ValidationError:
        pass
    try:
        return UUID(value.strip())
    except ValueError as exc:
        raise InvalidField(field, "must be a UUID.") from exc


def uuid7_time(value: UUID) -> datetime | None:
    """Return the time in a UUID of version 7, or None for other versions and times past the calendar."""
    if value.version != 7:
        return None
    try:
        return EPOCH + timedelta(milliseconds=value.int >> _UUID7_MILLISECONDS_SHIFT)
    except OverflowError:
        return None


def read_text(field: str, value: Any) -> str | None:
    """Return the text.

    Raises:
        InvalidField: the value is not a string.
    """
    if value is None or isinstance(value, str):
        return value
    raise InvalidField(field, f"must be a string, not {json_type(value)}.")


def read_error(field: str, value: Any) -> str | None:
    """Return the error as text: what is no string is kept as its JSON."""
    del field
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def read_tags(field: str, value: Any) -> list[str] | None:
    """Return the tags.

    Raises:
        InvalidField: the value is not a list of strings.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise InvalidField(field, f"must be a list of strings, not {json_type(value)}.")
    for tag in value:
        if not isinstance(tag, str):
            raise InvalidField(field, f"must hold only strings; one is {json_type(tag)}.")
    return value


def json_type(value: Any) -> str:
    """Return what JSON calls the type of a decoded value."""
    return _JSON_TYPES.get(type(value), "a value")
