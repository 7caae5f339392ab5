"""LangSmith's four ways to send runs. Each: authenticate, cap, decode, accept; then 202.

202 means that the accepted part is durable. Refused items stand in the answer by id and reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector import inbox
from collector.api.memory import in_flight
from collector.auth import ApiKeyAuth
from collector.wire.batch import decode_batch, decode_one
from collector.wire.encoding import decode_body
from collector.wire.errors import TooLarge, TruncatedBody
from collector.wire.limits import Limits
from collector.wire.multipart import decode_multipart
from collector.wire.operations import DecodedRequest
from collector.wire.runs import Reading

logger = logging.getLogger(__name__)

Decode = Callable[[bytes, Reading], DecodedRequest]


def limits() -> Limits:
    """Return the caps of decoding as they are set."""
    return Limits(
        max_body_bytes=settings.INGEST_MAX_BODY_BYTES,
        max_decoded_bytes=settings.INGEST_MAX_DECODED_BYTES,
        max_run_bytes=settings.INGEST_MAX_RUN_BYTES,
        max_runs=settings.INGEST_MAX_RUNS,
    )


class IngestView(APIView):
    """What the four have in common. The body is read raw: DRF's parsers never see it."""

    required_scope = "ingest"

    def ingest(self, request: Request, decode: Decode) -> Response:
        """Read and decode the body, make it durable, and say what was refused.

        Raises what `collector.api.errors` answers.
        """
        caps = limits()
        with in_flight.account() as account:
            body = _read_body(request, caps, account.take)
            encoding = request.headers.get("Content-Encoding", "")
            decoded_body = decode_body(
                body, encoding, max_bytes=caps.max_decoded_bytes, take=account.take
            )
            decoded = decode(decoded_body, Reading(timezone.now(), caps))
            assert isinstance(request.auth, ApiKeyAuth)
            rejected = inbox.accept(request.auth.workspace_id, decoded)
        _report(decoded)
        answer = {
            "accepted": len(decoded.runs) + len(decoded.feedback) + len(decoded.attachments),
            "rejected": [
                {"id": item.id, "reason": item.reason, "code": item.code} for item in rejected
            ],
        }
        if rejected and not decoded.is_storable:
            detail = f"Nothing was stored: {rejected[0].reason}"
            return Response({"detail": detail, "code": "nothing_storable", **answer}, status=422)
        return Response(answer, status=202)


def _read_body(request: Request, caps: Limits, take: Callable[[int], None]) -> bytes:
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > caps.max_body_bytes:
        raise TooLarge("bytes", caps.max_body_bytes, "RUNWOOD_MAX_BODY_BYTES")
    take(length)
    body = request._request.body  # the raw body: DRF would parse it
    if len(body) < length:
        raise TruncatedBody
    return body


def _report(decoded: DecodedRequest) -> None:
    if decoded.rejected:
        first = decoded.rejected[0]
        logger.info(
            "%d items refused, the first: %s %r", len(decoded.rejected), first.code, first.id
        )
    if decoded.client is not None and decoded.client.dropped:
        logger.warning(
            "client %s %s has dropped runs: %s",
            decoded.client.name,
            decoded.client.id,
            decoded.client.dropped,
        )


class CreateRun(IngestView):
    """POST /runs."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Create one run."""
        return self.ingest(
            request, lambda body, reading: decode_one(body, reading, is_update=False)
        )


class IngestBatch(IngestView):
    """POST /runs/batch."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Create and update runs: `{"post": [run…], "patch": [run…]}`."""
        return self.ingest(request, decode_batch)


class IngestMultipart(IngestView):
    """POST /runs/multipart."""

    @extend_schema(
        request={"multipart/form-data": OpenApiTypes.OBJECT}, responses={202: OpenApiTypes.OBJECT}
    )
    def post(self, request: Request) -> Response:
        """Create and update runs with parts for payloads, feedback and attachments."""
        content_type = request.headers.get("Content-Type", "")
        return self.ingest(
            request, lambda body, reading: decode_multipart(body, content_type, reading)
        )


class UpdateRun(IngestView):
    """PATCH /runs/{run_id}."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={202: OpenApiTypes.OBJECT})
    def patch(self, request: Request, run_id: UUID) -> Response:
        """Update one run."""
        return self.ingest(
            request, lambda body, reading: decode_one(body, reading, is_update=True, run_id=run_id)
        )


create_run = CreateRun.as_view()
update_run = UpdateRun.as_view()
ingest_batch = IngestBatch.as_view()
ingest_multipart = IngestMultipart.as_view()
