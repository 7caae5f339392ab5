"""Traces in v2: lists of them by their roots, and the runs of one."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from collector.access import project_ids_for_key
from collector.api.pagination import parse_limit
from collector.api.parsing import parse_time, parse_uuids
from collector.api.responses import json_response
from collector.api.run_parts import fill_page
from collector.api.serializers import RunParts
from collector.api.v2 import shapes
from collector.api.v2.base import (
    IS_ROOT,
    V2View,
    body_of,
    find_project_id,
    parse_expression,
    parse_selects,
    parse_start_range,
    refuse,
)
from collector.api.v2.fields import AGGREGATES, Writer, needed_fields
from collector.api.v2.runs import UNSUPPORTED, list_page, write_page
from collector.auth import key_auth
from collector.query.tree import both
from collector.reads.runs import run_cursor
from collector.reads.traces import get_trace
from collector.reads.types import RunFilter

DEFAULT_PAGE = 20
MAX_RUNS = 10_000  # of one trace at once; the cursor goes on


class TraceQueryView(V2View):
    """Traces whose root matches, newest first, page by page."""

    @extend_schema(
        operation_id="query_traces_v2",
        tags=["v2"],
        request=shapes.TraceQuery,
        responses=shapes.TracePage,
    )
    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        refuse(body, UNSUPPORTED)
        begin, end = parse_start_range(body)
        filter_ = RunFilter(
            ids=parse_uuids("trace_ids", body.get("trace_ids")) or (),
            start_from=begin,
            start_to=end,
            expression=both(IS_ROOT, parse_expression(body, "trace_filter")),
            tree_expression=parse_expression(body, "tree_filter"),
        )
        limit = parse_limit(body.get("page_size"), default=DEFAULT_PAGE)
        page = list_page((find_project_id(request, body),), filter_, body, limit)
        selects = parse_selects(body.get("selects"))
        visible = partial(project_ids_for_key, key_auth(request))
        found = list(fill_page(page.items, needed_fields(selects), visible))
        next_cursor = page.next_cursor
        if len(found) < len(page.items):
            next_cursor = run_cursor(found[-1].run)
        items = [_trace(Writer(request), parts, selects) for parts in found]
        return json_response({"items": items, "next_cursor": next_cursor})


class TraceRunsView(V2View):
    """All runs of one trace, oldest first."""

    @extend_schema(
        operation_id="list_trace_runs_v2",
        tags=["v2"],
        responses=shapes.RunPage,
        parameters=[
            OpenApiParameter("project_id", UUID, required=True),
            OpenApiParameter("filter", str),
            OpenApiParameter("min_start_time", str),
            OpenApiParameter("max_start_time", str),
            OpenApiParameter("cursor", str, description="Where a very large trace goes on"),
            shapes.SELECTS,
        ],
    )
    def get(self, request: Request, trace_id: UUID) -> HttpResponse:
        params = request.query_params
        project_id = find_project_id(request, params)
        if get_trace([project_id], trace_id) is None:
            raise NotFound(f"There is no trace {trace_id}, or it is not stored yet.")
        filter_ = RunFilter(
            trace_id=trace_id,
            start_from=parse_time("min_start_time", params.get("min_start_time")),
            start_to=parse_time("max_start_time", params.get("max_start_time")),
            expression=parse_expression(params, "filter"),
        )
        page = list_page((project_id,), filter_, params, MAX_RUNS, is_descending=False)
        selects = parse_selects(params.getlist("selects"))
        items, next_cursor = write_page(Writer(request), page, selects, is_descending=False)
        return json_response({"items": items, "next_cursor": next_cursor})


def _trace(writer: Writer, parts: RunParts, selects: frozenset[str]) -> dict[str, Any]:
    """Return a trace: the root's fields, and those that are of all its runs apart."""
    trace: dict[str, Any] = {"root_run": writer.run(parts, selects - AGGREGATES.keys())}
    wanted = [name for name in AGGREGATES if name in selects]
    if wanted:
        trace["trace_aggregates"] = {name.lower(): AGGREGATES[name](parts) for name in wanted}
    return trace
