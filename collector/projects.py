"""Project names to ids: a name is made a project the first time that a run is sent to it."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

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


class ProjectTaken(Exception):
    """The name, or the id that a client chose, is another project's."""


def create_project(workspace_id: UUID, name: str, **fields: Any) -> Project:
    """Make a project with those of the fields that are not None.

    Raises:
        ProjectTaken
    """
    given = {field: value for field, value in fields.items() if value is not None}
    try:
        with transaction.atomic():
            return Project.objects.create(workspace_id=workspace_id, name=name, **given)
    except IntegrityError as error:
        raise ProjectTaken(name) from error


def change_project(
    project: Project,
    *,
    name: str | None = None,
    description: str | None = None,
    extra: dict[str, Any] | None = None,
    end_time: datetime | None = None,
    default_dataset_id: UUID | None = None,
) -> None:
    """Change what is not None. `extra` is merged one level deep, as that of runs is: no key is lost.

    Raises:
        ProjectTaken: another project of the workspace has the name.
    """
    try:
        with transaction.atomic():
            locked = Project.objects.select_for_update().get(pk=project.pk)
            if extra is not None:
                locked.extra = _merged(locked.extra, extra)
            for field, value in (
                ("name", name),
                ("description", description),
                ("end_time", end_time),
                ("default_dataset_id", default_dataset_id),
            ):
                if value is not None:
                    setattr(locked, field, value)
            locked.save()
    except IntegrityError as error:
        raise ProjectTaken(name) from error
    forget_cached_ids()
    project.refresh_from_db()


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the new keys over the old ones; an object in both has the keys of both."""
    both = {
        key: old[key] | value
        for key, value in new.items()
        if isinstance(value, dict) and isinstance(old.get(key), dict)
    }
    return old | new | both


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
