"""Members of a workspace: who may change them, and what can never happen."""

from __future__ import annotations

import pytest
from django.test import Client

from collector.models import Membership, User, Workspace

LIST, CHANGE = "/settings/members", "/settings/members/change"


def role_of(workspace: Workspace, name: str) -> str | None:
    found = Membership.objects.filter(workspace=workspace, user__username=name).first()
    return found.role if found else None


def test_an_admin_adds_a_member_and_gets_a_link_that_signs_them_in_once(
    reader: Client, workspace: Workspace
) -> None:
    given = {"workspace": workspace.id, "action": "add", "name": "eve", "role": "viewer"}
    response = reader.post(CHANGE, given)
    assert response["Cache-Control"] == "no-store"
    assert role_of(workspace, "eve") == "viewer"
    path = response.context["new_link"].partition("/sign-in/")[2]
    browser = Client()
    assert browser.post(f"/sign-in/{path}").status_code == 302
    assert browser.get(LIST).status_code == 200


def test_no_link_is_made_for_somebody_who_is_a_member_elsewhere(
    reader: Client, stranger: Client, workspace: Workspace
) -> None:
    given = {"workspace": workspace.id, "action": "add", "name": "bob", "role": "viewer"}
    assert reader.post(CHANGE, given).status_code == 302
    assert role_of(workspace, "bob") == "viewer"
    bob = User.objects.get(username="bob")
    again = reader.post(
        CHANGE, {"workspace": workspace.id, "action": "link", "user": bob.pk}, follow=True
    )
    assert "no link is made here" in again.content.decode()
    assert "new_link" not in again.context


@pytest.mark.parametrize("given", [{"action": "role", "role": "viewer"}, {"action": "remove"}])
def test_the_last_admin_stays_one(
    reader: Client, user: User, workspace: Workspace, given: dict[str, str]
) -> None:
    response = reader.post(
        CHANGE, {"workspace": workspace.id, "user": user.pk, **given}, follow=True
    )
    assert "needs an admin" in response.content.decode()
    assert role_of(workspace, user.username) == "admin"


def test_a_role_is_changed_and_a_member_removed(reader: Client, workspace: Workspace) -> None:
    other = User.objects.create_user("eve", password=None)
    workspace.memberships.create(user=other, role="viewer")
    given = {"workspace": workspace.id, "user": other.pk}
    reader.post(CHANGE, {**given, "action": "role", "role": "editor"})
    assert role_of(workspace, "eve") == "editor"
    reader.post(CHANGE, {**given, "action": "remove"})
    assert role_of(workspace, "eve") is None


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_admins_change_members_and_everybody_sees_them(
    reader: Client, user: User, workspace: Workspace, role: str
) -> None:
    Membership.objects.filter(user=user).update(role=role)
    given = {"workspace": workspace.id, "action": "add", "name": "eve", "role": "admin"}
    assert reader.post(CHANGE, given).status_code == 403
    page = reader.get(LIST)
    assert page.status_code == 200
    assert "Add member" not in page.content.decode()


def test_a_stranger_finds_no_such_workspace(stranger: Client, workspace: Workspace) -> None:
    given = {"workspace": workspace.id, "action": "add", "name": "eve", "role": "admin"}
    assert stranger.post(CHANGE, given).status_code == 404
    assert workspace.name not in stranger.get(LIST).content.decode()


@pytest.mark.parametrize(
    "given", [{"action": "add", "name": "eve", "role": "god"}, {"action": "role", "user": "x"}]
)
def test_what_makes_no_sense_is_refused(
    reader: Client, workspace: Workspace, given: dict[str, str]
) -> None:
    assert reader.post(CHANGE, {"workspace": workspace.id, **given}).status_code == 404
