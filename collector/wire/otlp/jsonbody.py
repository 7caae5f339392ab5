"""The JSON form of a body (OTLP/JSON): ids are hex, 64-bit numbers may be strings, enums are numbers.

Unknown fields are ignored. Spans stay text until they are read, each on its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from collector.wire.errors import (
    InvalidField,
    ItemError,
    ItemTooLarge,
    MalformedItem,
    MalformedJson,
    TooLarge,
)
from collector.wire.jsontext import has_more_values_than, is_utf8
from collector.wire.otlp.frame import check_count
from collector.wire.otlp.spans import (
    Attributes,
    Event,
    Link,
    Refused,
    Scope,
    Span,
    finite,
    make_scope,
)
from collector.wire.runs import Reading

# In levels of JSON; a level of an attribute's value takes four of them.
MAX_BODY_DEPTH = 400
_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}


class _Struct(msgspec.Struct, rename="camel", gc=False):
    pass


class _AnyValue(_Struct):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: _ArrayValue | None = None
    kvlist_value: _KeyValueList | None = None
    bytes_value: str | None = None


class _ArrayValue(_Struct):
    values: list[_AnyValue | None] | None = None


class _KeyValue(_Struct):
    key: str = ""
    value: _AnyValue | None = None


class _KeyValueList(_Struct):
    values: list[_KeyValue] | None = None


class _Event(_Struct):
    time_unix_nano: int | str | None = None
    name: str | None = None
    attributes: list[_KeyValue] | None = None


class _Link(_Struct):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: list[_KeyValue] | None = None


class _Status(_Struct):
    message: str | None = None
    code: int | str | None = None


class _Span(_Struct):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_KeyValue] | None = None
    dropped_attributes_count: int | None = None
    events: list[_Event] | None = None
    dropped_events_count: int | None = None
    links: list[_Link] | None = None
    dropped_links_count: int | None = None
    status: _Status | None = None


class _Scope(_Struct):
    name: str | None = None
    version: str | None = None
    attributes: list[_KeyValue] | None = None


class _ScopeSpans(_Struct):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] | None = None


class _Resource(_Struct):
    attributes: list[_KeyValue] | None = None


class _ResourceSpans(_Struct):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(_Struct):
    resource_spans: list[_ResourceSpans] | None = None


_request = msgspec.json.Decoder(_Request)
_span = msgspec.json.Decoder(_Span)


class JsonSource:
    """A body. Iterate over it to read its spans."""

    def __init__(self, body: bytes, reading: Reading, max_spans: int) -> None:
        """Read the frame.

        Raises:
            MalformedJson: it is no JSON, or none of an ExportTraceServiceRequest.
            TooLarge: it has more values than a request may have, or more resources, scopes or spans than `max_spans`.
        """
        self.reading = reading
        self.notes: list[str] = []
        limit = reading.limits.max_json_values
        if has_more_values_than(limit, [body]):
            raise TooLarge("JSON values", limit)
        self.frame = self._read_frame(body).resource_spans or []
        scopes = [scope for resource in self.frame for scope in resource.scope_spans or ()]
        check_count("resources", len(self.frame), max_spans)
        check_count("scopes", len(scopes), max_spans)
        check_count("spans", sum(len(scope.spans or ()) for scope in scopes), max_spans)

    def _read_frame(self, body: bytes) -> _Request:
        if is_utf8(body):
            try:
                return _request.decode(body)
            except msgspec.ValidationError as exc:
                raise MalformedJson(f"It is no export of traces: {exc}.") from exc
            except (msgspec.DecodeError, RecursionError):
                pass
        try:
            body, self.notes = self.reading.mend(body, max_depth=MAX_BODY_DEPTH)
            return _request.decode(body)
        except (ItemError, msgspec.DecodeError, RecursionError) as exc:
            raise MalformedJson from exc

    def __iter__(self) -> Iterator[tuple[Scope, Span | Refused]]:
        """Read span by span.

        Raises:
            MalformedJson: an attribute of a resource or scope is malformed.
        """
        for of_resource in self.frame:
            resource = self._frame_attributes(of_resource.resource)
            encoded = msgspec.Raw(msgspec.json.encode(resource))
            for of_scope in of_resource.scope_spans or ():
                scope = of_scope.scope or _Scope()
                found = make_scope(
                    resource,
                    encoded,
                    scope.name or "",
                    scope.version or "",
                    self._frame_attributes(scope),
                )
                for text in of_scope.spans or ():
                    yield found, self._read(text)

    def _frame_attributes(self, holder: _Resource | _Scope | None) -> Attributes:
        try:
            return _attributes(holder.attributes if holder else None)
        except (ItemError, RecursionError) as exc:
            raise MalformedJson("An attribute of a resource or scope is malformed.") from exc

    def _read(self, text: msgspec.Raw) -> Span | Refused:
        limit = self.reading.limits.max_run_bytes
        size = len(memoryview(text))
        if size > limit:
            return Refused("", ItemTooLarge("The span", size, limit))
        try:
            span = _span.decode(text)
        except msgspec.ValidationError as exc:
            return Refused("", MalformedItem(f"It is no span: {exc}."))
        except (msgspec.DecodeError, RecursionError):
            return Refused("", MalformedItem("It nests too deep."))
        try:
            return _read_span(span, self.notes)
        except ItemError as exc:
            return Refused(str(span.span_id)[:64], exc)
        except RecursionError:
            return Refused(str(span.span_id)[:64], MalformedItem("It nests too deep."))


def _read_span(span: _Span, notes: list[str]) -> Span:
    status = span.status or _Status()
    return Span(
        trace_id=_hex("traceId", span.trace_id),
        span_id=_hex("spanId", span.span_id),
        parent_span_id=_hex("parentSpanId", span.parent_span_id),
        trace_state=span.trace_state or "",
        name=span.name or "",
        kind=_number("kind", span.kind, bits=32),
        start=_number("startTimeUnixNano", span.start_time_unix_nano, bits=65),
        end=_number("endTimeUnixNano", span.end_time_unix_nano, bits=65),
        attributes=_attributes(span.attributes),
        events=[
            Event(
                item.name or "",
                _number("timeUnixNano", item.time_unix_nano, bits=65),
                _attributes(item.attributes),
            )
            for item in span.events or ()
        ],
        links=[
            Link(
                _hex("links.traceId", item.trace_id),
                _hex("links.spanId", item.span_id),
                item.trace_state or "",
                _attributes(item.attributes),
            )
            for item in span.links or ()
        ],
        status_code=_number("status.code", status.code, bits=32),
        status_message=status.message or "",
        dropped={
            name: count
            for name, count in (
                ("attributes", span.dropped_attributes_count),
                ("events", span.dropped_events_count),
                ("links", span.dropped_links_count),
            )
            if count
        },
        notes=[*notes],
    )


def _attributes(pairs: list[_KeyValue] | None) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs or ()}


def _value(value: _AnyValue | None) -> Any:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _number("intValue", value.int_value)
    if value.array_value is not None:
        return [_value(item) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values)
    if value.double_value is not None:
        return _double(value.double_value)
    if value.bytes_value is not None:
        return _base64(value.bytes_value)
    return value.bool_value


def _hex(field: str, text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError as exc:
        raise InvalidField(field, "must be hexadecimal.") from exc


def _number(field: str, value: int | str | None, *, bits: int = 64) -> int:
    """Return a whole number of so many bits, its sign included."""
    if not value:
        return 0
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20):
            raise InvalidField(field, "must be a whole number.")
        value = int(value)
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise InvalidField(field, "is out of range.")
    return value


def _double(value: float | str) -> float | str:
    if isinstance(value, str):
        if value in _NOT_FINITE:
            return value
        try:
            value = float(value)
        except ValueError as exc:
            raise InvalidField("doubleValue", "must be a number.") from exc
    return finite(value)


def _base64(text: str) -> str:
    """Return standard base64, which senders may write in the alphabet of URLs or without padding."""
    text = text.translate({45: 43, 95: 47}).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidField("bytesValue", "must be base64.") from exc
    return base64.b64encode(data).decode()
