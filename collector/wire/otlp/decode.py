"""The body of an export → `DecodedRequest`. A span that cannot be stored costs no other."""

from __future__ import annotations

from collector.wire.errors import ItemError, TooLarge, UnsupportedMediaType
from collector.wire.operations import DecodedRequest, Rejection
from collector.wire.otlp.ids import find_ids
from collector.wire.otlp.jsonbody import JsonSource
from collector.wire.otlp.protobuf import ProtobufSource
from collector.wire.otlp.runs import make_run
from collector.wire.otlp.spans import Refused, Scope, Source, Span
from collector.wire.runs import Reading

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_FORMS = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}

# The Collector's batch processor sends 8,192 at once, and more where they come quickly.
MAX_SPANS = 50_000


def form_of(content_type: str) -> str:
    """Return PROTOBUF or JSON.

    Raises:
        UnsupportedMediaType: the header names neither.
    """
    form = _FORMS.get(content_type.partition(";")[0].strip().lower())
    if form is None:
        raise UnsupportedMediaType
    return form


def decode_traces(
    body: bytes, reading: Reading, *, form: str, project: str | None, default_project: str
) -> DecodedRequest:
    """Decode an ExportTraceServiceRequest. Spans that name no project go to `project`, or to the default.

    Raises:
        BodyError: nothing of it can be used.
    """
    max_spans = max(MAX_SPANS, reading.limits.max_runs)
    source: Source = (ProtobufSource if form == PROTOBUF else JsonSource)(body, reading, max_spans)
    decoded = DecodedRequest()
    spans: list[tuple[Scope, Span]] = []
    copied = 0  # a resource comes once, and is stored with each of its spans
    for scope, span in source:
        copied += scope.size
        if copied > reading.limits.max_decoded_bytes:
            raise TooLarge(
                "bytes of resources and scopes, counted with each span",
                reading.limits.max_decoded_bytes,
                "RUNWOOD_MAX_DECODED_BYTES",
            )
        if isinstance(span, Refused):
            decoded.rejected.append(_rejection(span.span_id, span.error))
            continue
        try:
            span.check_ids()
        except ItemError as exc:
            decoded.rejected.append(_rejection(span.span_id.hex()[:64], exc))
        else:
            spans.append((scope, span))
    for (scope, span), ids in zip(spans, find_ids([span for _, span in spans]), strict=True):
        try:
            run = make_run(
                span, scope, ids, reading, project=project, default_project=default_project
            )
        except ItemError as exc:
            decoded.rejected.append(_rejection(span.span_id.hex(), exc))
        else:
            decoded.runs.append(run)
    return decoded


def _rejection(span_id: str, error: ItemError) -> Rejection:
    return Rejection(id=span_id, reason=error.reason, code=error.code)
