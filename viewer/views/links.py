"""The addresses that LangSmith's SDKs print, made of ids: each leads to the page that shows what it names."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from collector.access import project_ids_for_user
from collector.reads.runs import find_run
from viewer.rendering import HtmxRequest
from viewer.scope import get_project


@require_safe
def workspace(request: HtmxRequest, tenant_id: UUID) -> HttpResponse:
    """Lead to the projects: those of all workspaces of a reader stand in one list."""
    return HttpResponseRedirect(reverse("project-list"))


@require_safe
def project(request: HtmxRequest, tenant_id: UUID, session_id: UUID) -> HttpResponse:
    """Lead to a project's traces."""
    found = get_project(request, str(session_id))
    return HttpResponseRedirect(reverse("trace-list", kwargs={"project": found.name}))


@require_safe
def run(request: HtmxRequest, tenant_id: UUID, session_id: UUID, run_id: UUID) -> HttpResponse:
    """Lead to a run in its trace. It may lie in another project than its sender thought."""
    found = find_run(project_ids_for_user(request.user, [session_id]), run_id)
    found = found or find_run(project_ids_for_user(request.user), run_id)
    if found is None:
        raise Http404(f"You can see no run {run_id}. It may not be stored yet: try again.")
    where = {"project": str(found.project_id), "trace_id": found.trace_id}
    return HttpResponseRedirect(f"{reverse('trace-detail', kwargs=where)}?run={found.id}")


@require_safe
def dataset(request: HtmxRequest, tenant_id: UUID, rest: str = "") -> HttpResponse:
    """Say that there are no datasets yet."""
    return render(request, "viewer/no_datasets.html", status=404)
