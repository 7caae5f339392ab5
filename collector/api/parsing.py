"""JSON bodies and the fields in them. Clients send all types of content, and null for what they do not mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import orjson
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BODY_BYTES = 1 << 20  # of a question; 1,000 ids are 40 KB
MAX_IDS = 1_000
MAX_OBJECT_BYTES = 64 << 10
WORDS = {"true": True, "1": True, "false": False, "0": False}


class BodyTooLarge(APIException):
    """The body is larger than a question needs to be."""

    status_code = 413
    default_detail = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
    default_code = "body_too_large"


class AnyJSONParser(BaseParser):
    """Reads JSON whatever the content type says: the SDKs name several, or none."""

    media_type = "*/*"
    takes_lists = False

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            value = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error
        if not isinstance(value, dict) and not (self.takes_lists and isinstance(value, list)):
            raise ParseError("The body must be a JSON object.")
        return value


class ObjectOrListParser(AnyJSONParser):
    """Reads one object, or a list."""

    takes_lists = True


def parse_uuid(name: str, value: Any) -> UUID | None:
    """Return an id, or None for null. Old scripts send a list of one for it."""
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise ParseError(f"{name}: a UUID is needed.") from error


def parse_uuids(name: str, value: Any) -> tuple[UUID, ...] | None:
    """Return ids, or None for null; a single id is a list of one."""
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_IDS:
        raise ParseError(f"{name}: at most {MAX_IDS:,} ids can be asked for at once.")
    ids = (parse_uuid(name, item) for item in items)
    return tuple(id_ for id_ in ids if id_ is not None)


def parse_bool(name: str, value: Any) -> bool | None:
    """Return a truth value in any of the forms that clients write it, or None for null."""
    if value is None or value == "":
        return None
    known = WORDS.get(str(value).strip().lower())
    if known is None:
        raise ParseError(f"{name}: true or false is needed.")
    return known


def parse_time(name: str, value: Any) -> datetime | None:
    """Return an ISO time as aware UTC (without a zone it is UTC), or None for null."""
    if value is None or value == "":
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise ParseError(f"{name}: a time in ISO 8601 is needed.") from error


def parse_object(name: str, value: Any) -> dict[str, Any] | None:
    """Return an object that a small table can hold, or None for null."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ParseError(f"{name}: an object is needed.")
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise ParseError(f"{name}: {error}") from error
    if len(text) > MAX_OBJECT_BYTES:
        raise ParseError(f"{name}: larger than {MAX_OBJECT_BYTES:,} bytes.")
    if rb"\u0000" in text:  # Postgres refuses it in jsonb
        raise ParseError(f"{name}: holds a NUL character.")
    return value


def parse_text(name: str, value: Any) -> str | None:
    """Return a text, or None for null. A list of one text is that text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ParseError(f"{name}: a text is needed.")
    return value
