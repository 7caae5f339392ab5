"""The trace list of a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector.access import at_least, find_role
from collector.reads.answers import with_answers
from collector.reads.errors import BadCursor, ReadTimeout
from collector.reads.suggest import observed_values
from collector.reads.text_walk import find_index_lag
from collector.reads.top import top_traces
from collector.reads.trace_search import is_decided_by_rows
from collector.reads.traces import count_traces, get_trace, list_traces
from collector.reads.types import Page, TraceFilter, TraceOverview, TraceSummary
from collector.saved_views import list_saved_views
from viewer.preferences import reader_zone, remember_columns, remembered_columns
from viewer.present.suggestions import suggest
from viewer.present.trace_list import view_surroundings, view_table
from viewer.present.trace_list_query import MAX_TEXT, Chip, TraceListQuery
from viewer.present.trace_rows import Pace, view_rows
from viewer.rendering import HtmxRequest, page_or_partial, wants_partial
from viewer.scope import get_project
from viewer.views.overviews import find_overview, is_decided
from viewer.views.runs import run_list_context
from viewer.views.selection import REMOVER, WRITER

TEMPLATE, PARTIAL = "viewer/traces.html", "trace-list"
PAGE_SIZE = 50
TOP_SIZE = 100  # rows of a list that is sorted by a measure
MAX_AGAIN = 20  # rows of older pages that one request may ask for again


@require_safe
def trace_list(request: HtmxRequest, project: str) -> HttpResponse:
    """List traces, newest first; only the list where a script asks, with older rows again by `again=<id>`."""
    found = get_project(request, project)
    now, zone = timezone.now(), reader_zone(request)
    asked = TraceListQuery.parse(dict(request.GET.lists()), zone)
    query = _understood(request, asked, zone)
    project_ids = (found.id,)
    try:
        if query.of == "traces":
            own = _trace_context(request, project_ids, query, now)
        else:
            own = run_list_context(project_ids, query, now)
    except BadCursor:
        return HttpResponseRedirect(query.first_page().query_string())
    page = own["page"]
    if page is not None and not page.items and not _has_any(project_ids):
        return HttpResponseRedirect(reverse("project-setup", kwargs={"project": found.name}))
    role = find_role(request.user, found.workspace)
    context = {
        "project": found,
        "section": "traces",
        "query": query,
        "asked": asked,
        **view_surroundings(query, own["overview"], _oldest(page, query), now=now, zone=zone),
        **view_table(query, remembered_columns(request, query.of), may_sort=is_decided(query)),
        "may_write": at_least(role, WRITER),
        "saved_views": list_saved_views(found),
        "here": query.first_page().query_string(),
        "may_delete": at_least(role, REMOVER),
        **own,
    }
    if query.of == "traces" and page is not None and not page.items:
        context["suggestions"] = _suggestions(project_ids, query, now)
    response = page_or_partial(
        request, TEMPLATE, PARTIAL, context, status=200 if page is not None else 503
    )
    remember_columns(response, query)
    return response


def _trace_context(
    request: HtmxRequest, project_ids: Sequence[UUID], query: TraceListQuery, now: datetime
) -> dict[str, Any]:
    page = _find_traces(project_ids, query, now)
    overview = find_overview(project_ids, query, now=now, may_be_cached=wants_partial(request))
    # a search of payloads may take seconds: it is not asked again with every trace that comes
    context = {
        "page": page,
        "overview": overview,
        "lag": None if is_decided(query) else find_index_lag(project_ids),
        "is_live": is_decided(query) and not query.before and not query.sort,
        **_rows(request, project_ids, page, overview, now),
    }
    if page is not None and page.next_cursor:
        context["older"] = replace(query, before=page.next_cursor).query_string()
    return context


def _find_traces(
    project_ids: Sequence[UUID], query: TraceListQuery, now: datetime
) -> Page[TraceSummary] | None:
    filter_ = query.to_filter(now)
    try:
        if query.measure is not None and is_decided(query):
            return Page(top_traces(project_ids, filter_, query.measure, TOP_SIZE), None)
        return list_traces(
            project_ids,
            filter_,
            cursor=query.before or None,
            limit=PAGE_SIZE,
            is_descending=query.sort != "oldest",
        )
    except ReadTimeout:
        return None


def _understood(request: HtmxRequest, asked: TraceListQuery, zone: tzinfo) -> TraceListQuery:
    """Return what is listed: what is asked for, or with a search that nobody understands the list as it was."""
    if asked.fault is None:
        return asked
    before = parse_qs(urlsplit(request.htmx.current_url or "").query)
    was = TraceListQuery.parse(before, zone)
    return replace(asked, text="" if was.fault else was.text)


def _rows(
    request: HtmxRequest,
    project_ids: Sequence[UUID],
    page: Page[TraceSummary] | None,
    overview: TraceOverview | None,
    now: datetime,
) -> dict[str, Any]:
    if page is None:
        return {}
    pace = (
        Pace.of(overview.latency_p50_seconds, overview.latency_p95_seconds)
        if overview
        else Pace.of(None, None)
    )
    again = _asked_again(request, project_ids) if wants_partial(request) else []
    return {
        "rows": view_rows(with_answers(page.items), pace, now=now),
        "again": view_rows(with_answers(again), pace, now=now),
    }


def _asked_again(request: HtmxRequest, project_ids: Sequence[UUID]) -> list[TraceSummary]:
    """Return rows that are on the reader's page, below this one, and have changed."""
    found = []
    for text in request.GET.getlist("again")[:MAX_AGAIN]:
        try:
            trace = get_trace(project_ids, UUID(text))
        except ValueError:
            continue
        if trace is not None:
            found.append(trace)
    return found


def _oldest(page: Page[Any] | None, query: TraceListQuery) -> datetime | None:
    """Return since when all rows are on the page; a deeper page shows a window that no one edge can mark."""
    is_newest = not query.before and not query.sort
    oldest: datetime | None = (
        page.items[-1].start_time if page and page.items and is_newest else None
    )
    return oldest


def _has_any(project_ids: Sequence[UUID]) -> bool:
    return bool(list_traces(project_ids, TraceFilter(), limit=1).items)


def _suggestions(
    project_ids: Sequence[UUID], query: TraceListQuery, now: datetime
) -> list[tuple[Chip, str, int]]:
    """Return each filter to drop (the time range last), the way there, and how many traces that gives."""
    ways = list(query.each_dropped())
    if query.is_custom_range or query.range != "all":
        wider = query.with_range("all")
        ways.append((Chip("time", "", wider.query_string()), wider))
    found = []
    for chip, way in ways:
        if way.search is not None and not is_decided_by_rows(way.search):
            continue  # what would be counted is not what would be found
        try:
            count = count_traces(project_ids, way.to_filter(now)).total
        except ReadTimeout:
            continue
        if count:
            found.append((chip, chip.without, count))
    return found


@require_safe
def search_suggestions(request: HtmxRequest, project: str) -> HttpResponse:
    """Send what can stand at the caret of the search box: `q` is its text, `at` the place."""
    found = get_project(request, project)
    text = request.GET.get("q", "")[:MAX_TEXT]
    at = request.GET.get("at", "")
    caret = int(at) if at.isascii() and at.isdigit() and len(at) < 6 else len(text)

    def observe(field: str, part: str) -> list[tuple[str, int]]:
        try:
            return observed_values((found.id,), field, part)
        except ReadTimeout:
            return []

    suggestions = suggest(text, min(caret, len(text)), observe)
    return render(
        request, "viewer/components/_search_suggestions.html", {"suggestions": suggestions}
    )
