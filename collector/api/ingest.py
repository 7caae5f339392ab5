"""LangSmith's four ways to send runs. Each: authenticate, cap, decode, accept; then 202.

202 means that the accepted part is durable. Refused items stand in the answer by id and reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector import inbox
from collector.api.deadlines import answered_within
from collector.api.ingest_shapes import MULTIPART, RunBatch, RunToStore, answers
from collector.api.memory import in_flight
from collector.api.rendering import AlwaysJSON
from collector.auth import ApiKeyAuth
from collector.wire.batch import decode_batch, decode_one
from collector.wire.encoding import decode_body
from collector.wire.errors import EmptyBody, TooLarge, TruncatedBody
from collector.wire.limits import Limits
from collector.wire.multipart import decode_multipart
from collector.wire.operations import ClientReport, DecodedRequest, Rejection
from collector.wire.runs import Reading

logger = logging.getLogger(__name__)

READ_BYTES = 256 << 10
DATABASE_SECONDS = 5.0  # an insert takes milliseconds
MAX_DRAINED_OF_STRANGERS = 1 << 20
MAX_TOLD = 1_000

_told: dict[str, int] = {}  # process of a client → what it had dropped when it was last logged

Decode = Callable[[bytes, Reading], DecodedRequest]
Take = Callable[[int], None]


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
    content_negotiation_class = AlwaysJSON
    is_known = False  # whether the sender may send; not asked of DRF, which would look again

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        with answered_within(DATABASE_SECONDS):
            super().initial(request, *args, **kwargs)
        self.is_known = True

    def handle_exception(self, exc: Exception) -> Response:
        limit = 2 * settings.INGEST_MAX_BODY_BYTES if self.is_known else MAX_DRAINED_OF_STRANGERS
        _drain(self.request, limit)
        return super().handle_exception(exc)

    def ingest(self, request: Request, decode: Decode) -> Response:
        """Read and decode the body, make it durable, and say what was refused.

        Raises what `collector.api.errors` answers.
        """
        assert isinstance(request.auth, ApiKeyAuth)
        with answered_within(DATABASE_SECONDS):
            inbox.check_backlog()  # before anything is read: a full inbox must cost little
        with in_flight.account() as account:
            decoded = _decode(request, decode, account.take)
            with answered_within(DATABASE_SECONDS):
                rejected = inbox.accept(request.auth.workspace_id, decoded)
        _report(decoded)
        return self.answer(decoded, rejected)

    def answer(self, decoded: DecodedRequest, rejected: list[Rejection]) -> Response:
        """Say what became of the request."""
        return _answer(decoded, rejected)


def _decode(request: Request, decode: Decode, take: Take) -> DecodedRequest:
    caps = limits()
    body = decode_body(
        _read_body(request, caps, take),
        request.headers.get("Content-Encoding", ""),
        max_bytes=caps.max_decoded_bytes,
        take=take,
    )
    return decode(body, Reading(timezone.now(), caps))


def _read_body(request: Request, caps: Limits, take: Take) -> bytes:
    """Return the body as sent. Memory is asked for as it comes: a stalled sender holds what it sent."""
    text = request.META.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() else 0
    if length > caps.max_body_bytes:
        raise TooLarge("bytes", caps.max_body_bytes, "RUNWOOD_MAX_BODY_BYTES")
    if not length:
        raise EmptyBody
    _let_go_of_database()
    chunks = []
    while length:
        chunk = request._request.read(min(length, READ_BYTES))  # raw: DRF would parse it
        if not chunk:
            raise TruncatedBody
        take(len(chunk))
        length -= len(chunk)
        chunks.append(chunk)
    return b"".join(chunks)


def _let_go_of_database() -> None:
    """Give the connection back while a body is awaited: there are fewer of them than senders."""
    if not connection.in_atomic_block:
        connection.close()


def _drain(request: Request, left: int) -> None:
    """Read on after a refusal, keeping nothing, until the sender listens.

    The server closes a connection whose body it did not read, and a client that is still sending sees
    that in place of the answer: to the SDKs a broken connection, to be sent again twelve times.
    """
    _let_go_of_database()
    try:
        while left > 0 and (chunk := request._request.read(READ_BYTES)):
            left -= len(chunk)
    except OSError:  # UnreadablePostError among them: nobody listens any more
        return


def _answer(decoded: DecodedRequest, rejected: list[Rejection]) -> Response:
    answer: dict[str, Any] = {
        "accepted": len(decoded.runs) + len(decoded.feedback) + len(decoded.attachments),
        "rejected": [
            {"id": item.id, "reason": item.reason, "code": item.code} for item in rejected
        ],
    }
    if decoded.ignored:
        answer["ignored"] = decoded.ignored
    if decoded.is_storable or not (rejected or decoded.ignored):
        return Response(answer, status=202)
    problem = rejected[0].reason if rejected else "no part is one that Runwood knows."
    detail = f"Nothing was stored: {problem}"
    return Response({"detail": detail, "code": "nothing_storable", **answer}, status=422)


def _report(decoded: DecodedRequest) -> None:
    """Tell the operator of what was refused, and of what a client lost before it came here."""
    if decoded.rejected:
        first = decoded.rejected[0]
        logger.info(
            "%d items refused, the first: %s %r", len(decoded.rejected), first.code, first.id
        )
    client = decoded.client
    if client is not None and _has_new_losses(client):
        logger.warning(
            "client %r %r, process %r, has dropped: %r",
            client.name,
            client.version,
            client.process,
            client.dropped,
        )


def _has_new_losses(client: ClientReport) -> bool:
    """Whether the client has dropped more than it told this process before: it repeats its totals."""
    count = client.dropped_count
    if count <= _told.get(client.process, 0):
        return False
    if len(_told) >= MAX_TOLD:
        _told.clear()
    _told[client.process] = count
    return True


class CreateRun(IngestView):
    """POST /runs."""

    @extend_schema(request=RunToStore, responses=answers())
    def post(self, request: Request) -> Response:
        """Create one run."""
        return self.ingest(
            request, lambda body, reading: decode_one(body, reading, is_update=False)
        )


class UpdateRun(IngestView):
    """PATCH /runs/{run_id}."""

    @extend_schema(request=RunToStore, responses=answers())
    def patch(self, request: Request, run_id: UUID) -> Response:
        """Update one run, known already or not."""
        return self.ingest(
            request, lambda body, reading: decode_one(body, reading, is_update=True, run_id=run_id)
        )


class IngestBatch(IngestView):
    """POST /runs/batch."""

    @extend_schema(request=RunBatch, responses=answers())
    def post(self, request: Request) -> Response:
        """Create and update runs: `{"post": [run…], "patch": [run…]}`."""
        return self.ingest(request, decode_batch)


class IngestMultipart(IngestView):
    """POST /runs/multipart."""

    @extend_schema(request=MULTIPART, responses=answers())
    def post(self, request: Request) -> Response:
        """Create and update runs with parts for payloads, feedback and attachments."""
        content_type = request.headers.get("Content-Type", "")
        return self.ingest(
            request, lambda body, reading: decode_multipart(body, content_type, reading)
        )


create_run = CreateRun.as_view()
update_run = UpdateRun.as_view()
ingest_batch = IngestBatch.as_view()
ingest_multipart = IngestMultipart.as_view()
