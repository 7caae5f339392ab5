"""Feedback: giving it, reading it, changing it, taking it back (LangSmith protocol 5.4)."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector.access import project_ids_for_key
from collector.api import feedback_shapes as shapes
from collector.api.feedback_fields import serialize_feedback, serialize_operation
from collector.api.ingest import IngestView, limits
from collector.api.ingest_shapes import answers
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import BodyTooLarge, parse_bool, parse_time, parse_uuids
from collector.api.rendering import AlwaysJSON, dump_json
from collector.api.runs import QueryTooBroad
from collector.auth import key_auth
from collector.deletion import delete_feedback
from collector.feedback import find_accepted_feedback, update_feedback
from collector.reads.errors import ReadTimeout
from collector.reads.feedback import FeedbackFilter, StoredFeedback, search_feedback
from collector.wire.errors import ItemError
from collector.wire.feedback import decode_feedback_body, decode_feedback_change
from collector.wire.operations import DecodedRequest, Rejection
from collector.wire.runs import Reading

MAX_WORDS = 200  # of one parameter that may be given several times
LEVELS = {"run": True, "session": False}


class CreateFeedback(IngestView):
    """POST /feedback: for a run that need not be there yet, or for a whole project."""

    @extend_schema(
        operation_id="create_feedback",
        tags=["feedback"],
        request=shapes.FeedbackToStore,
        responses={**answers(), 202: shapes.Feedback},
    )
    def post(self, request: Request) -> Response:
        """Store one judgement. 202 means that it is durable; it can be read about a second later."""
        return self.ingest(request, decode_feedback_body)

    def answer(self, decoded: DecodedRequest, rejected: list[Rejection]) -> Response:
        if not decoded.feedback:
            return super().answer(decoded, rejected)
        return Response(serialize_operation(decoded.feedback[0]), status=202)


class FeedbackListView(APIView):
    """Feedback of the key's workspace, newest first."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="list_feedback",
        tags=["feedback"],
        responses=shapes.Feedback(many=True),
        parameters=[
            OpenApiParameter("run", str, many=True),
            OpenApiParameter("key", str, many=True),
            OpenApiParameter("session", str, many=True),
            OpenApiParameter("source", str, many=True, description="api, model, app, auto_eval"),
            OpenApiParameter("user", str, many=True),
            OpenApiParameter("has_comment", bool),
            OpenApiParameter("has_score", bool),
            OpenApiParameter("level", str, enum=list(LEVELS), description="session: on projects"),
            OpenApiParameter("min_created_at", str),
            OpenApiParameter("max_created_at", str),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        params = request.query_params
        wanted = parse_uuids("session", params.getlist("session") or None)
        try:
            found = search_feedback(
                project_ids_for_key(key_auth(request), wanted),
                parse_feedback_filter(request),
                parse_limit(params.get("limit")),
                parse_offset(params.get("offset")),
            )
        except ReadTimeout as error:
            raise QueryTooBroad from error
        return feedback_response([serialize_feedback(feedback) for feedback in found])


class FeedbackView(APIView):
    """Reads one judgement."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(operation_id="read_feedback", tags=["feedback"], responses=shapes.Feedback)
    def get(self, request: Request, feedback_id: UUID) -> HttpResponse:
        return feedback_response(serialize_feedback(_find(request, feedback_id)))


class ChangeFeedbackView(APIView):
    """Changes one judgement, or takes it back."""

    required_scope = "ingest"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="update_feedback",
        tags=["feedback"],
        request=shapes.FeedbackUpdate,
        responses=shapes.Feedback,
    )
    def patch(self, request: Request, feedback_id: UUID) -> HttpResponse:
        """Set what is given; null clears it."""
        caps = limits()
        body = request._request.read(caps.max_feedback_bytes + 1)  # raw: the wire decodes it
        if len(body) > caps.max_feedback_bytes:
            raise BodyTooLarge
        try:
            change = decode_feedback_change(body, Reading(timezone.now(), caps))
        except ItemError as error:
            raise ParseError(error.reason, error.code) from error
        found = _find(request, feedback_id)
        assert found.project_id is not None
        if not update_feedback(found.project_id, feedback_id, change):
            raise _no_such(feedback_id)
        return feedback_response(serialize_feedback(_find(request, feedback_id)))

    @extend_schema(operation_id="delete_feedback", tags=["feedback"], responses=OpenApiTypes.OBJECT)
    def delete(self, request: Request, feedback_id: UUID) -> HttpResponse:
        """Delete it for good; a create of it that is sent again is not stored."""
        found = _find(request, feedback_id)
        assert found.project_id is not None
        delete_feedback(key_auth(request).workspace_id, found.project_id, feedback_id)
        return feedback_response({})  # older SDKs parse the answer


def _find(request: Request, feedback_id: UUID) -> StoredFeedback:
    auth = key_auth(request)
    found = find_accepted_feedback(auth.workspace_id, project_ids_for_key(auth), feedback_id)
    if found is None:
        raise _no_such(feedback_id)
    return found


def _no_such(feedback_id: UUID) -> NotFound:
    return NotFound(f"There is no feedback {feedback_id}, or it is not stored yet.")


def parse_feedback_filter(request: Request) -> FeedbackFilter:
    """Return what the list is narrowed by.

    Raises:
        ParseError: a parameter is not what it must be.
    """
    params = request.query_params
    level = params.get("level") or None
    if level is not None and level not in LEVELS:
        raise ParseError("level: run or session is needed.")
    return FeedbackFilter(
        run_ids=parse_uuids("run", params.getlist("run") or None),
        keys=_words(request, "key"),
        sources=_words(request, "source"),
        users=_words(request, "user"),
        has_comment=parse_bool("has_comment", params.get("has_comment")),
        has_score=parse_bool("has_score", params.get("has_score")),
        is_of_run=None if level is None else LEVELS[level],
        created_from=parse_time("min_created_at", params.get("min_created_at")),
        created_to=parse_time("max_created_at", params.get("max_created_at")),
    )


def _words(request: Request, name: str) -> tuple[str, ...] | None:
    words = request.query_params.getlist(name)
    if len(words) > MAX_WORDS:
        raise ParseError(f"{name}: at most {MAX_WORDS} can be given.")
    return tuple(words) or None


def feedback_response(value: object) -> HttpResponse:
    """Return JSON of values that clients made: integers past 64 bits and what else orjson refuses too."""
    return HttpResponse(dump_json(value), content_type="application/json")


create_feedback = CreateFeedback.as_view()
change_feedback = ChangeFeedbackView.as_view()
