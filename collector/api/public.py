"""Shared runs, for whoever has the token: no key, the shared run and all below it, nothing else (protocol 5.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request

from collector.api import shapes
from collector.api.attachments import attachment_urls
from collector.api.feedback_fields import serialize_feedback
from collector.api.feedback_shapes import Feedback
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import parse_text, parse_uuids
from collector.api.public_access import PublicView
from collector.api.rendering import dump_json
from collector.api.responses import json_response
from collector.api.run_parts import fill_page
from collector.api.runs import QueryTooBroad
from collector.api.serializers import RunParts, serialize_run
from collector.api.share_shapes import SharedRunQuery
from collector.models import SharedRun
from collector.reads.errors import BadCursor, ReadTimeout
from collector.reads.feedback import FeedbackFilter, search_feedback
from collector.reads.lineage import Lineage
from collector.reads.runs import run_cursor
from collector.reads.shared import (
    SEGMENT_SEPARATOR,
    below_top,
    find_shared_run,
    list_shared_runs,
    shared_run_ids,
)
from collector.reads.types import RunSummary
from collector.sharing import find_shared

MAX_BODY_BYTES = 64 << 10
NOTHING_SHARED = "Nothing is shared by this link."


class SharedRunView(PublicView):
    """One open run."""

    @extend_schema(operation_id="read_shared_run", tags=["sharing"], auth=[], responses=shapes.Run)
    def get(self, request: Request, token: UUID, run_id: UUID | None = None) -> HttpResponse:
        """Return the shared run, or, by its id, one below it."""
        shared = open_share(token)
        run = find_shared_run(shared, run_id or shared.run_id)
        if run is None:
            raise NotFound(NOTHING_SHARED)
        (serialized,) = serialize_shared_runs(shared, [run])
        return json_response(serialized)


class SharedRunQueryView(PublicView):
    """The open runs, oldest first, page by page."""

    @extend_schema(
        operation_id="query_shared_runs",
        tags=["sharing"],
        auth=[],
        request=SharedRunQuery,
        responses=shapes.RunPage,
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
        shared = open_share(token)
        body = self.read_object(request, MAX_BODY_BYTES)
        try:
            page = list_shared_runs(
                shared,
                parse_uuids("id", body.get("id")),
                parse_text("cursor", body.get("cursor")),
                parse_limit(body.get("limit")),
            )
        except BadCursor as error:
            raise ParseError("cursor: it was not given out for this query.") from error
        except ReadTimeout as error:
            raise QueryTooBroad from error
        runs = serialize_shared_runs(shared, page.items)
        next_cursor = page.next_cursor
        if len(runs) < len(page.items):
            next_cursor = run_cursor(page.items[len(runs) - 1], is_descending=False)
        return json_response({"runs": runs, "cursors": {"next": next_cursor, "prev": None}})


class SharedFeedbackView(PublicView):
    """Feedback on the open runs, newest first."""

    @extend_schema(
        operation_id="list_shared_feedback",
        tags=["sharing"],
        auth=[],
        responses=Feedback(many=True),
        parameters=[
            OpenApiParameter("run", str, many=True),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
        ],
    )
    def get(self, request: Request, token: UUID) -> HttpResponse:
        shared = open_share(token)
        params = request.query_params
        open_ids = shared_run_ids(shared)
        wanted = parse_uuids("run", params.getlist("run") or None)
        found = search_feedback(
            [shared.project_id],
            FeedbackFilter(run_ids=tuple(open_ids & set(wanted) if wanted else open_ids)),
            parse_limit(params.get("limit")),
            parse_offset(params.get("offset")),
        )
        text = dump_json([serialize_feedback(feedback) for feedback in found])
        return HttpResponse(text, content_type="application/json")


def open_share(token: UUID) -> SharedRun:
    """Return what a token opens.

    Raises:
        NotFound: nothing, or not any more: both are answered alike.
    """
    shared = find_shared(token)
    if shared is None:
        raise NotFound(NOTHING_SHARED)
    return shared


def serialize_shared_runs(shared: SharedRun, runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return the Run objects, as if the shared run were the root of a trace: what lies above it stays hidden."""
    return [serialize_run(parts, None) for parts in fill_shared_page(shared, runs, None)]


def fill_shared_page(
    shared: SharedRun, runs: Sequence[RunSummary], selected: frozenset[str] | None
) -> Iterator[RunParts]:
    """Yield the runs with what was selected (None: everything), until they fill a page: see `fill_page`."""
    urls = attachment_urls(runs, shared.token) if selected is None or "s3_urls" in selected else {}
    for parts in fill_page(runs, selected):
        run, lineage = parts.run, parts.lineage
        parents = lineage.parent_run_ids
        depth = parents.index(shared.run_id) if shared.run_id in parents else len(parents)
        segments = lineage.dotted_order.split(SEGMENT_SEPARATOR)
        yield replace(
            parts,
            run=below_top(run, shared.run_id),
            lineage=Lineage(parents[depth:], SEGMENT_SEPARATOR.join(segments[depth:])),
            path=f"/public/{shared.token}/r?run={run.id}",
            share_token=shared.token,
            files=urls.get((run.project_id, run.id)),
        )
