"""One trace: its tree or waterfall, and the run that is selected in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector.access import find_project
from collector.models import Project
from collector.reads import runs, traces
from collector.reads.types import RunDetail, TraceTree
from viewer.present.raw import raw_field, to_json, to_text
from viewer.present.run_body import view_run_body
from viewer.present.run_head import view_run_head
from viewer.present.trace_query import TraceQuery
from viewer.present.trace_view import view_trace
from viewer.rendering import HtmxRequest, page_or_partial, wants_partial

TEMPLATE = "viewer/trace.html"
PANE, LIVE = "run-pane", "trace-live"  # the partials, and what htmx says it will replace


@require_safe
def trace_detail(request: HtmxRequest, project: str, trace_id: UUID) -> HttpResponse:
    """Show a trace; of it only the pane of a run, or only the tree, where a script asks for that."""
    found = _get_project(request, project)
    query, now = TraceQuery.parse(request.GET.dict()), timezone.now()
    tree = traces.get_tree((found.id,), trace_id, limit=query.rows)
    if tree is None:
        raise Http404(f"Project {found.name} has no trace {trace_id}.")
    partial = LIVE if request.htmx.target == LIVE else PANE
    is_page = not wants_partial(request)
    selected = query.run or (tree.nodes[0].run.id if tree.nodes else None)
    context: dict[str, Any] = {
        "project": found,
        "section": "traces",
        "tree": tree,
        "trace": tree.trace,
        "query": query,
    }
    if is_page or partial == LIVE:
        sprite = static("viewer/icons.svg")
        context["view"] = view_trace(tree, query, selected=selected, now=now, sprite=sprite)
    if is_page or partial == PANE:
        detail = _find_run(found, tree, selected)
        context |= _pane(found, tree, detail, query, now) if detail else {}
        is_missing = detail is None
    else:
        is_missing = False
    return page_or_partial(request, TEMPLATE, partial, context, status=404 if is_missing else 200)


@require_safe
def run_raw(request: HtmxRequest, project: str, trace_id: UUID, run_id: UUID) -> HttpResponse:
    """Send a run, or one field of it, as it was received: `field`, `form=text` for its words, `download`."""
    found = _get_project(request, project)
    detail = runs.get_run((found.id,), run_id)
    if detail is None or detail.run.trace_id != trace_id:
        raise Http404(f"Trace {trace_id} has no run {run_id}.")
    field = request.GET.get("field", "")
    try:
        value = raw_field(detail, field)
    except KeyError:
        raise Http404("A run has no field of that name.") from None
    text = to_text(value) if request.GET.get("form") == "text" else None
    if text is not None:
        return HttpResponse(
            text.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8"
        )
    response = HttpResponse(to_json(value), content_type="application/json; charset=utf-8")
    if request.GET.get("download"):
        name = f"run-{run_id}{f'-{field}' if field else ''}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _get_project(request: HtmxRequest, name: str) -> Project:
    """Return the project. A stranger learns no more than that it is not there for them."""
    found = find_project(request.user, name)
    if found is None:
        raise Http404("There is no such project, or you are not a member of its workspace.")
    return found


def _find_run(project: Project, tree: TraceTree, run_id: UUID | None) -> RunDetail | None:
    detail = runs.get_run((project.id,), run_id) if run_id else None
    return detail if detail and detail.run.trace_id == tree.trace.id else None


def _pane(
    project: Project, tree: TraceTree, detail: RunDetail, query: TraceQuery, now: datetime
) -> dict[str, Any]:
    where = {"project": project.name, "trace_id": tree.trace.id, "run_id": detail.run.id}
    return {
        "detail": detail,
        "head": view_run_head(detail, tree, query, now=now),
        "body": view_run_body(detail, tree, query),
        "raw_url": reverse("run-raw", kwargs=where),
    }
