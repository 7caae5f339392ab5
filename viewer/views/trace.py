"""One trace: its tree or waterfall, and the run that is selected in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector.access import may
from collector.attachments import attachment_path
from collector.reads import runs, traces
from collector.reads.costs import explain_cost
from collector.reads.errors import ReadTimeout
from collector.reads.live import HEARTBEAT_SECONDS, subscribe
from collector.reads.peers import find_standing
from collector.reads.types import RunDetail, TraceTree
from collector.sse import HEARTBEAT, format_event, until_too_old
from viewer.present.copy_as import FORMS as COPY_FORMS
from viewer.present.copy_as import copy_as, openai_messages
from viewer.present.cost import view_cost
from viewer.present.files import view_files
from viewer.present.raw import raw_field, to_json, to_text
from viewer.present.run_body import view_run_body
from viewer.present.run_head import describe_standing, view_run_head
from viewer.present.trace_conversation import (
    MAX_CALLS,
    TraceConversation,
    model_calls,
    view_trace_conversation,
)
from viewer.present.trace_query import TraceQuery
from viewer.present.trace_view import view_trace
from viewer.rendering import HtmxRequest, page_or_partial, wants_partial
from viewer.scope import get_project
from viewer.sse import page_stream
from viewer.turns import turns
from viewer.views.feedback import KEEPER_ROLE

if TYPE_CHECKING:
    from collector.models import Project

TEMPLATE = "viewer/trace.html"
PANE, LIVE = "run-pane", "trace-live"  # the partials, and what htmx says it will replace


@require_safe
def trace_detail(request: HtmxRequest, project: str, trace_id: UUID) -> HttpResponse:
    """Show a trace; of it only the pane of a run, or only the tree, where a script asks for that."""
    found = get_project(request, project)
    query, now = TraceQuery.parse(request.GET.dict()), timezone.now()
    try:
        tree = traces.get_tree((found.id,), trace_id, limit=query.rows)
    except ReadTimeout:
        return render(
            request, "viewer/trace_slow.html", {"project": found, "section": "traces"}, status=503
        )
    if tree is None:
        raise Http404(f"The project “{found.name}” has no trace {trace_id}.")
    part = LIVE if request.htmx.target == LIVE else PANE
    is_page = not wants_partial(request)
    selected = query.run or (tree.nodes[0].run.id if tree.nodes else None)
    context: dict[str, Any] = {
        "project": found,
        "section": "traces",
        "tree": tree,
        "trace": tree.trace,
        "query": query,
    }
    if is_page or part == LIVE:
        sprite = static("viewer/icons.svg")
        context["view"] = view_trace(tree, query, selected=selected, now=now, sprite=sprite)
        context["conversation"] = read_conversation(tree, query)
    if is_page or part == PANE:
        detail = _find_run(found, tree, selected)
        context |= _pane(found, tree, detail, query, now) if detail else {}
        context["may_judge"] = query.tab == "feedback" and may(
            request.user, KEEPER_ROLE, found.workspace
        )
        is_missing = detail is None
    else:
        is_missing = False
    return page_or_partial(request, TEMPLATE, part, context, status=404 if is_missing else 200)


@require_safe
def run_raw(request: HtmxRequest, project: str, trace_id: UUID, run_id: UUID) -> HttpResponse:
    """Send a run, or one field of it, as it was received: `field`, `form=text` for its words, `download`."""
    found = get_project(request, project)
    detail = runs.get_run((found.id,), run_id)
    if detail is None or detail.run.trace_id != trace_id:
        raise Http404(f"Trace {trace_id} has no run {run_id}.")
    return raw_response(request, detail)


def raw_response(request: HtmxRequest, detail: RunDetail) -> HttpResponse:
    """Return a run, or the field of it that is asked for, as it was received.

    Raises:
        Http404: a run has no such field.
    """
    form = request.GET.get("form", "")
    if form in COPY_FORMS:
        words = copy_as(detail, form)
        if words is None:
            raise Http404("This run was given no messages.")
        return HttpResponse(
            words.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8"
        )
    field = request.GET.get("field", "")
    try:
        value = raw_field(detail, field)
    except KeyError:
        raise Http404("A run has no field of that name.") from None
    text = to_text(value) if form == "text" else None
    if text is not None:
        return HttpResponse(
            text.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8"
        )
    is_download = "download" in request.GET
    exact = detail.raw.get(field) if is_download else None
    response = HttpResponse(exact or to_json(value), content_type="application/json; charset=utf-8")
    if is_download:
        name = f"run-{detail.run.id}{f'-{field}' if field else ''}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def trace_detail_stream(request: HtmxRequest, project: str, trace_id: UUID) -> HttpResponseBase:
    """Tell a page that its trace changed, never what: the page asks for what it shows."""
    found = get_project(request, project)
    if traces.get_trace((found.id,), trace_id) is None:
        raise Http404(f"The project “{found.name}” has no trace {trace_id}.")

    def events() -> Iterator[str]:
        with subscribe((found.id,), trace_id) as subscription:
            yield HEARTBEAT
            for _ in until_too_old():
                if not subscription.take(HEARTBEAT_SECONDS):
                    yield HEARTBEAT
                    continue
                turns.wait()
                subscription.take(0)  # what came meanwhile is the same news
                yield format_event("changed", "")

    return page_stream(events)


def read_conversation(tree: TraceTree, query: TraceQuery) -> TraceConversation | None:
    """Return what was said in a trace, where the page shows that."""
    if query.view != "chat":
        return None
    calls = model_calls(tree)[:MAX_CALLS] or [node.run for node in tree.nodes[:1]]
    return view_trace_conversation(tree, runs.iterate_details(calls), query)


def _find_run(project: Project, tree: TraceTree, run_id: UUID | None) -> RunDetail | None:
    detail = runs.get_run((project.id,), run_id, tree.trace.day) if run_id else None
    return detail if detail and detail.run.trace_id == tree.trace.id else None


def _pane(
    project: Project, tree: TraceTree, detail: RunDetail, query: TraceQuery, now: datetime
) -> dict[str, Any]:
    where = {"project": project.name, "trace_id": tree.trace.id, "run_id": detail.run.id}
    return {
        "detail": detail,
        "head": view_run_head(detail, tree, query, now=now),
        "body": view_run_body(detail, tree, query),
        "cost": view_cost(explain_cost((project.id,), detail.run)) if query.tab == "run" else None,
        "standing": describe_standing(detail.run, find_standing(detail.run)),
        "copies": bool(openai_messages(detail.inputs)),
        "raw_url": reverse("run-raw", kwargs=where),
        "files": view_files(detail.attachments, partial(attachment_path, detail.run)),
    }
