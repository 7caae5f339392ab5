"""Threads of a project, which the wire calls groups (LangSmith protocol 4.4, 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.access import project_ids_for_key
from collector.api import shapes
from collector.api.feedback_fields import feedback_stats
from collector.api.filters import parse_filter_text
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import AnyJSONParser, parse_text, parse_time, parse_uuid
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.api.runs import QUERY_SECONDS, QueryTooBroad
from collector.api.serializers import serialize_statistics, wire_decimal, wire_time
from collector.auth import key_auth
from collector.query.tree import Compare, render
from collector.reads.errors import ReadTimeout
from collector.reads.threads import (
    ThreadSummary,
    count_threads,
    find_thread,
    list_threads,
    thread_statistics,
)
from collector.reads.types import RunFilter

DEFAULT_LIMIT = 10
MAX_OFFSET = 10_000  # each one before is walked over


class ThreadListView(APIView):
    """Threads, the one with the newest trace first."""

    parser_classes = [AnyJSONParser]
    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="group_runs",
        tags=["runs"],
        request=shapes.ThreadQuery,
        responses=shapes.ThreadPage,
    )
    def post(self, request: Request) -> HttpResponse:
        body = cast("Mapping[str, Any]", request.data)
        project_ids, filter_ = _query(request, body)
        try:
            page = list_threads(
                project_ids,
                filter_,
                limit=parse_limit(body.get("limit"), default=DEFAULT_LIMIT),
                offset=min(parse_offset(body.get("offset")), MAX_OFFSET),
                budget_seconds=QUERY_SECONDS,
            )
            if page.scanned_to is not None and not page.items:
                raise QueryTooBroad
            total = count_threads(project_ids, filter_)
        except ReadTimeout as error:
            raise QueryTooBroad from error
        groups = [serialize_thread(thread) for thread in page.items]
        return json_response({"groups": groups, "total": total})


class ThreadStatsView(APIView):
    """Figures over the traces of all threads."""

    parser_classes = [AnyJSONParser]
    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="group_statistics",
        tags=["runs"],
        request=shapes.ThreadQuery,
        responses=shapes.ThreadStats,
    )
    def post(self, request: Request) -> HttpResponse:
        project_ids, filter_ = _query(request, cast("Mapping[str, Any]", request.data))
        try:
            statistics = thread_statistics(project_ids, filter_)
            count = count_threads(project_ids, filter_)
        except ReadTimeout as error:
            raise QueryTooBroad from error
        return json_response({**serialize_statistics(statistics), "group_count": count})


class ThreadView(APIView):
    """One thread."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="read_thread",
        tags=["runs"],
        responses=shapes.Thread,
        parameters=[OpenApiParameter("session_id", UUID, required=True)],
    )
    def get(self, request: Request, thread_id: str) -> HttpResponse:
        project_ids, filter_ = _query(request, request.query_params.dict())
        try:
            thread = find_thread(project_ids, thread_id, filter_)
        except ReadTimeout as error:
            raise QueryTooBroad from error
        if thread is None:
            raise NotFound(f"There is no thread {thread_id[:200]!r} in this project.")
        return json_response(serialize_thread(thread))


def serialize_thread(thread: ThreadSummary) -> dict[str, Any]:
    """Return the group object."""
    statistics = thread.statistics
    return {
        "group_key": thread.thread_id,
        "thread_id": thread.thread_id,
        "filter": render(Compare("thread_id", "eq", thread.thread_id)),
        "count": statistics.row_count,
        "total_tokens": statistics.total_tokens,
        "total_cost": wire_decimal(statistics.total_cost),
        "min_start_time": wire_time(thread.first_start_time),
        "max_start_time": wire_time(thread.last_start_time),
        "latency_p50": statistics.latency.p50,
        "latency_p99": statistics.latency.p99,
        "feedback_stats": feedback_stats(statistics.feedback),
        "first_inputs": thread.first_inputs,
        "last_outputs": thread.last_outputs,
        "last_error": thread.last_error or None,
    }


def _query(request: Request, body: Mapping[str, Any]) -> tuple[tuple[UUID, ...], RunFilter]:
    """Return the projects and the filter that are asked for.

    Raises:
        ParseError: a field is not what it must be.
        InvalidFilter
    """
    session_id = parse_uuid("session_id", body.get("session_id"))
    if session_id is None:
        raise ParseError("session_id: it is needed.")
    group_by = parse_text("group_by", body.get("group_by"))
    if group_by not in (None, "conversation"):
        raise ParseError("group_by: runs are grouped by conversation only.")
    filter_ = RunFilter(
        start_from=parse_time("start_time", body.get("start_time")),
        start_to=parse_time("end_time", body.get("end_time")),
        expression=parse_filter_text("filter", parse_text("filter", body.get("filter"))),
    )
    return project_ids_for_key(key_auth(request), [session_id]), filter_
