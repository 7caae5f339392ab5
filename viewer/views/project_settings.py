"""A project's own settings: its name and description, and deleting it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from collector import deletion
from collector.access import at_least, find_role
from collector.projects import ProjectTaken, change_project
from viewer.rendering import HtmxRequest
from viewer.scope import get_project

EDITOR, REMOVER = "editor", "admin"  # the least roles that may rename, and that may delete
MAX_NAME, MAX_DESCRIPTION = 512, 2_000


@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: HtmxRequest, project: str) -> HttpResponse:
    """Show the settings; a POST saves them, or with `delete` and the project's name typed in deletes it."""
    found = get_project(request, project)
    role = find_role(request.user, found.workspace)
    context = {
        "project": found,
        "section": "settings",
        "may_change": at_least(role, EDITOR),
        "may_delete": at_least(role, REMOVER),
    }
    if request.method != "POST":
        return render(request, "viewer/project_settings.html", context)
    needed = REMOVER if "delete" in request.POST else EDITOR
    if not at_least(role, needed):
        raise PermissionDenied(
            f"This takes the role {needed} in the workspace. An admin can change yours."
        )
    if "delete" in request.POST:
        if request.POST.get("name", "") != found.name:
            context["delete_error"] = "That is not the project's name. Nothing was deleted."
            return render(request, "viewer/project_settings.html", context, status=422)
        deletion.delete_project(found)
        messages.success(
            request, f"Deleted the project “{found.name}”. Its data go within moments."
        )
        return HttpResponseRedirect(reverse("project-list"))
    name = request.POST.get("name", "").replace("\0", "").strip()
    if not name or len(name) > MAX_NAME:
        context["name_error"] = f"A name has 1 to {MAX_NAME} characters."
        return render(request, "viewer/project_settings.html", context, status=422)
    description = request.POST.get("description", "").replace("\0", "")[:MAX_DESCRIPTION]
    try:
        change_project(found, name=name, description=description)
    except ProjectTaken:
        context["name_error"] = f"The workspace has a project “{name[:80]}” already."
        return render(request, "viewer/project_settings.html", context, status=422)
    messages.success(request, "Saved.")
    return HttpResponseRedirect(reverse("project-settings", kwargs={"project": name}))
