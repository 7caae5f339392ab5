"""The lists of runs that stand beside the trace list: all runs, and calls of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from collector.reads.errors import ReadTimeout
from collector.reads.runs import list_runs
from collector.reads.top import top_runs
from collector.reads.types import Page, RunSummary
from viewer.present.run_list import to_run_filter, view_run_list
from viewer.present.trace_list_query import TraceListQuery
from viewer.present.trace_rows import Pace
from viewer.views.overviews import find_run_overview, is_decided

PAGE_SIZE = 50
TOP_SIZE = 100


def find_runs(
    project_ids: Sequence[UUID], query: TraceListQuery, now: datetime
) -> Page[RunSummary] | None:
    """Return a page of the runs that a query asks for; None: the database took too long.

    Raises:
        BadCursor: the query's is not of this list.
    """
    filter_ = to_run_filter(query, now)
    try:
        if query.measure is not None and is_decided(query):
            return Page(top_runs(project_ids, filter_, query.measure, TOP_SIZE), None)
        return list_runs(
            project_ids,
            filter_,
            query.before or None,
            PAGE_SIZE,
            is_descending=query.sort != "oldest",
        )
    except ReadTimeout:
        return None


def run_list_context(
    project_ids: Sequence[UUID], query: TraceListQuery, now: datetime
) -> dict[str, Any]:
    """Return what the page of a list of runs shows.

    Raises:
        BadCursor: the query's is not of this list.
    """
    page = find_runs(project_ids, query, now)
    overview = find_run_overview(project_ids, query, now=now)
    pace = (
        Pace.of(overview.latency_p50_seconds, overview.latency_p95_seconds)
        if overview
        else Pace.of(None, None)
    )
    context: dict[str, Any] = {"page": page, "overview": overview}
    if page is not None:
        context["rows"] = view_run_list(page.items, pace, now=now)
        if page.next_cursor:
            context["older"] = replace(query, before=page.next_cursor).query_string()
    return context
