"""What an exporter gets back: an ExportTraceServiceResponse, or a google.rpc.Status, in its own form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.wire.operations import Rejection
from collector.wire.otlp.decode import PROTOBUF

MAX_TOLD = 5  # reasons in one answer
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}  # HTTP → gRPC
_UNKNOWN = 2


def encode_response(form: str, rejected: Sequence[Rejection]) -> bytes:
    """Return the answer to an export that was taken, with how many of its spans were refused and why."""
    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = len(rejected)
        response.partial_success.error_message = _describe(rejected)
    if form == PROTOBUF:
        return bytes(response.SerializeToString())
    answer: dict[str, Any] = {}
    if rejected:
        answer["partialSuccess"] = {
            "rejectedSpans": str(len(rejected)),
            "errorMessage": _describe(rejected),
        }
    return msgspec.json.encode(answer)


def encode_status(form: str, http_status: int, message: str) -> bytes:
    """Return a google.rpc.Status: `int32 code = 1; string message = 2`."""
    code = _CODES.get(http_status, _UNKNOWN)
    if form != PROTOBUF:
        return msgspec.json.encode({"code": code, "message": message})
    text = message.encode()
    return b"\x08%c\x12" % code + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _describe(rejected: Sequence[Rejection]) -> str:
    told = [f"{item.id or 'a span without an id'}: {item.reason}" for item in rejected[:MAX_TOLD]]
    more = len(rejected) - len(told)
    return " ".join(told) + (f" And {more:,} more." if more else "")
