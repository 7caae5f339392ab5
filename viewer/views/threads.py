"""The threads of a project, and one thread with its turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector.reads.errors import BadCursor, ReadTimeout
from collector.reads.runs import get_run
from collector.reads.threads import find_thread, list_threads, number_turns
from collector.reads.traces import list_traces
from collector.reads.types import RunFilter, TraceFilter, TraceSummary
from viewer.preferences import reader_zone
from viewer.present.budget import Budget
from viewer.present.thread_turns import TurnView, messages_of_run, view_turn
from viewer.present.trace_list import view_ranges
from viewer.present.trace_list_query import TraceListQuery
from viewer.present.transcript import format_day, write_facts, write_heading, write_messages
from viewer.rendering import HtmxRequest, page_or_partial
from viewer.scope import get_project

PAGE_SIZE = 50
MAX_DOWNLOADED = 500  # turns of one file
TURNS = 20  # of one page: each is read with its payload


@require_safe
def thread_list(request: HtmxRequest, project: str) -> HttpResponse:
    """List threads, the one with the newest turn first. The query string: `range` and `before`."""
    found = get_project(request, project)
    asked = TraceListQuery.parse(dict(request.GET.lists()), reader_zone(request))
    query = TraceListQuery(range=asked.range, before=asked.before)
    times = query.to_filter(timezone.now())
    filter_ = RunFilter(start_from=times.start_from, start_to=times.start_to)
    try:
        page = list_threads((found.id,), filter_, query.before or None, PAGE_SIZE)
    except BadCursor:
        return HttpResponseRedirect(query.first_page().query_string())
    except ReadTimeout:
        page = None
    context = {
        "project": found,
        "section": "threads",
        "query": query,
        "ranges": view_ranges(query),
        "page": page,
    }
    if page is not None and page.next_cursor:
        context["older"] = replace(query, before=page.next_cursor).query_string()
    status = 200 if page is not None else 503
    return page_or_partial(request, "viewer/threads.html", "thread-list", context, status=status)


@require_safe
def thread_detail(request: HtmxRequest, project: str, thread: str) -> HttpResponse:
    """Show a thread's newest turns, or with `before` those before them."""
    found = get_project(request, project)
    try:
        context = _read_thread((found.id,), thread, request.GET.get("before"))
    except BadCursor:
        return HttpResponseRedirect(request.path)
    except ReadTimeout:
        context = {}
    return render(
        request,
        "viewer/thread.html",
        {"project": found, "section": "threads", "thread_id": thread, **context},
        status=200 if context else 503,
    )


def _read_thread(
    project_ids: Sequence[UUID], thread_id: str, before: str | None
) -> dict[str, object]:
    thread = find_thread(project_ids, thread_id, RunFilter())
    if thread is None:
        raise Http404(f"This project has no thread “{thread_id[:80]}”.")
    page = list_traces(project_ids, TraceFilter(thread_id=thread_id), before or None, TURNS)
    numbers = number_turns(project_ids, thread_id)
    budget = Budget()
    turns = [_read_turn(project_ids, trace, numbers, budget) for trace in reversed(page.items)]
    return {"thread": thread, "turns": turns, "page": page, "is_newest": not before}


def _read_turn(
    project_ids: Sequence[UUID], trace: TraceSummary, numbers: dict[UUID, int], budget: Budget
) -> TurnView:
    root = get_run(project_ids, trace.id, trace.day) if trace.has_root else None
    return view_turn(numbers.get(trace.id, 0), trace, root, budget)


@require_safe
def download_thread(request: HtmxRequest, project: str, thread: str) -> StreamingHttpResponse:
    """Send what was said in a thread, oldest turn first, as Markdown."""
    found = get_project(request, project)
    filter_ = TraceFilter(thread_id=thread)
    page = list_traces((found.id,), filter_, None, MAX_DOWNLOADED, is_descending=False)
    if not page.items:
        raise Http404(f"This project has no thread “{thread[:80]}”.")
    pieces = _markdown((found.id,), thread, page.items, has_more=page.next_cursor is not None)
    response = StreamingHttpResponse(
        (piece.encode("utf-8", "replace") for piece in pieces),
        content_type="text/markdown; charset=utf-8",
    )
    response["Content-Disposition"] = 'attachment; filename="thread.md"'
    return response


def _markdown(
    project_ids: Sequence[UUID], thread: str, traces: Sequence[TraceSummary], *, has_more: bool
) -> Iterator[str]:
    yield write_heading(1, f"Thread {thread}")
    for number, trace in enumerate(traces, start=1):
        yield write_heading(2, f"Turn {number}, {format_day(trace.start_time)}")
        root = get_run(project_ids, trace.id, trace.day) if trace.has_root else None
        if root is not None:
            yield from write_messages(messages_of_run(root))
        if trace.error:
            yield write_facts([("Error", trace.error)])
    if has_more:
        yield f"*Later turns are left out: a file has {MAX_DOWNLOADED:,} at most.*\n"
