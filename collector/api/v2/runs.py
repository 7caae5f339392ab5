"""Runs in v2: lists, one run, its page's address, sharing."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request

from collector.access import project_ids_for_key
from collector.api.pagination import parse_limit
from collector.api.parsing import parse_bool, parse_text, parse_time, parse_uuid, parse_uuids
from collector.api.responses import json_response
from collector.api.run_parts import fill_page
from collector.api.runs import QUERY_SECONDS, QueryTooBroad
from collector.api.v2 import shapes
from collector.api.v2.base import (
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
from collector.api.v2.fields import Writer, needed_fields, public_url
from collector.auth import key_auth
from collector.query.tree import And, Compare, Expression, both
from collector.reads import runs as reads
from collector.reads.types import Page, RunFilter, RunSummary
from collector.sharing import NoSuchRun, share_run, unshare_run

MAX_PAGE = 1_000
UNSUPPORTED = (
    *("ai_search", "sem_filter", "reference_dataset_id"),
    *("min_feedback_modified_at", "max_feedback_modified_at"),
)


class RunQueryView(V2View):
    """Runs that match, newest first, page by page."""

    @extend_schema(
        operation_id="query_runs_v2",
        tags=["v2"],
        request=shapes.RunQuery,
        responses=shapes.RunPage,
    )
    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        wanted = parse_uuids("project_ids", body.get("project_ids"))
        if not wanted:
            raise ParseError("project_ids: at least one is needed.")
        refuse(body, UNSUPPORTED)
        page = list_page(
            project_ids_for_key(key_auth(request), wanted),
            _filter(body),
            body,
            parse_limit(body.get("page_size"), maximum=MAX_PAGE),
        )
        writer = Writer(
            request,
            parse_bool("include_subtree_usage", body.get("include_subtree_usage")) is True,
        )
        items, next_cursor = write_page(writer, page, parse_selects(body.get("selects")))
        return json_response({"items": items, "next_cursor": next_cursor})


class RunView(V2View):
    """One run of a project."""

    @extend_schema(
        operation_id="read_run_v2",
        tags=["v2"],
        responses=shapes.Run,
        parameters=[
            OpenApiParameter("project_id", UUID, required=True),
            OpenApiParameter("start_time", str, description="Of the run: it is found faster"),
            shapes.SELECTS,
        ],
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        params = request.query_params
        project_id = find_project_id(request, params)
        start_time = parse_time("start_time", params.get("start_time"))
        run = reads.find_run([project_id], run_id, start_time.date() if start_time else None)
        if run is None:
            raise NotFound(f"There is no run {run_id}, or it is not stored yet.")
        selects = parse_selects(params.getlist("selects"))
        items, _ = write_page(Writer(request), Page((run,), None), selects)
        return json_response(items[0])


class RunUrlView(V2View):
    """Where a run's page is. The run need not be stored yet."""

    @extend_schema(
        operation_id="run_url_v2",
        tags=["v2"],
        responses=shapes.RunUrl,
        parameters=[
            OpenApiParameter("project_id", UUID, required=True),
            OpenApiParameter("trace_id", UUID),
        ],
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        params = request.query_params
        project_id = find_project_id(request, params)
        trace_id = parse_uuid("trace_id", params.get("trace_id"))
        path = f"/o/{key_auth(request).workspace_id}/projects/p/{project_id}/r/{run_id}"
        return json_response(
            {"url": public_url(f"{path}?trace_id={trace_id}" if trace_id else path)}
        )


class ShareView(V2View):
    """Shares whole traces, and ends that."""

    required_scope = "ingest"

    @extend_schema(
        operation_id="share_run_v2", tags=["v2"], request=shapes.ShareRun, responses=shapes.Share
    )
    def post(self, request: Request, run_id: UUID) -> HttpResponse:
        """Let whoever has the token read the trace of the run. One that is shared keeps its token."""
        body = body_of(request)
        project_id = find_project_id(request, body, "session_id")
        trace_id = parse_uuid("trace_id", body.get("trace_id"))
        try:
            shared = share_run([project_id], trace_id or run_id)
        except NoSuchRun as error:
            raise NotFound(
                f"There is no trace of run {run_id}, or it is not stored yet."
            ) from error
        return json_response({"share_token": shared.token})

    @extend_schema(
        operation_id="unshare_run_v2",
        tags=["v2"],
        request=shapes.UnshareRun,
        responses={204: None},
    )
    def delete(self, request: Request, run_id: UUID) -> HttpResponse:
        """End the share at once. What is not shared stays so."""
        unshare_run([find_project_id(request, body_of(request), "session_id")], run_id)
        return HttpResponse(status=204)


def list_page(
    project_ids: tuple[UUID, ...],
    filter_: RunFilter,
    params: Params,
    limit: int,
    *,
    is_descending: bool = True,
) -> Page[RunSummary]:
    """Return the page of runs behind the cursor in `params`.

    Raises:
        ParseError: the cursor is not of this list.
        QueryTooBroad
    """
    with answered_in_time():
        page = reads.list_runs(
            project_ids,
            filter_,
            parse_text("cursor", params.get("cursor")),
            limit,
            is_descending=is_descending,
            budget_seconds=QUERY_SECONDS,
        )
    if page.scanned_to is not None and not page.items:
        raise QueryTooBroad
    return page


def write_page(
    writer: Writer,
    page: Page[RunSummary],
    selects: frozenset[str],
    *,
    is_descending: bool = True,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the Run objects, as many as fill a page, and the cursor behind them."""
    visible = partial(project_ids_for_key, key_auth(writer.request))
    found = list(fill_page(page.items, needed_fields(selects), visible))
    next_cursor = page.next_cursor
    if len(found) < len(page.items):
        next_cursor = reads.run_cursor(found[-1].run, is_descending=is_descending)
    return [writer.run(parts, selects) for parts in found], next_cursor


def _filter(body: Params) -> RunFilter:
    begin, end = parse_start_range(body)
    return RunFilter(
        ids=parse_uuids("ids", body.get("ids")) or (),
        trace_id=parse_uuid("trace_id", body.get("trace_id")),
        reference_example_ids=parse_uuids("reference_examples", body.get("reference_examples"))
        or (),
        start_from=begin,
        start_to=end,
        expression=both(_field_tests(body), parse_expression(body, "filter")),
        root_expression=parse_expression(body, "trace_filter"),
        tree_expression=parse_expression(body, "tree_filter"),
    )


def _field_tests(body: Params) -> Expression | None:
    """Return what the fields beside the filters ask for."""
    tests: list[Expression] = []
    for name, field in (("is_root", "is_root"), ("has_error", "error")):
        value = parse_bool(name, body.get(name))
        if value is not None:
            tests.append(Compare(field, "eq", value))
    run_type = parse_text("run_type", body.get("run_type"))
    if run_type is not None:
        tests.append(Compare("run_type", "eq", run_type.lower()))
    return And(tuple(tests)) if tests else None
