"""The members of the reader's workspaces: list, add, change the role, remove. Admins change, all may look."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from collector.access import find_role, may, workspaces_for_user
from collector.members import (
    MAX_NAME_CHARACTERS,
    AlreadyMember,
    LastAdmin,
    add_member,
    change_role,
    find_member,
    list_members,
    make_member_link,
    remove_member,
)
from collector.models import Membership, Workspace
from viewer.rendering import HtmxRequest

KEEPER_ROLE = "admin"
LAST_ADMIN = "A workspace needs an admin: make somebody else one first."


@require_safe
def member_list(request: HtmxRequest) -> HttpResponse:
    """Show the members of every workspace of the reader's."""
    return _page(request)


@require_POST
def change_members(request: HtmxRequest) -> HttpResponse:
    """Do `action` in a workspace: `add` a user, give a member another `role`, make a `link`, or `remove` one."""
    workspace = _workspace(request)
    action = request.POST.get("action", "")
    if action == "add":
        return _add(request, workspace)
    member = _member(request, workspace)
    name = member.user.get_username()
    if action == "link":
        link = make_member_link(member)
        if link is None:
            messages.error(
                request, f"{name} is a member of other workspaces too: no link is made here."
            )
            return _back()
        return _page(request, {"new_link": link, "new_name": name})
    try:
        if action == "role":
            change_role(workspace, member.user_id, _role(request))
            messages.success(request, f"{name} is {_role(request)} now.")
        elif action == "remove":
            remove_member(workspace, member.user_id)
            messages.success(request, f"{name} is no member of {workspace.name} any more.")
    except LastAdmin:
        messages.error(request, LAST_ADMIN)
    return _back()


def _page(request: HtmxRequest, more: dict[str, str] | None = None) -> HttpResponse:
    groups = [
        {
            "workspace": workspace,
            "members": list_members(workspace),
            "may_change": may(request.user, KEEPER_ROLE, workspace),
            "role": find_role(request.user, workspace),
        }
        for workspace in workspaces_for_user(request.user)
    ]
    context = {"section": "members", "groups": groups, "roles": Membership.Role.values}
    response = render(request, "viewer/members.html", context | (more or {}))
    if more:
        response["Cache-Control"] = "no-store"  # the link stands in this answer and nowhere else
    return response


def _back() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("members"))


def _workspace(request: HtmxRequest) -> Workspace:
    asked = request.POST.get("workspace", "")
    workspaces = workspaces_for_user(request.user)
    workspace = next((known for known in workspaces if str(known.id) == asked), None)
    if workspace is None:
        raise Http404("You are a member of no such workspace.")
    if not may(request.user, KEEPER_ROLE, workspace):
        raise PermissionDenied("Only admins of a workspace change its members.")
    return workspace


def _member(request: HtmxRequest, workspace: Workspace) -> Membership:
    text = request.POST.get("user", "")
    member = (
        find_member(workspace, int(text))
        if text.isascii() and text.isdigit() and len(text) < 10
        else None
    )
    if member is None:
        raise Http404("The workspace has no such member.")
    return member


def _role(request: HtmxRequest) -> str:
    role = request.POST.get("role", "")
    if role not in Membership.Role.values:
        raise Http404("There is no such role.")
    return role


def _add(request: HtmxRequest, workspace: Workspace) -> HttpResponse:
    name = request.POST.get("name", "").replace("\0", "").strip()
    if not name or len(name) > MAX_NAME_CHARACTERS:
        messages.error(request, f"A name has 1 to {MAX_NAME_CHARACTERS} characters.")
        return _back()
    try:
        _, link = add_member(workspace, name, _role(request))
    except AlreadyMember:
        messages.error(request, f"{name} is a member already.")
        return _back()
    if link is None:
        messages.success(request, f"{name}, who has an account, is a member now.")
        return _back()
    return _page(request, {"new_link": link, "new_name": name})
