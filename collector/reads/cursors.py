"""Where a page ends, as opaque text: a place in one order of one kind of list.

It grants nothing: every query brings the project ids of its caller. So it is not signed, only strict.
Later rows of a list lie behind the cursor whatever comes in meanwhile: it pins the upper bound.
"""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from collector.reads.errors import BadCursor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = struct.Struct(">BBq16s")
_FORMAT_VERSION = 1
_CHARACTERS = 35  # 26 bytes in base64, without padding


class ListKind(IntEnum):
    """The lists that have cursors. A cursor of one is refused by the others."""

    TRACES = 1
    RUNS_NEWEST_FIRST = 2
    RUNS_OLDEST_FIRST = 3
    THREADS = 4
    TRACES_OLDEST_FIRST = 5


class Position(NamedTuple):
    """A place in the order (start_time, id)."""

    start_time: datetime
    id: UUID


def encode_cursor(kind: ListKind, position: Position) -> str:
    microseconds = (position.start_time - _EPOCH) // timedelta(microseconds=1)
    packed = _FORM.pack(_FORMAT_VERSION, kind, microseconds, position.id.bytes)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(kind: ListKind, text: str) -> Position:
    """Return the place that a cursor of this kind of list marks.

    Raises:
        BadCursor: it is none.
    """
    if len(text) != _CHARACTERS:
        raise BadCursor
    try:
        packed = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
        version, number, microseconds, id_bytes = _FORM.unpack(packed)
        start_time = _EPOCH + timedelta(microseconds=microseconds)
    except (UnicodeEncodeError, binascii.Error, struct.error, OverflowError) as error:
        raise BadCursor from error
    if (version, number) != (_FORMAT_VERSION, kind):
        raise BadCursor
    return Position(start_time, UUID(bytes=id_bytes))
