"""Addresses at which feedback on one run can be given without a key (LangSmith protocol 5.4).

An application puts one into a page or a mail; each use adds one judgement. The id in it is all that it takes, so it
is random, and an address that is not known answers as one that never was.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.views import APIView

from collector import inbox
from collector.access import project_ids_for_key
from collector.api import feedback_shapes as shapes
from collector.api.ingest import limits
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import (
    ObjectOrListParser,
    parse_object,
    parse_text,
    parse_time,
    parse_uuid,
)
from collector.api.public_access import PublicView
from collector.api.responses import json_response
from collector.auth import key_auth
from collector.models import FeedbackToken
from collector.placing import find_places
from collector.wire.errors import ItemError
from collector.wire.feedback import decode_feedback
from collector.wire.fields import storable
from collector.wire.operations import DecodedRequest
from collector.wire.runs import Reading

MAX_TOKENS = 100  # made by one request
DEFAULT_LIFE = timedelta(hours=3)
MAX_LIFE = timedelta(days=3650)
MAX_KEY_CHARACTERS = 180  # the column's width
MAX_GIVEN_BYTES = 64 << 10  # of a judgement that anybody may send
GIVEN_FIELDS = ("score", "value", "comment", "correction")

THANKS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Thank you</title></head><body><p>Thank you. Your feedback has been recorded.</p></body></html>
"""


class TokenTaken(APIException):
    """The id that a client chose belongs to another token."""

    status_code = 409
    default_detail = "A feedback token with this id exists already."
    default_code = "token_taken"


class MakeFeedbackTokens(APIView):
    """Makes such addresses."""

    parser_classes = [ObjectOrListParser]
    required_scope = "ingest"

    @extend_schema(
        operation_id="create_feedback_token",
        tags=["feedback"],
        request=shapes.FeedbackTokenToMake,
        responses=shapes.FeedbackToken,
    )
    def post(self, request: Request) -> HttpResponse:
        """Make one, or, of a list, several. The run need not be stored yet."""
        auth = key_auth(request)
        asked: Any = request.data
        items = asked if isinstance(asked, list) else [asked]
        if len(items) > MAX_TOKENS:
            raise ParseError(f"At most {MAX_TOKENS} tokens can be made at once.")
        tokens = [_read_token(auth.workspace_id, item) for item in items]
        places = find_places(project_ids_for_key(auth), {token.run_id for token in tokens})
        for token in tokens:
            place = places.get(token.run_id)
            token.project_id = place.project_id if place is not None else None
        with transaction.atomic():
            made = [serialize_token(_keep(token)) for token in tokens]
        return json_response(made if isinstance(asked, list) else made[0])


