"""Projects, and connecting an app to one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from collector.access import find_role, may, project_ids_for_user, workspaces_for_user
from collector.auth import create_api_key
from collector.reads.projects import list_projects
from collector.reads.types import TimeRange
from viewer.present.project_rows import view_projects
from viewer.present.snippets import view_snippets
from viewer.rendering import HtmxRequest
from viewer.scope import get_project
from viewer.views.api_keys import MAKER_ROLE
from viewer.views.live import newest_trace

if TYPE_CHECKING:
    from collector.models import Project, Workspace

RANGES = {
    "1h": ("1 h", "last hour", timedelta(hours=1)),
    "24h": ("24 h", "last 24 hours", timedelta(hours=24)),
    "7d": ("7 d", "last 7 days", timedelta(days=7)),
    "30d": ("30 d", "last 30 days", timedelta(days=30)),
}
DEFAULT_RANGE = "24h"


@require_safe
def project_list(request: HtmxRequest) -> HttpResponse:
    """List the reader's projects with figures; before the first trace, say how to send one."""
    now = timezone.now()
    name = request.GET.get("range", "")
    name = name if name in RANGES else DEFAULT_RANGE
    project_ids = project_ids_for_user(request.user)
    summaries = list_projects(project_ids, TimeRange(now - RANGES[name][2], now))
    if not any(summary.last_run_time for summary in summaries):
        return HttpResponseRedirect(reverse("connect"))
    context = {
        "projects": view_projects(summaries),
        "has_figures": all(summary.has_figures for summary in summaries),
        "range": name,
        "range_word": RANGES[name][1],
        "ranges": [(key, short) for key, (short, _, _) in RANGES.items()],
    }
    return render(request, "viewer/projects.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HtmxRequest) -> HttpResponse:
    """Say how to connect an app to a project that is not there yet."""
    return _connect(request, None, workspaces_for_user(request.user).first())


@require_http_methods(["GET", "HEAD", "POST"])
def project_setup(request: HtmxRequest, project: str) -> HttpResponse:
    """Say how to connect another app to a project."""
    found = get_project(request, project)
    return _connect(request, found, found.workspace)


def _connect(
    request: HtmxRequest, project: Project | None, workspace: Workspace | None
) -> HttpResponse:
    """Show the snippets; a POST makes an API key and fills it in, this once."""
    newest = newest_trace((project.id,) if project else project_ids_for_user(request.user))
    where = {"project": project.name} if project else None
    stream = reverse("project-setup-stream", kwargs=where) if where else reverse("connect-stream")
    context: dict[str, Any] = {
        "project": project,
        "section": "setup",
        "workspace": workspace,
        "role": find_role(request.user, workspace) if workspace else None,
        "may_make_key": workspace is not None and may(request.user, MAKER_ROLE, workspace),
        "endpoint": settings.GIVEN_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/"),
        "is_first": newest is None,
        "stream": f"{stream}?after={newest.id if newest else ''}",
        "key": "",
    }
    if request.method == "POST":
        if not context["may_make_key"] or workspace is None:
            raise PermissionDenied(
                "Viewers cannot make API keys. An admin of the workspace can change your role."
            )
        name = f"{project.name[:100]} app" if project else "first app"
        _, context["key"] = create_api_key(workspace, name, ["ingest", "read"])
    context["snippets"] = view_snippets(
        endpoint=context["endpoint"],
        key=context["key"],
        project=project.name if project else "my-app",
        run_id=uuid4(),
        now=timezone.now(),
    )
    ways = [snippet.way for snippet in context["snippets"]]
    context["way"] = request.GET.get("with") if request.GET.get("with") in ways else ways[0]
    response = render(request, "viewer/connect.html", context)
    if context["key"]:
        response["Cache-Control"] = "no-store"  # the key stands in this answer and nowhere else
    return response
