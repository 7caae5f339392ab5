"""One span → one `RunOperation`: a create that has everything, for a span is sent when it has ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from collector.wire.errors import ItemTooLarge
from collector.wire.operations import RunOperation
from collector.wire.otlp.attributes import Sorted, decoded, embed
from collector.wire.otlp.contents import Payload, find_contents
from collector.wire.otlp.events import find_error, find_events
from collector.wire.otlp.fields import (
    find_metadata,
    find_name,
    find_parameters,
    find_run_type,
    find_serialized,
    find_tags,
)
from collector.wire.otlp.ids import Ids, is_from_langsmith
from collector.wire.otlp.spans import KINDS, Scope, Span
from collector.wire.otlp.times import from_nanoseconds
from collector.wire.otlp.usage import find_usage
from collector.wire.payloads import keep_payload
from collector.wire.runs import Reading, fit_tags, fit_text

_RUNTIME = {  # resource attribute → LangSmith's name of it
    "telemetry.sdk.name": "sdk",
    "telemetry.sdk.version": "sdk_version",
    "telemetry.sdk.language": "runtime",
    "process.runtime.version": "runtime_version",
    "service.name": "service",
}


def make_run(
    span: Span,
    scope: Scope,
    ids: Ids,
    reading: Reading,
    *,
    project: str | None,
    default_project: str,
) -> RunOperation:
    """Return the run. It belongs to the project that its span names, else to `project`, else the default.

    Raises:
        ItemTooLarge: it is larger than a run may be.
    """
    limits, notes = reading.limits, span.notes
    found = Sorted(span.attributes)
    named = found.take_text("langsmith.trace.session_name") or project
    project_id = _project_id(found.take_text("langsmith.trace.session_id"), notes)
    name = find_name(found, span.name)
    run_type = find_run_type(found)
    contents = find_contents(found, span.events)
    events = find_events(found, span, contents.events)
    error = find_error(span)
    tags = find_tags(found)
    serialized = find_serialized(found)
    start, end = _times(span, reading.received_at)
    if named is None and project_id is None and not is_from_langsmith(ids.trace_id, start):
        named = default_project
    payloads = {
        "inputs": _encode(contents.inputs),
        "outputs": _encode(contents.outputs),
        "events": _encode(events),
        "serialized": _encode(serialized),
        "extra": _extra(found, span, scope),
    }
    size = sum(map(len, payloads.values())) + len(error or "")
    if size > limits.max_run_bytes:
        raise ItemTooLarge("The span", size, limits.max_run_bytes)
    return RunOperation(
        id=ids.run_id,
        received_at=reading.received_at,
        project=named and fit_text("project", named, limits.max_project_chars, notes),
        project_id=project_id,
        trace_id=ids.trace_id,
        parent_run_id=ids.parent_run_id,
        dotted_order=ids.dotted_order,
        day=ids.day,
        name=fit_text("name", name or "span", limits.max_name_chars, notes),
        run_type=fit_text("run_type", run_type, limits.max_run_type_chars, notes),
        start_time=start,
        end_time=end,
        error=error and fit_text("error", error, limits.max_string_bytes, notes),
        tags=fit_tags(tags, limits, notes) or None,
        reference_example_id=ids.reference_example_id,
        span_id=int.from_bytes(span.span_id, "big", signed=True),
        inputs=keep_payload("inputs", payloads["inputs"], limits, notes),
        outputs=keep_payload("outputs", payloads["outputs"], limits, notes),
        events=keep_payload("events", payloads["events"], limits, notes) if events else b"",
        extra=keep_payload("extra", payloads["extra"], limits, notes),
        serialized=keep_payload("serialized", payloads["serialized"], limits, notes),
        notes=notes or None,
    )


def _encode(payload: Payload | list[Any] | None) -> bytes:
    """Return JSON text, b"" for nothing."""
    if isinstance(payload, msgspec.Raw):
        return bytes(payload).strip()
    return msgspec.json.encode(payload) if payload else b""


def _project_id(text: str | None, notes: list[str]) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        notes.append("langsmith.trace.session_id: no UUID; it was ignored")
        return None


def _times(span: Span, received_at: datetime) -> tuple[datetime, datetime | None]:
    """Return start and end. A span without a start began when it ended, at the latest just now."""
    end = from_nanoseconds(span.end) if span.end else None
    start = from_nanoseconds(span.start) if span.start else end or received_at
    return start, end


def _extra(found: Sorted, span: Span, scope: Scope) -> bytes:
    """Return metadata, parameters and runtime by LangSmith's names, and the rest of the span as it came."""
    metadata = find_metadata(found)
    usage = find_usage(found)
    if usage and not isinstance(metadata.get("usage_metadata"), dict | msgspec.Raw):
        metadata["usage_metadata"] = usage
    metadata["OTEL_TRACE_ID"] = span.trace_id.hex()
    metadata["OTEL_SPAN_ID"] = span.span_id.hex()
    extra: dict[str, Any] = {"metadata": metadata}
    parameters = find_parameters(found)
    if parameters:
        extra["invocation_params"] = parameters
    runtime = decoded(found.take("langsmith.span.runtime"))
    extra["runtime"] = {
        **{key: scope.resource[name] for name, key in _RUNTIME.items() if name in scope.resource},
        **(runtime if isinstance(runtime, dict) else {}),
    }
    extra["otel"] = _rest(found, span, scope)
    return msgspec.json.encode(extra)


def _rest(found: Sorted, span: Span, scope: Scope) -> dict[str, Any]:
    left = {name: embed(value) for name, value in found.left().items()}
    rest: dict[str, Any] = {"attributes": left} if left else {}
    if span.kind in KINDS:
        rest["kind"] = KINDS[span.kind]
    if span.links:
        rest["links"] = [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                **({"trace_state": link.trace_state} if link.trace_state else {}),
                **({"attributes": link.attributes} if link.attributes else {}),
            }
            for link in span.links
        ]
    if span.trace_state:
        rest["trace_state"] = span.trace_state
    if span.dropped:
        rest["dropped"] = span.dropped
    if scope.name:
        rest["scope"] = {"name": scope.name, "version": scope.version, **scope.attributes}
    if scope.resource:
        rest["resource"] = scope.encoded_resource
    return rest
