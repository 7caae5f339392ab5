"""OTLP/HTTP: what OpenTelemetry's exporters and the Collector send. Answers as OpenTelemetry's protocol says.

200 means that what was not refused is durable; refused spans are told as partial success, which no exporter
sends again. Errors are a google.rpc.Status, and what may pass is 503 with Retry-After. All in the form in
which the sender wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from collector.api.ingest import IngestView
from collector.projects import DEFAULT_PROJECT
from collector.wire.errors import EmptyBody, UnsupportedMediaType
from collector.wire.operations import DecodedRequest, Rejection
from collector.wire.otlp.answers import encode_response, encode_status
from collector.wire.otlp.decode import JSON, PROTOBUF, decode_traces, form_of


class AsItIs(BaseRenderer):
    """Sends bytes that are encoded already; what DRF says of itself (OPTIONS) goes as JSON."""

    media_type = PROTOBUF
    format = "otlp"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return data if isinstance(data, bytes) else orjson.dumps(data) if data else b""


class ExportTraces(IngestView):
    """POST /otel/v1/traces and /v1/traces."""

    renderer_classes = [AsItIs]
    form = JSON  # of the answers, until the request has said its own

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        with suppress(UnsupportedMediaType):  # `post` refuses it, but only to whoever has a key
            self.form = form_of(request.headers.get("Content-Type", ""))
        super().initial(request, *args, **kwargs)

    @extend_schema(
        request={PROTOBUF: OpenApiTypes.BINARY, JSON: OpenApiTypes.OBJECT},
        responses={
            200: OpenApiResponse(OpenApiTypes.BINARY, "An ExportTraceServiceResponse."),
            (400, "application/x-protobuf"): OpenApiResponse(
                OpenApiTypes.BINARY, "The body cannot be read: a google.rpc.Status, as every error."
            ),
            415: OpenApiResponse(OpenApiTypes.BINARY, "An unknown Content-Type or -Encoding."),
            503: OpenApiResponse(OpenApiTypes.BINARY, "Send it again after Retry-After seconds."),
        },
    )
    def post(self, request: Request) -> Response:
        """Store spans as runs: an ExportTraceServiceRequest."""
        decode = partial(
            decode_traces,
            form=form_of(request.headers.get("Content-Type", "")),
            project=_project(request),
            default_project=DEFAULT_PROJECT,
        )
        return self.ingest(request, decode)

    def answer(self, decoded: DecodedRequest, rejected: list[Rejection]) -> Response:
        return Response(encode_response(self.form, rejected), content_type=self.form)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep the type of an answer without bytes, as an empty message is: DRF takes it away."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.add_post_render_callback(
            lambda rendered: rendered.headers.setdefault("Content-Type", self.form)
        )
        return response

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(exc, EmptyBody) and self.form == PROTOBUF:
            return self.answer(DecodedRequest(), [])  # a message without fields has no bytes
        data = response.data
        message = str(data.get("detail", "")) if isinstance(data, dict) else ""
        response.data = encode_status(self.form, response.status_code, message)
        response.content_type = self.form
        return response


def _project(request: Request) -> str | None:
    """Return the project that the headers name. An agent's address stands for one."""
    project = _header(request, "Langsmith-Project")
    if project:
        return project
    agent = _header(request, "Langsmith-Agent-Id")
    environment = _header(request, "Langsmith-Agent-Environment")
    return f"{agent}/{environment}" if agent and environment else None


def _header(request: Request, name: str) -> str:
    """Return a header's text. WSGI hands it over as Latin-1; most senders mean UTF-8."""
    text: str = request.headers.get(name, "").strip()
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


export_traces = ExportTraces.as_view()
