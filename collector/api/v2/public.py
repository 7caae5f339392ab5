"""Shared runs in v2, for whoever has the token: no key."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from collector.api.parsing import parse_text
from collector.api.public import MAX_BODY_BYTES, NOTHING_SHARED, fill_shared_page, open_share
from collector.api.public_access import PublicView
from collector.api.responses import json_response
from collector.api.v2 import shapes
from collector.api.v2.base import Problems, answered_in_time, parse_selects
from collector.api.v2.fields import Writer, needed_fields
from collector.api.v2.traces import MAX_RUNS
from collector.reads.runs import run_cursor
from collector.reads.shared import find_shared_run, list_shared_runs


class SharedRunView(PublicView, Problems):
    """One open run."""

    @extend_schema(
        operation_id="read_shared_run_v2",
        tags=["v2"],
        auth=[],
        responses=shapes.Run,
        parameters=[shapes.SELECTS],
    )
    def get(self, request: Request, token: UUID, run_id: UUID) -> HttpResponse:
        shared = open_share(token)
        run = find_shared_run(shared, run_id)
        if run is None:
            raise NotFound(NOTHING_SHARED)
        selects = parse_selects(request.query_params.getlist("selects"))
        (parts,) = fill_shared_page(shared, [run], needed_fields(selects))
        return json_response(Writer(request).run(parts, selects))


class SharedRunQueryView(PublicView, Problems):
    """All open runs, oldest first."""

    @extend_schema(
        operation_id="query_shared_runs_v2",
        tags=["v2"],
        auth=[],
        request=shapes.SharedRunQuery,
        responses=shapes.RunPage,
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
        shared = open_share(token)
        body = self.read_object(request, MAX_BODY_BYTES)
        selects = parse_selects(body.get("selects"))
        cursor = parse_text("cursor", body.get("cursor"))
        with answered_in_time():
            page = list_shared_runs(shared, None, cursor, MAX_RUNS)
        found = list(fill_shared_page(shared, page.items, needed_fields(selects)))
        next_cursor = page.next_cursor
        if len(found) < len(page.items):
            next_cursor = run_cursor(page.items[len(found) - 1], is_descending=False)
        items = [Writer(request).run(parts, selects) for parts in found]
        return json_response({"items": items, "next_cursor": next_cursor})
