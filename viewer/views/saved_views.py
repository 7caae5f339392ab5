"""Keeping, renaming and forgetting views of a project's lists."""

from __future__ import annotations

from urllib.parse import parse_qs
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from collector.access import may
from collector.saved_views import (
    MAX_NAME_CHARACTERS,
    MAX_QUERY_CHARACTERS,
    MAX_VIEWS,
    TooManyViews,
    delete_view,
    rename_view,
    save_view,
)
from viewer.preferences import reader_zone
from viewer.present.trace_list_query import TraceListQuery
from viewer.rendering import HtmxRequest
from viewer.scope import get_project
from viewer.sessions import safe_next

KEEPER_ROLE = "editor"  # the least role that may keep views


@require_POST
def change_views(request: HtmxRequest, project: str) -> HttpResponseRedirect:
    """Do `action`: `save` the list `query` as `name`, `rename` or `delete` the view `id`."""
    found = get_project(request, project)
    if not may(request.user, KEEPER_ROLE, found.workspace):
        raise PermissionDenied("Viewers cannot keep views. An admin can change your role.")
    back = reverse("trace-list", kwargs={"project": found.name})
    name = request.POST.get("name", "").replace("\0", "").strip()[:MAX_NAME_CHARACTERS]
    action = request.POST.get("action", "")
    if action in ("save", "rename") and not name:
        messages.error(request, "A view needs a name.")
    elif action == "save":
        # read and written again: a view is a list of this project and nothing else
        asked = parse_qs(request.POST.get("query", "").removeprefix("?")[:MAX_QUERY_CHARACTERS])
        query = TraceListQuery.parse(asked, reader_zone(request)).first_page().query_string()
        try:
            save_view(found, name, query, by=request.user.get_username())
        except TooManyViews:
            messages.error(request, f"A project has {MAX_VIEWS} views at most: delete one first.")
        else:
            messages.success(request, f"Saved the view “{name}”.")
            return HttpResponseRedirect(back + query)
    elif action == "rename":
        if not rename_view(found, _id(request), name):
            messages.error(request, f"There is a view “{name}” already, or this one is gone.")
    elif action == "delete":
        if not delete_view(found, _id(request)):
            raise Http404("The project has no such view. It may have been deleted already.")
        messages.success(request, "Deleted the view.")
    return HttpResponseRedirect(safe_next(request, back))


def _id(request: HtmxRequest) -> UUID:
    try:
        return UUID(request.POST.get("id", ""))
    except ValueError:
        raise Http404("The project has no such view.") from None
