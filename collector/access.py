"""Which projects a key or a user may see, and what a user may do. The only place that decides.

Every reader gets its project ids from here, always as a list (docs/decisions/0003-keys.md): later one
project may be stored in several parts, and then only this module knows.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from collector.auth import ApiKeyAuth
from collector.models import Membership, Project, User, Workspace

# Each role may do what the ones before it may.
ROLES: tuple[str, ...] = (Membership.Role.VIEWER, Membership.Role.EDITOR, Membership.Role.ADMIN)


def projects_for_key(auth: ApiKeyAuth) -> QuerySet[Project]:
    return Project.objects.filter(workspace_id=auth.workspace_id)


def projects_for_user(user: User | AnonymousUser) -> QuerySet[Project]:
    """Return the projects of every workspace that the user is a member of."""
    if not isinstance(user, User) or not user.is_active:
        return Project.objects.none()
    return Project.objects.filter(workspace__memberships__user=user)


def project_ids_for_key(
    auth: ApiKeyAuth, wanted: Collection[UUID] | None = None
) -> tuple[UUID, ...]:
    """Return the ids of the projects that a key may see, of those wanted only."""
    return _ids(projects_for_key(auth), wanted)


def project_ids_for_user(
    user: User | AnonymousUser, wanted: Collection[UUID] | None = None
) -> tuple[UUID, ...]:
    """Return the ids of the projects that a user may see, of those wanted only."""
    return _ids(projects_for_user(user), wanted)


def _ids(projects: QuerySet[Project], wanted: Collection[UUID] | None) -> tuple[UUID, ...]:
    if wanted is not None:
        projects = projects.filter(id__in=wanted)
    return tuple(projects.order_by("created_at", "id").values_list("id", flat=True))


def find_project(user: User | AnonymousUser, name: str) -> Project | None:
    """Return the project of that name, or of that id, if the user may see it.

    Where workspaces share a name the oldest has it, and the others are found by id.
    """
    if "\0" in name:  # Postgres refuses it, and no name holds one
        return None
    same = Q(name=name)
    with suppress(ValueError):
        same |= Q(id=UUID(name))
    found = projects_for_user(user).filter(same).select_related("workspace")
    candidates = found.order_by("workspace__created_at", "workspace_id", "created_at")[:20]
    return min(candidates, key=lambda project: project.name != name, default=None)


def find_role(user: User | AnonymousUser, workspace: Workspace) -> str | None:
    """Return the user's role in a workspace, or None for a stranger."""
    if not isinstance(user, User) or not user.is_active:
        return None
    return (
        Membership.objects.filter(user=user, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )


def may(user: User | AnonymousUser, role: str, workspace: Workspace) -> bool:
    """Return whether the user has at least this role in the workspace."""
    return at_least(find_role(user, workspace), role)


def at_least(own: str | None, role: str) -> bool:
    """Return whether a role, or none, is this one or more."""
    return own in ROLES and ROLES.index(own) >= ROLES.index(role)


def workspaces_for_user(user: User | AnonymousUser) -> QuerySet[Workspace]:
    """Return the workspaces that the user is a member of, oldest first."""
    if not isinstance(user, User) or not user.is_active:
        return Workspace.objects.none()
    return Workspace.objects.filter(memberships__user=user).order_by("created_at", "id")
