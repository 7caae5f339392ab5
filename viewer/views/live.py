"""Streams of news for pages that are open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import orjson
from django.db import close_old_connections
from django.http import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from collector.access import project_ids_for_user, projects_for_user
from collector.reads.live import HEARTBEAT_SECONDS, subscribe
from collector.reads.traces import list_traces
from collector.reads.types import TraceFilter, TraceSummary
from collector.sse import HEARTBEAT, format_event, until_too_old
from viewer.rendering import HtmxRequest
from viewer.scope import get_project
from viewer.sse import page_stream
from viewer.turns import turns

PACE_SECONDS = 0.25  # between two events: what changes in between is one event
LOOK_SECONDS = 1.0  # how often a connect page looks for a project that was just made


@require_safe
def trace_stream(request: HtmxRequest, project: str) -> HttpResponseBase:
    """Send the ids of traces that changed, as a JSON list; an empty one means: look at all again."""
    found = get_project(request, project)

    def events() -> Iterator[str]:
        with subscribe((found.id,)) as subscription:
            yield HEARTBEAT
            for _ in until_too_old():
                news = subscription.take(HEARTBEAT_SECONDS)
                if not news:
                    yield HEARTBEAT
                    continue
                turns.wait()
                news += subscription.take(0)
                ids = (
                    []
                    if any(item.trace_id is None for item in news)
                    else [str(item.trace_id) for item in news]
                )
                yield format_event("traces", orjson.dumps(ids).decode())
                time.sleep(PACE_SECONDS)

    return page_stream(events)


@require_safe
def connect_stream(request: HtmxRequest) -> HttpResponseBase:
    """Send the first trace that arrives in any project of the reader, be it one that is not there yet."""
    return _first_trace(request, lambda: project_ids_for_user(request.user))


@require_safe
def project_setup_stream(request: HtmxRequest, project: str) -> HttpResponseBase:
    """Send the first trace that arrives in a project."""
    project_ids = (get_project(request, project).id,)
    return _first_trace(request, lambda: project_ids)


def _first_trace(
    request: HtmxRequest, find_project_ids: Callable[[], Sequence[UUID]]
) -> HttpResponseBase:
    """Send one event for the newest trace, as soon as it is another than the one named by `after`."""
    after = request.GET.get("after", "")

    def events() -> Iterator[str]:
        with subscribe(find_project_ids()) as subscription:
            yield HEARTBEAT
            for _ in until_too_old():
                event = look()
                close_old_connections()
                yield (
                    event or HEARTBEAT
                )  # every time: a write is what tells that the reader has left
                if event:
                    return
                subscription.take(LOOK_SECONDS)

    def look() -> str:
        trace = newest_trace(find_project_ids())
        return _describe(request, trace) if trace and str(trace.id) != after else ""

    return page_stream(events)


def newest_trace(project_ids: Sequence[UUID]) -> TraceSummary | None:
    page = list_traces(project_ids, TraceFilter(), limit=1)
    return page.items[0] if page.items else None


def _describe(request: HtmxRequest, trace: TraceSummary) -> str:
    project = projects_for_user(request.user).get(id=trace.project_id)
    url = reverse("trace-detail", kwargs={"project": project.name, "trace_id": trace.id})
    fact = {"url": url, "name": trace.name, "project": project.name}
    return format_event("trace", orjson.dumps(fact).decode())
