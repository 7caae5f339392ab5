"""Threads in v2: lists, figures, and the traces of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request

from collector.access import project_ids_for_key
from collector.api.feedback_fields import feedback_stats
from collector.api.pagination import parse_limit
from collector.api.parsing import parse_text
from collector.api.responses import json_response
from collector.api.run_parts import fill_page
from collector.api.runs import QUERY_SECONDS, QueryTooBroad
from collector.api.serializers import RunParts, wire_time
from collector.api.v2 import shapes
from collector.api.v2.base import (
    IS_ROOT,
    Params,
    V2View,
    answered_in_time,
    body_of,
    find_project_id,
    parse_expression,
    parse_selects,
    parse_start_range,
    refuse,
)
from collector.api.v2.fields import FIELDS, Writer, exact, needed_fields
from collector.api.v2.runs import list_page
from collector.auth import key_auth
from collector.query.tree import Compare, both
from collector.reads.runs import run_cursor
from collector.reads.statistics import RunStatistics
from collector.reads.threads import (
    ThreadSummary,
    count_threads,
    find_thread,
    list_threads,
    number_turns,
    thread_statistics,
)
from collector.reads.types import RunFilter

DEFAULT_PAGE = 20
UNSUPPORTED = ("ai_search", "sem_filter", "thread_filter")
# A thread's trace has these names for what a run has by others.
OF_ROOT = {"LATENCY": "LATENCY_SECONDS"}

Figure = Callable[[RunStatistics], Any]
FIGURES: dict[str, tuple[str, Figure]] = {
    "TRACE_COUNT": ("trace_count", lambda figures: figures.row_count),
    "TOTAL_TOKENS": ("total_tokens", lambda figures: figures.total_tokens),
    "PROMPT_TOKENS": ("prompt_tokens", lambda figures: figures.prompt_tokens),
    "COMPLETION_TOKENS": ("completion_tokens", lambda figures: figures.completion_tokens),
    "TOTAL_COST": ("total_cost", lambda figures: exact(figures.total_cost)),
    "PROMPT_COST": ("prompt_cost", lambda figures: exact(figures.prompt_cost)),
    "COMPLETION_COST": ("completion_cost", lambda figures: exact(figures.completion_cost)),
    "ERROR_RATE": ("error_rate", lambda figures: figures.error_rate),
    "STREAMING_RATE": ("streaming_rate", lambda figures: figures.streaming_rate),
    "LATENCY_P50": ("latency_p50_seconds", lambda figures: figures.latency.p50),
    "LATENCY_P99": ("latency_p99_seconds", lambda figures: figures.latency.p99),
    "FIRST_TOKEN_P50": ("first_token_p50_seconds", lambda figures: figures.first_token.p50),
    "FIRST_TOKEN_P99": ("first_token_p99_seconds", lambda figures: figures.first_token.p99),
    "MEDIAN_TOKENS": (
        "median_tokens",
        lambda figures: None if figures.tokens.p50 is None else round(figures.tokens.p50),
    ),
    "THREAD_FEEDBACK_STATS": (
        "thread_feedback_stats",
        lambda figures: feedback_stats(figures.feedback),
    ),
    "TURNS": ("turns", lambda figures: figures.row_count),
    "FEEDBACK_STATS": ("feedback_stats", lambda figures: feedback_stats(figures.feedback)),
}
TIMES: dict[str, Callable[[ThreadSummary], Any]] = {
    "FIRST_START_TIME": lambda thread: wire_time(thread.first_start_time),
    "LAST_START_TIME": lambda thread: wire_time(thread.last_start_time),
    "LAST_END_TIME": lambda thread: wire_time(thread.last_end_time),
}


class ThreadQueryView(V2View):
    """Threads, the one with the newest trace first, page by page."""

    @extend_schema(
        operation_id="query_threads_v2",
        tags=["v2"],
        request=shapes.ThreadQuery,
        responses=shapes.ThreadPage,
    )
    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        project_id, filter_ = find_project_id(request, body), _filter(body)
        with answered_in_time():
            page = list_threads(
                [project_id],
                filter_,
                parse_text("cursor", body.get("cursor")),
                parse_limit(body.get("page_size"), default=DEFAULT_PAGE),
                budget_seconds=QUERY_SECONDS,
            )
        if page.scanned_to is not None and not page.items:
            raise QueryTooBroad
        return json_response(
            {
                "items": [_thread(thread) for thread in page.items],
                "next_cursor": page.next_cursor,
            }
        )


class ThreadsStatsView(V2View):
    """Figures over the traces of all threads."""

    @extend_schema(
        operation_id="threads_statistics_v2",
        tags=["v2"],
        request=shapes.ThreadsStatsQuery,
        responses=shapes.ThreadFigures,
    )
    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        refuse(body, ("stride",))
        project_id, filter_ = find_project_id(request, body), _filter(body)
        selects = _needed_selects(body.get("select"), "select")
        with answered_in_time():
            answer = _figures(thread_statistics([project_id], filter_), selects)
            if "THREAD_COUNT" in selects:
                answer["thread_count"] = count_threads([project_id], filter_)
        return json_response(answer)


class ThreadStatsView(V2View):
    """Figures over the traces of one thread, of all times."""

    @extend_schema(
        operation_id="thread_statistics_v2",
        tags=["v2"],
        responses=shapes.ThreadFigures,
        parameters=[
            OpenApiParameter("session_id", UUID, required=True),
            OpenApiParameter("filter", str),
            shapes.SELECTS,
        ],
    )
    def get(self, request: Request, thread_id: str) -> HttpResponse:
        params = request.query_params
        project_id = find_project_id(request, params, "session_id")
        selects = _needed_selects(params.getlist("selects"), "selects")
        filter_ = RunFilter(expression=parse_expression(params, "filter"))
        with answered_in_time():
            thread = find_thread([project_id], thread_id, filter_)
        if thread is None:
            raise NotFound(f"There is no thread {thread_id[:200]!r} in this project.")
        times = {name.lower(): value(thread) for name, value in TIMES.items() if name in selects}
        return json_response(_figures(thread.statistics, selects) | times)


class ThreadTracesView(V2View):
    """The traces of one thread, oldest first, page by page."""

    @extend_schema(
        operation_id="list_thread_traces_v2",
        tags=["v2"],
        responses=shapes.ThreadTracePage,
        parameters=[
            OpenApiParameter("project_id", UUID, required=True),
            OpenApiParameter("filter", str),
            OpenApiParameter("trace_filter", str),
            OpenApiParameter("tree_filter", str),
            OpenApiParameter("cursor", str),
            OpenApiParameter("page_size", int),
            shapes.SELECTS,
        ],
    )
    def get(self, request: Request, thread_id: str) -> HttpResponse:
        params = request.query_params
        project_id = find_project_id(request, params)
        asked = both(parse_expression(params, "filter"), parse_expression(params, "trace_filter"))
        turns = both(IS_ROOT, Compare("thread_id", "eq", thread_id))
        filter_ = RunFilter(
            expression=both(turns, asked), tree_expression=parse_expression(params, "tree_filter")
        )
        limit = parse_limit(params.get("page_size"), default=DEFAULT_PAGE)
        page = list_page((project_id,), filter_, params, limit, is_descending=False)
        selects = parse_selects(params.getlist("selects"))
        names = {OF_ROOT.get(name, name) for name in selects}
        visible = partial(project_ids_for_key, key_auth(request))
        found = list(fill_page(page.items, needed_fields(frozenset(names)), visible))
        next_cursor = page.next_cursor
        if len(found) < len(page.items):
            next_cursor = run_cursor(found[-1].run, is_descending=False)
        numbers = number_turns([project_id], thread_id) if "TURN_NUMBER" in selects else {}
        writer = Writer(request, with_below=True)
        items = [_turn(writer, parts, selects, numbers) for parts in found]
        return json_response({"items": items, "next_cursor": next_cursor})


def _filter(body: Params) -> RunFilter:
    refuse(body, UNSUPPORTED)
    begin, end = parse_start_range(body)
    return RunFilter(
        start_from=begin,
        start_to=end,
        expression=both(parse_expression(body, "filter"), parse_expression(body, "trace_filter")),
        tree_expression=parse_expression(body, "tree_filter"),
    )


def _needed_selects(value: Any, name: str) -> frozenset[str]:
    selects = parse_selects(value, name)
    if not selects:
        raise ParseError(f"{name}: at least one figure is needed.")
    return selects


def _figures(statistics: RunStatistics, selects: frozenset[str]) -> dict[str, Any]:
    return {key: value(statistics) for name, (key, value) in FIGURES.items() if name in selects}


def _thread(thread: ThreadSummary) -> dict[str, Any]:
    """Return the Thread object."""
    statistics = thread.statistics
    return {
        "thread_id": thread.thread_id,
        "count": statistics.row_count,
        "num_errored_turns": statistics.error_count,
        "start_time": wire_time(thread.last_start_time),
        "min_start_time": wire_time(thread.first_start_time),
        "max_start_time": wire_time(thread.last_start_time),
        "first_trace_id": thread.first_trace_id,
        "last_trace_id": thread.last_trace_id,
        "trace_id": thread.last_trace_id,
        "first_inputs": thread.first_inputs,
        "last_outputs": thread.last_outputs,
        "last_error": thread.last_error or None,
        "latency_p50": statistics.latency.p50,
        "latency_p99": statistics.latency.p99,
        "total_tokens": statistics.total_tokens,
        "total_cost": exact(statistics.total_cost),
        "feedback_stats": feedback_stats(statistics.feedback),
    }


def _turn(
    writer: Writer, parts: RunParts, selects: frozenset[str], numbers: dict[UUID, int]
) -> dict[str, Any]:
    """Return a trace of a thread: its root under flat names, and always its id."""
    turn: dict[str, Any] = {"trace_id": parts.run.trace_id}
    for name in selects:
        field = FIELDS.get(OF_ROOT.get(name, name))
        if field is not None:
            turn[name.lower()] = field.value(writer, parts)
    if "TURN_NUMBER" in selects:
        turn["turn_number"] = numbers.get(parts.run.trace_id)
    return turn
