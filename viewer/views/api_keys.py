"""API keys: list, make, revoke."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from collector.access import find_role, may, workspaces_for_user
from collector.api_keys import list_api_keys, revoke_api_key
from collector.auth import create_api_key
from viewer.forms import ApiKeyForm
from viewer.rendering import HtmxRequest

MAKER_ROLE = "editor"  # the least role that may make and revoke keys


@require_http_methods(["GET", "HEAD", "POST"])
def api_key_list(request: HtmxRequest) -> HttpResponse:
    """Show the keys of the reader's workspaces; a POST makes one and shows it, once."""
    context: dict[str, Any] = {"form": ApiKeyForm(request.POST or None), "section": "keys"}
    status = 200
    if request.method == "POST":
        made = _create(request, context["form"])
        status = 200 if made else 422
        context |= made
    context["workspaces"] = [
        {
            "workspace": workspace,
            "keys": list_api_keys(workspace),
            "may_change": may(request.user, MAKER_ROLE, workspace),
            "role": find_role(request.user, workspace),
        }
        for workspace in workspaces_for_user(request.user)
    ]
    response = render(request, "viewer/api_keys.html", context, status=status)
    if "new_key" in context:
        response["Cache-Control"] = "no-store"  # the key stands in this answer and nowhere else
    return response


def _create(request: HtmxRequest, form: ApiKeyForm) -> dict[str, Any]:
    asked = request.POST.get("workspace", "")
    workspaces = workspaces_for_user(request.user)
    workspace = next((known for known in workspaces if str(known.id) == asked), None)
    if workspace is None:
        raise Http404("You are a member of no such workspace.")
    if not may(request.user, MAKER_ROLE, workspace):
        raise PermissionDenied(
            "Viewers cannot make API keys. An admin of the workspace can change your role."
        )
    if not form.is_valid():
        return {}
    key, text = create_api_key(workspace, form.cleaned_data["name"], form.scopes())
    return {"new_key": key, "new_key_text": text, "form": ApiKeyForm()}


@require_POST
def revoke(request: HtmxRequest, key_id: UUID) -> HttpResponse:
    """Stop a key from working."""
    for workspace in workspaces_for_user(request.user):
        if not may(request.user, MAKER_ROLE, workspace):
            continue
        if revoke_api_key(workspace, key_id) is not None:
            return HttpResponseRedirect(reverse("api-keys"))
    raise Http404("No key of yours has this id. It may have been revoked already.")
