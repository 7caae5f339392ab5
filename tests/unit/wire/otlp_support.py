"""Exports of traces, built from plain values, in either form."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.wire.operations import DecodedRequest, RunOperation
from collector.wire.otlp.decode import JSON, PROTOBUF, decode_traces
from collector.wire.runs import Reading
from tests.unit.wire.support import READING, RECEIVED_AT

TRACE = "87619f5406656f8b4b2e0631da677bbc"
ROOT, CHILD, GRANDCHILD = "cfb0ab79ded3aa9f", "aec0e85c0e35507d", "00000000000000ff"
START = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 10**9
SECOND = 10**9


def span(
    span_id: str = ROOT,
    parent: str = "",
    *,
    attributes: Mapping[str, Any] | None = None,
    events: list[tuple[str, Mapping[str, Any]]] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a span in OTLP/JSON. An event comes a second after the start."""
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": "work",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 2 * SECOND),
        "attributes": pairs(attributes or {}),
        "events": [
            {"name": name, "timeUnixNano": str(START + SECOND), "attributes": pairs(said)}
            for name, said in events or []
        ],
        **fields,
    }


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
        case _:
            return {"stringValue": value}


def request(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs(resource or {})},
                "scopeSpans": [{"scope": {"name": "tests", "version": "1"}, "spans": list(spans)}],
            }
        ]
    }


def to_json(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> bytes:
    return json.dumps(request(*spans, resource=resource)).encode()


def to_protobuf(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> bytes:
    message = ExportTraceServiceRequest()
    (of_resource,) = request(*spans, resource=resource)["resourceSpans"]
    target = message.resource_spans.add()
    _fill_pairs(target.resource.attributes, of_resource["resource"]["attributes"])
    for of_scope in of_resource["scopeSpans"]:
        scope = target.scope_spans.add()
        scope.scope.name, scope.scope.version = of_scope["scope"].values()
        for item in of_scope["spans"]:
            _fill_span(scope.spans.add(), item)
    return message.SerializeToString()


def _fill_span(target: Any, item: dict[str, Any]) -> None:
    target.trace_id = bytes.fromhex(item["traceId"])
    target.span_id = bytes.fromhex(item["spanId"])
    target.parent_span_id = bytes.fromhex(item["parentSpanId"])
    target.name = item["name"]
    target.kind = item.get("kind", 0)
    target.trace_state = item.get("traceState", "")
    target.start_time_unix_nano = int(item["startTimeUnixNano"])
    target.end_time_unix_nano = int(item["endTimeUnixNano"])
    _fill_pairs(target.attributes, item["attributes"])
    for event in item["events"]:
        added = target.events.add()
        added.name, added.time_unix_nano = event["name"], int(event["timeUnixNano"])
        _fill_pairs(added.attributes, event["attributes"])
    for link in item.get("links", []):
        added = target.links.add()
        added.trace_id, added.span_id = (
            bytes.fromhex(link["traceId"]),
            bytes.fromhex(link["spanId"]),
        )
        _fill_pairs(added.attributes, link["attributes"])
    status = item.get("status", {})
    target.status.code, target.status.message = status.get("code", 0), status.get("message", "")


def _fill_pairs(target: Any, items: list[dict[str, Any]]) -> None:
    for item in items:
        added = target.add()
        added.key = item["key"]
        _fill_value(added.value, item["value"])


def _fill_value(target: Any, value: dict[str, Any]) -> None:
    match value:
        case {"stringValue": text}:
            target.string_value = text
        case {"boolValue": flag}:
            target.bool_value = flag
        case {"intValue": number}:
            target.int_value = int(number)
        case {"doubleValue": number}:
            target.double_value = float(number)
        case {"bytesValue": text}:
            target.bytes_value = base64.b64decode(text)
        case {"arrayValue": {"values": values}}:
            target.array_value.SetInParent()
            for item in values:
                _fill_value(target.array_value.values.add(), item)
        case {"kvlistValue": {"values": values}}:
            target.kvlist_value.SetInParent()
            _fill_pairs(target.kvlist_value.values, values)


def reading() -> Reading:
    return Reading(RECEIVED_AT, READING.limits)


def decode(body: bytes, form: str = JSON, project: str | None = None) -> DecodedRequest:
    return decode_traces(body, reading(), form=form, project=project, default_project="default")


def runs_of(*spans: dict[str, Any], **options: Any) -> list[RunOperation]:
    """Decode good spans by both forms, which must agree."""
    resource = options.pop("resource", None)
    decoded = decode(to_protobuf(*spans, resource=resource), PROTOBUF, **options)
    assert decoded.rejected == []
    assert decoded == decode(to_json(*spans, resource=resource), JSON, **options)
    return decoded.runs


def run_of(**fields: Any) -> RunOperation:
    """Decode one span: its keyword arguments are those of `span`."""
    (run,) = runs_of(span(**fields))
    return run


def run_with(attributes: Mapping[str, Any], **fields: Any) -> RunOperation:
    return run_of(attributes=attributes, **fields)


def parsed(text: bytes) -> Any:
    return json.loads(text) if text else None


def extra_of(run: RunOperation) -> Any:
    return parsed(run.extra)


def metadata_of(run: RunOperation) -> dict[str, Any]:
    """Return the metadata, without the two ids that every span's have."""
    metadata: dict[str, Any] = extra_of(run)["metadata"]
    return {key: value for key, value in metadata.items() if not key.startswith("OTEL_")}


def left_of(run: RunOperation) -> Any:
    """Return the attributes that mean nothing to us, as they are kept."""
    return extra_of(run)["otel"].get("attributes", {})
