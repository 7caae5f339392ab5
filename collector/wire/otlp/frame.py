"""How many resources, scopes and spans a protobuf body has, found out before it is parsed.

An empty one of them takes two bytes, and a hundred once it is parsed: a body of 100 KB, compressed, would take
gigabytes and minutes. So the frame is walked first, and left at the limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from collector.wire.errors import MalformedProtobuf, TooLarge

RESOURCE_SPANS, SCOPE_SPANS, SPANS = (
    1,
    2,
    2,
)  # numbers of the fields, from the outside to the inside
_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}  # by wire type
_MAX_VARINT_BYTES = 10


def check_count(what: str, count: int, limit: int) -> None:
    """Refuse a request that has more of something than it may have.

    Raises:
        TooLarge
    """
    if count > limit:
        raise TooLarge(what, limit)


def check_frame(body: bytes, limit: int) -> None:
    """Walk the frame of an ExportTraceServiceRequest.

    Raises:
        TooLarge: it has more resources, scopes or spans than `limit`, or far more other fields.
        MalformedProtobuf
    """
    walk = _Walk(body, 8 * limit)
    counts = dict.fromkeys(("resources", "scopes", "spans"), 0)

    def add(what: str) -> None:
        counts[what] += 1
        check_count(what, counts[what], limit)

    for resource in walk.messages(0, len(body), RESOURCE_SPANS):
        add("resources")
        for scope in walk.messages(*resource, SCOPE_SPANS):
            add("scopes")
            for _ in walk.messages(*scope, SPANS):
                add("spans")


class _Walk:
    """Steps over the fields of a message, so many at most."""

    def __init__(self, body: bytes, max_fields: int) -> None:
        self.body = body
        self.max_fields = max_fields
        self.count = 0

    def messages(self, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
        """Yield where each message in the field of this number begins and ends, within the one from start to end."""
        while start < end:
            self.count += 1
            check_count("fields", self.count, self.max_fields)
            tag, start = self._varint(start)
            kind = tag & 7
            if kind == _LENGTH_DELIMITED:
                size, start = self._varint(start)
                if start + size > end:
                    raise MalformedProtobuf
                # what a parser takes of a tag are 32 bits
                if (tag & 0xFFFFFFFF) >> 3 == number:
                    yield start, start + size
                start += size
            elif kind == 0:
                _, start = self._varint(start)
            elif kind in _FIXED_BYTES:
                start += _FIXED_BYTES[kind]
            else:  # groups, which this schema never had
                raise MalformedProtobuf

    def _varint(self, start: int) -> tuple[int, int]:
        """Return the number and where it ends."""
        value = 0
        for place in range(_MAX_VARINT_BYTES):
            try:
                byte = self.body[start + place]
            except IndexError:
                raise MalformedProtobuf from None
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, start + place + 1
        raise MalformedProtobuf
