"""The protobuf form of a body. Its spans stay bytes until they are read, each on its own.

A parser of the official schema refuses the whole body for one string that is no UTF-8. So the frame and
whatever was refused are parsed by a schema of the same wire format in which every string, and every span
of the frame, is bytes.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor_pb2 import (  # type: ignore[import-untyped]
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from collector.wire.errors import (
    ItemError,
    ItemTooLarge,
    MalformedItem,
    MalformedProtobuf,
    TooLarge,
)
from collector.wire.jsontext import UTF8_NOTE
from collector.wire.otlp.frame import check_frame
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
from collector.wire.runs import ALONE_BYTES, Reading

_Message = TypeVar("_Message")

_PACKAGE = "opentelemetry.proto"
_UNREAD = {  # fields of the frame that are parsed later
    f"{_PACKAGE}.trace.v1.ResourceSpans.resource",
    f"{_PACKAGE}.trace.v1.ScopeSpans.scope",
    f"{_PACKAGE}.trace.v1.ScopeSpans.spans",
}
_texts: set[str] = set()  # full names of the fields that are bytes in the loose schema only
# An attribute of two bytes takes sixty in memory: one span or resource of this size at a time.
_parsing = threading.Lock()


def _loosen(name: str, message: DescriptorProto) -> None:
    for nested in message.nested_type:
        _loosen(f"{name}.{nested.name}", nested)
    for field in message.field:
        full_name = f"{name}.{field.name}"
        if field.type == FieldDescriptorProto.TYPE_STRING:
            _texts.add(full_name)
            field.type = FieldDescriptorProto.TYPE_BYTES
        elif full_name in _UNREAD:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")


def _loose_schema() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _loosen(f"{file.package}.{message.name}", message)
        pool.Add(file)
    return pool


def _loose_class(name: str) -> Any:
    return GetMessageClass(_schema.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_schema = _loose_schema()
_LooseFrame = _loose_class(
    "trace.v1.TracesData"
)  # an ExportTraceServiceRequest has the same fields
_LooseResource = _loose_class("resource.v1.Resource")
_LooseScope = _loose_class("common.v1.InstrumentationScope")
_LooseSpan = _loose_class("trace.v1.Span")


class ProtobufSource:
    """A body. Iterate over it to read its spans."""

    def __init__(self, body: bytes, reading: Reading, max_spans: int) -> None:
        """Read the frame.

        Raises:
            MalformedProtobuf: it is none of an ExportTraceServiceRequest.
            TooLarge: it has more resources, scopes or spans than `max_spans`.
        """
        check_frame(body, max_spans)
        self.reading = reading
        self.value_count = 0
        try:
            self.frame = _LooseFrame.FromString(body)
        except DecodeError as exc:
            raise MalformedProtobuf from exc

    def __iter__(self) -> Iterator[tuple[Scope, Span | Refused]]:
        """Read span by span.

        Raises:
            MalformedProtobuf: a resource or scope is no message.
            TooLarge: a resource or scope is larger than a span may be, or all spans together have more values
                than a request may have.
        """
        for of_resource in self.frame.resource_spans:
            process = self._of_frame(
                of_resource.resource, resource_pb2.Resource.FromString, _LooseResource
            )
            resource = self._attributes(process.attributes)
            encoded = msgspec.Raw(msgspec.json.encode(resource))
            for of_scope in of_resource.scope_spans:
                library = self._of_frame(
                    of_scope.scope, common_pb2.InstrumentationScope.FromString, _LooseScope
                )
                attributes = self._attributes(library.attributes)
                scope = make_scope(resource, encoded, library.name, library.version, attributes)
                for text in of_scope.spans:
                    yield scope, self._read(text)

    def _of_frame(self, text: bytes, parse: Callable[[bytes], _Message], loose: Any) -> _Message:
        limit = self.reading.limits.max_run_bytes
        if len(text) > limit:
            raise TooLarge("bytes in a resource or scope", limit)
        try:
            with _alone(text):
                return self._parse(text, parse, loose)[0]
        except ItemError as exc:
            raise MalformedProtobuf from exc

    def _read(self, text: bytes) -> Span | Refused:
        limit = self.reading.limits.max_run_bytes
        if len(text) > limit:
            return Refused("", ItemTooLarge("The span", len(text), limit))
        with _alone(text):
            try:
                message, notes = self._parse(text, trace_pb2.Span.FromString, _LooseSpan)
            except ItemError as exc:
                return Refused("", exc)
            return self._span(message, notes)

    def _parse(
        self, text: bytes, parse: Callable[[bytes], _Message], loose: Any
    ) -> tuple[_Message, list[str]]:
        try:
            return parse(text), []
        except DecodeError:
            pass
        self.reading.count_mended(len(text))
        try:
            message = loose.FromString(text)
            _mend_texts(message)
            return parse(message.SerializeToString()), [UTF8_NOTE]
        except DecodeError as exc:
            raise MalformedItem("It is no protobuf message of a span, or nests too deep.") from exc

    def _span(self, span: trace_pb2.Span, notes: list[str]) -> Span:
        status = span.status
        return Span(
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            trace_state=span.trace_state,
            name=span.name,
            kind=span.kind,
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            attributes=self._attributes(span.attributes),
            events=[
                Event(item.name, item.time_unix_nano, self._attributes(item.attributes))
                for item in span.events
            ],
            links=[
                Link(
                    item.trace_id, item.span_id, item.trace_state, self._attributes(item.attributes)
                )
                for item in span.links
            ],
            status_code=status.code,
            status_message=status.message,
            dropped={
                name: count
                for name, count in (
                    ("attributes", span.dropped_attributes_count),
                    ("events", span.dropped_events_count),
                    ("links", span.dropped_links_count),
                )
                if count
            },
            notes=notes,
        )

    def _attributes(self, pairs: Any) -> Attributes:
        self._count(len(pairs))
        return {pair.key: self._value(pair.value) for pair in pairs}

    def _value(self, value: common_pb2.AnyValue) -> Any:
        kind = value.WhichOneof("value")
        if kind == "string_value":  # most are
            return value.string_value
        if kind == "array_value":
            self._count(len(value.array_value.values))
            return [self._value(item) for item in value.array_value.values]
        if kind == "kvlist_value":
            return self._attributes(value.kvlist_value.values)
        if kind == "double_value":
            return finite(value.double_value)
        if kind == "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        return None if kind is None else getattr(value, kind)

    def _count(self, count: int) -> None:
        self.value_count += count
        limit = self.reading.limits.max_json_values
        if self.value_count > limit:
            raise TooLarge("values", limit)


def _alone(text: bytes) -> AbstractContextManager[Any]:
    return _parsing if len(text) > ALONE_BYTES else nullcontext()


def _mend_texts(message: Message) -> None:
    """Replace in a loose message what is no UTF-8, so that the official schema takes it."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else (value,):
                _mend_texts(item)
        elif field.full_name in _texts:
            if field.is_repeated:
                value[:] = [text.decode(errors="replace").encode() for text in value]
            else:
                setattr(message, field.name, value.decode(errors="replace").encode())
