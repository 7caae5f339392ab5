"""A span as both forms of OTLP tell it. Attribute values are JSON's: bytes are base64 text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from collector.wire.errors import InvalidField, ItemError

Value = str | bool | int | float | list[Any] | dict[str, Any] | None
Attributes = dict[str, Any]

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
STATUS_ERROR = 2
# SpanKind by number; 1, "internal", is what every span is that says nothing
KINDS = {2: "server", 3: "client", 4: "producer", 5: "consumer"}


class Event(msgspec.Struct, gc=False):
    """Something that happened within a span."""

    name: str
    time: int  # nanoseconds since 1970
    attributes: Attributes


class Link(msgspec.Struct, gc=False):
    """Another span that this one has to do with."""

    trace_id: bytes
    span_id: bytes
    trace_state: str
    attributes: Attributes


class Scope(msgspec.Struct, gc=False):
    """Who made the spans: the process (resource) and the library in it."""

    resource: Attributes
    name: str = ""
    version: str = ""
    attributes: Attributes = {}
    encoded_resource: msgspec.Raw = msgspec.Raw(b"{}")  # encoded once for all its spans
    size: int = 0  # bytes of JSON that every one of its runs has of it


class Span(msgspec.Struct, gc=False, kw_only=True):
    """One span. Times are nanoseconds since 1970; 0 means "not given"."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes  # b"": a root
    trace_state: str = ""
    name: str = ""
    kind: int = 0
    start: int = 0
    end: int = 0
    attributes: Attributes
    events: list[Event]
    links: list[Link]
    status_code: int = 0
    status_message: str = ""
    dropped: dict[str, int]  # what the SDK left out: attributes, events, links
    notes: list[str]

    def check_ids(self) -> None:
        """Make a parent of zeros none.

        Raises:
            InvalidField: an id has not its length, or is zero.
        """
        _check_id("traceId", self.trace_id, TRACE_ID_BYTES)
        _check_id("spanId", self.span_id, SPAN_ID_BYTES)
        if not self.parent_span_id.strip(b"\0"):
            self.parent_span_id = b""
        elif len(self.parent_span_id) != SPAN_ID_BYTES:
            raise InvalidField("parentSpanId", f"must have {SPAN_ID_BYTES} bytes.")


class Refused(msgspec.Struct, gc=False):
    """A span that cannot be read."""

    span_id: str
    error: ItemError


def make_scope(
    resource: Attributes, encoded: msgspec.Raw, name: str, version: str, attributes: Attributes
) -> Scope:
    """Return the scope with its size."""
    size = len(memoryview(encoded)) + len(msgspec.json.encode([name, version, attributes]))
    return Scope(resource, name, version, attributes, encoded, size)


class Source(Protocol):
    """A body of either form, read as far as its spans, which are not yet read."""

    def __iter__(self) -> Iterator[tuple[Scope, Span | Refused]]:
        """Read span by span."""


def _check_id(field: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise InvalidField(field, f"must have {size} bytes, not {len(value)}.")
    if not value.strip(b"\0"):
        raise InvalidField(field, "must not be zero.")


def finite(number: float) -> float | str:
    """Return the number, or as text what JSON has no number for."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
