"""Reading runs: `POST /runs/query` and `GET /runs/{id}` (LangSmith protocol 5.1, 5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.access import project_ids_for_key
from collector.api import shapes
from collector.api.filters import parse_filter_text
from collector.api.pagination import parse_limit
from collector.api.parsing import (
    AnyJSONParser,
    parse_bool,
    parse_text,
    parse_time,
    parse_uuid,
    parse_uuids,
)
from collector.api.responses import json_response
from collector.api.run_parts import fill_page
from collector.api.serializers import serialize_run
from collector.auth import key_auth
from collector.query.tree import And, Compare, Expression, both
from collector.reads import runs as reads
from collector.reads.children import find_few_children
from collector.reads.errors import BadCursor, ReadTimeout
from collector.reads.types import RunFilter

DETAILS = {
    "prompt_tokens": "prompt_token_details",
    "completion_tokens": "completion_token_details",
    "prompt_cost": "prompt_cost_details",
    "completion_cost": "completion_cost_details",
}
# The SDKs take an empty page for the last one, so a rare filter is given long to find something.
QUERY_SECONDS = 8.0


class QueryTooBroad(APIException):
    """Answered as 400: clients repeat what failed with 5xx, and it would take as long again."""

    status_code = 400
    default_detail = (
        "The query took too long. Narrow it: give a start_time, fewer projects, or another filter."
    )
    default_code = "query_too_broad"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What a client asks for, checked."""

    project_ids: tuple[UUID, ...]
    filter: RunFilter
    selected: frozenset[str] | None
    is_descending: bool
    limit: int
    cursor: str | None


class RunQueryView(APIView):
    """Runs that match a query, page by page."""

    parser_classes = [AnyJSONParser]
    required_scope = "read"

    @extend_schema(
        operation_id="query_runs", request=shapes.RunQuery, responses=shapes.RunPage, tags=["runs"]
    )
    def post(self, request: Request) -> HttpResponse:
        query = parse_run_query(request)
        try:
            page = reads.list_runs(
                query.project_ids,
                query.filter,
                query.cursor,
                query.limit,
                is_descending=query.is_descending,
                budget_seconds=QUERY_SECONDS,
            )
        except BadCursor as error:
            raise ParseError("cursor: it was not given out for this query.") from error
        except ReadTimeout as error:
            raise QueryTooBroad from error
        if page.scanned_to is not None and not page.items:
            raise QueryTooBroad
        visible = partial(project_ids_for_key, key_auth(request))
        found = list(fill_page(page.items, query.selected, visible))
        next_cursor = page.next_cursor
        if len(found) < len(page.items):
            next_cursor = reads.run_cursor(found[-1].run, is_descending=query.is_descending)
        return json_response(
            {
                "runs": [serialize_run(parts, query.selected) for parts in found],
                "cursors": {"next": next_cursor, "prev": None},
                "parsed_query": None,
            }
        )


class RunView(APIView):
    """One run."""

    required_scope = "read"

    @extend_schema(operation_id="read_run", responses=shapes.Run, tags=["runs"])
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        wanted = parse_uuids("session_id", request.query_params.getlist("session_id") or None)
        start_time = parse_time("start_time", request.query_params.get("start_time"))
        run = reads.find_run(
            project_ids_for_key(key_auth(request), wanted),
            run_id,
            start_time.date() if start_time else None,
        )
        if run is None:
            raise NotFound(f"There is no run {run_id}, or it is not stored yet.")
        (parts,) = fill_page([run], None, partial(project_ids_for_key, key_auth(request)))
        # npm's langsmith 0.1 loads a run's tree by these ids
        return json_response(serialize_run(replace(parts, children=find_few_children(run)), None))


def parse_run_query(request: Request) -> RunQuery:
    """Return the checked query.

    Raises:
        ParseError: a field is not what it must be.
        InvalidFilter: one of the filters is none.
    """
    body = cast("Mapping[str, Any]", request.data)
    wanted = parse_uuids("session", body.get("session"))
    filter_ = _run_filter(body)
    if not wanted and not (filter_.ids or filter_.trace_id or filter_.parent_run_id):
        raise ParseError("session, id, trace or parent_run: at least one is needed.")
    select = body.get("select")
    if select is not None and not isinstance(select, list):
        raise ParseError("select: a list of field names is needed.")
    return RunQuery(
        project_ids=project_ids_for_key(key_auth(request), wanted or None),
        filter=filter_,
        selected=_with_details(map(str, select)) if select else None,
        is_descending=parse_text("order", body.get("order")) != "asc",
        limit=parse_limit(body.get("limit")),
        cursor=parse_text("cursor", body.get("cursor")),
    )


def _with_details(selected: Iterable[str]) -> frozenset[str]:
    """Add the details of the counts and costs that are asked for: the SDKs parse them, but do not ask."""
    names = set(selected)
    return frozenset(names | {DETAILS[name] for name in names & DETAILS.keys()})


def _run_filter(body: Mapping[str, Any]) -> RunFilter:
    for name in ("query", "search_filter"):
        if body.get(name):
            raise ParseError(
                f'{name}: words of a natural language are not understood; write filter: search("…").',
                "unsupported_filter",
            )
    return RunFilter(
        ids=parse_uuids("id", body.get("id")) or (),
        trace_id=parse_uuid("trace", body.get("trace")),
        parent_run_id=parse_uuid("parent_run", body.get("parent_run")),
        reference_example_ids=parse_uuids("reference_example", body.get("reference_example")) or (),
        start_from=parse_time("start_time", body.get("start_time")),
        start_to=parse_time("end_time", body.get("end_time")),
        expression=both(_field_tests(body), _filter("filter", body)),
        root_expression=_filter("trace_filter", body),
        tree_expression=_filter("tree_filter", body),
    )


def _filter(name: str, body: Mapping[str, Any]) -> Expression | None:
    return parse_filter_text(name, parse_text(name, body.get(name)))


def _field_tests(body: Mapping[str, Any]) -> Expression | None:
    """Return what the fields of the body beside the filters ask for."""
    tests: list[Expression] = []
    is_root = parse_bool("is_root", body.get("is_root"))
    if is_root is None and body.get("execution_order") == 1:
        is_root = True  # how old scripts ask for roots
    if is_root is not None:
        tests.append(Compare("is_root", "eq", is_root))
    has_error = parse_bool("error", body.get("error"))
    if has_error is not None:
        tests.append(Compare("error", "eq", has_error))
    run_type = parse_text("run_type", body.get("run_type"))
    if run_type is not None:
        tests.append(Compare("run_type", "eq", run_type))
    return And(tuple(tests)) if tests else None
