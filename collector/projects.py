"""Project names to ids: a name is made a project the first time that a run is sent to it."""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

from collector.models import Project

DEFAULT_PROJECT = "default"
# A deleted project's id may be used for this long; its runs are then found under nothing.
CACHE_SECONDS = 30.0
MAX_CACHED = 10_000

_cache: dict[tuple[UUID, str], tuple[float, UUID]] = {}


def get_or_create_project_id(workspace_id: UUID, name: str) -> UUID:
    """Return the id of the workspace's project of that name, made if need be. Safe against races."""
    key = (workspace_id, name)
    cached = _cache.get(key)
    if cached is not None and cached[0] > time.monotonic():
        return cached[1]
    project_id = _find_id(workspace_id, name)
    if project_id is None:
        # a second maker of the same name changes nothing, and then reads the first one's id
        Project.objects.bulk_create(
            [Project(workspace_id=workspace_id, name=name)], ignore_conflicts=True
        )
        project_id = _find_id(workspace_id, name)
        assert project_id is not None
    if len(_cache) >= MAX_CACHED:
        _cache.clear()
    _cache[key] = (time.monotonic() + CACHE_SECONDS, project_id)
    return project_id


def known_project_ids(workspace_id: UUID, project_ids: Collection[UUID]) -> set[UUID]:
    """Return which of the ids are projects of the workspace."""
    if not project_ids:
        return set()
    found = Project.objects.filter(workspace_id=workspace_id, id__in=project_ids)
    return set(found.values_list("id", flat=True))


def workspace_project_ids(workspace_id: UUID) -> list[UUID]:
    """Return the ids of all projects of the workspace."""
    return list(Project.objects.filter(workspace_id=workspace_id).values_list("id", flat=True))


def forget_cached_ids() -> None:
    """For tests, and for whoever renames or deletes a project in this process."""
    _cache.clear()


def _find_id(workspace_id: UUID, name: str) -> UUID | None:
    return (
        Project.objects.filter(workspace_id=workspace_id, name=name)
        .values_list("id", flat=True)
        .first()
    )