class FeedbackTokenList(APIView):
    """The addresses of a run."""

    required_scope = "read"

    @extend_schema(
        operation_id="list_feedback_tokens",
        tags=["feedback"],
        responses=shapes.FeedbackToken(many=True),
        parameters=[
            OpenApiParameter("run_id", str, required=True),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        params = request.query_params
        run_id = parse_uuid("run_id", params.get("run_id"))
        if run_id is None:
            raise ParseError("run_id: is needed.")
        tokens = FeedbackToken.objects.filter(
            workspace_id=key_auth(request).workspace_id, run_id=run_id
        ).order_by("created_at", "id")
        offset = parse_offset(params.get("offset"))
        page = tokens[offset : offset + parse_limit(params.get("limit"))]
        return json_response([serialize_token(token) for token in page])


class UseFeedbackToken(PublicView):
    """Where feedback is given, by whoever has the address."""

    @extend_schema(
        operation_id="give_feedback_by_link",
        tags=["feedback"],
        auth=[],
        parameters=[
            OpenApiParameter("score", str),
            OpenApiParameter("value", str),
            OpenApiParameter("comment", str),
            OpenApiParameter("correction", str),
        ],
        responses={200: None},
    )
    def get(self, request: Request, token_id: UUID) -> HttpResponse:
        """Add one judgement: what a link in a page or a mail leads to."""
        token = _find_token(token_id)
        params = request.query_params
        given: dict[str, Any] = {name: params[name] for name in GIVEN_FIELDS if params.get(name)}
        if "score" in given:
            given["score"] = _score(given["score"])
        is_looked_at_ahead = "prefetch" in (
            request.headers.get("Sec-Purpose") or request.headers.get("Purpose") or ""
        )
        if not is_looked_at_ahead:  # nobody has clicked yet
            _add(token, given)
        if "text/html" in request.headers.get("Accept", ""):
            return HttpResponse(THANKS)
        return json_response({"status": "ok"})

    def head(self, request: Request, token_id: UUID) -> HttpResponse:
        """Whoever only looks (mail scanners do) gives no feedback."""
        _find_token(token_id)
        return HttpResponse()

    @extend_schema(
        operation_id="give_feedback_by_token",
        tags=["feedback"],
        auth=[],
        request=shapes.TokenFeedback,
        responses={200: None},
    )
    def post(self, request: Request, token_id: UUID) -> HttpResponse:
        """Add one judgement."""
        token = _find_token(token_id)
        given = self.read_object(request, MAX_GIVEN_BYTES)
        fields = {name: given[name] for name in GIVEN_FIELDS if given.get(name) is not None}
        _add(token, fields, given.get("metadata"))
        return json_response({"status": "ok"})


def serialize_token(token: FeedbackToken) -> dict[str, Any]:
    """Return the token object. The SDKs take the last part of `url` for the token's id."""
    return {
        "id": token.id,
        "url": f"{settings.PUBLIC_URL}/api/v1/feedback/tokens/{token.id}",
        "expires_at": token.expires_at.isoformat(),
        "feedback_key": token.feedback_key,
    }


def _read_token(workspace_id: UUID, item: Any) -> FeedbackToken:
    if not isinstance(item, Mapping):
        raise ParseError("A token is asked for by an object.")
    run_id = parse_uuid("run_id", item.get("run_id"))
    key = parse_text("feedback_key", item.get("feedback_key"))
    if run_id is None or key is None:
        raise ParseError("run_id and feedback_key: both are needed.")
    return FeedbackToken(
        id=parse_uuid("id", item.get("id")) or uuid.uuid4(),
        workspace_id=workspace_id,
        run_id=run_id,
        feedback_key=storable(key)[:MAX_KEY_CHARACTERS],
        feedback_config=parse_object("feedback_config", item.get("feedback_config")),
        expires_at=_expiry(item),
    )


def _expiry(item: Mapping[str, Any]) -> datetime:
    now = timezone.now()
    at = parse_time("expires_at", item.get("expires_at"))
    span = item.get("expires_in")
    if at is None and span is not None:
        at = now + _span(span)
    at = at or now + DEFAULT_LIFE
    if not now < at <= now + MAX_LIFE:
        raise ParseError("The token must expire in the future, and within 10 years.")
    return at


def _span(value: Any) -> timedelta:
    try:
        return timedelta(**{unit: value.get(unit) or 0 for unit in ("days", "hours", "minutes")})
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ParseError("expires_in: days, hours and minutes are needed.") from error


def _keep(token: FeedbackToken) -> FeedbackToken:
    """Store a token and return it; one that was asked for before is returned as it is stored."""
    try:
        with transaction.atomic():
            token.save(force_insert=True)
    except IntegrityError as error:
        stored = FeedbackToken.objects.filter(
            id=token.id,
            workspace_id=token.workspace_id,
            run_id=token.run_id,
            feedback_key=token.feedback_key,
        ).first()
        if stored is None:
            raise TokenTaken from error
        return stored
    return token


def _find_token(token_id: UUID) -> FeedbackToken:
    token = FeedbackToken.objects.filter(id=token_id).first()
    if token is None:
        raise NotFound("There is no such feedback token.")
    if token.expires_at <= timezone.now():
        raise PermissionDenied("This feedback token has expired.", code="token_expired")
    return token


def _add(token: FeedbackToken, fields: Mapping[str, Any], metadata: Any = None) -> None:
    """Accept one judgement, as POST /feedback does."""
    feedback = {
        **fields,
        "run_id": str(token.run_id),
        "session_id": str(token.project_id) if token.project_id is not None else None,
        "key": token.feedback_key,
        "feedback_source": {
            "type": "api",
            "metadata": metadata if isinstance(metadata, dict) else {},
        },
    }
    if token.feedback_config is not None:
        feedback["feedback_config"] = token.feedback_config
    reading = Reading(timezone.now(), limits())
    try:
        operation = decode_feedback(orjson.dumps(feedback), reading, spare_id=uuid.uuid4())
    except (ItemError, orjson.JSONEncodeError) as error:
        raise ParseError(f"The feedback cannot be stored: {error}") from error
    inbox.accept(token.workspace_id, DecodedRequest(feedback=[operation]))


def _score(text: str) -> float | bool:
    words = {"true": True, "false": False}
    word = text.strip().lower()
    try:
        return words[word] if word in words else float(word)
    except ValueError as error:
        raise ParseError("score: a number is needed.") from error
