"""Who is a member of a workspace, with which role. Only admins come here: the callers see to it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from collector.models import Membership, User, Workspace
from collector.sign_in import make_sign_in_url

MAX_NAME_CHARACTERS = 150
ADMIN = Membership.Role.ADMIN.value


class LastAdmin(Exception):
    """A workspace needs an admin, and this is its only one."""


class AlreadyMember(Exception):
    """The user is a member of the workspace."""


def list_members(workspace: Workspace) -> list[Membership]:
    """Return the members by name."""
    members = Membership.objects.filter(workspace=workspace).select_related("user")
    return list(members.order_by("user__username"))


def add_member(workspace: Workspace, username: str, role: str) -> tuple[Membership, str | None]:
    """Make a user a member, and the user if need be; return the link that signs them in once.

    There is no link for somebody who is a member elsewhere: it would open what this admin may not see.

    Raises:
        AlreadyMember
    """
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(username=username)
        if is_new:
            user.set_unusable_password()
            user.save()
        membership, is_added = Membership.objects.get_or_create(
            user=user, workspace=workspace, defaults={"role": role}
        )
        if not is_added:
            raise AlreadyMember(username)
        return membership, make_sign_in_url(user) if is_new else None


def make_member_link(membership: Membership) -> str | None:
    """Return a new link for a member; None where they are a member elsewhere too."""
    if Membership.objects.filter(user=membership.user).exclude(pk=membership.pk).exists():
        return None
    return make_sign_in_url(membership.user)


def find_member(workspace: Workspace, user_id: int) -> Membership | None:
    """Return a member of the workspace."""
    found = Membership.objects.filter(workspace=workspace, user_id=user_id)
    return found.select_related("user").first()


def change_role(workspace: Workspace, user_id: int, role: str) -> bool:
    """Give a member another role; False where there is no such member.

    Raises:
        LastAdmin: nobody else is one.
    """
    with transaction.atomic():
        members = _locked(workspace.id)
        member = members.get(user_id)
        if member is None:
            return False
        _keep_an_admin(members, user_id, is_admin=role == ADMIN)
        member.role = role
        member.save(update_fields=["role"])
        return True


def remove_member(workspace: Workspace, user_id: int) -> bool:
    """Take a member out of the workspace; False where there is no such member.

    Raises:
        LastAdmin: nobody else is one.
    """
    with transaction.atomic():
        members = _locked(workspace.id)
        if user_id not in members:
            return False
        _keep_an_admin(members, user_id, is_admin=False)
        members[user_id].delete()
        return True


def _locked(workspace_id: UUID) -> dict[int, Membership]:
    """Return all members by user, locked, so that two admins cannot each remove the other."""
    rows = Membership.objects.select_for_update().filter(workspace_id=workspace_id)
    return {member.user_id: member for member in rows.order_by("pk")}


def _keep_an_admin(members: dict[int, Membership], user_id: int, *, is_admin: bool) -> None:
    others = any(member.role == ADMIN for id_, member in members.items() if id_ != user_id)
    if members[user_id].role == ADMIN and not is_admin and not others:
        raise LastAdmin
