"""Views of a project's lists that its readers keep and share."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from collector.models import Project, SavedView

MAX_VIEWS = 50  # of a project
MAX_NAME_CHARACTERS = 120
MAX_QUERY_CHARACTERS = 4_000


class TooManyViews(Exception):
    """The project has as many as it may."""


def list_saved_views(project: Project) -> list[SavedView]:
    """Return the views by name."""
    return list(SavedView.objects.filter(project=project).order_by("name")[:MAX_VIEWS])


def save_view(project: Project, name: str, query: str, *, by: str) -> SavedView:
    """Keep a list under a name; one of that name becomes this.

    Raises:
        TooManyViews
    """
    with transaction.atomic():
        Project.objects.select_for_update().get(
            pk=project.pk
        )  # else two could each be the last one
        views = SavedView.objects.filter(project=project)
        if not views.filter(name=name).exists() and views.count() >= MAX_VIEWS:
            raise TooManyViews
        view, _ = views.update_or_create(
            project=project,
            name=name,
            defaults={"query": query, "saved_by": by, "saved_at": timezone.now()},
        )
        return view


def rename_view(project: Project, view_id: UUID, name: str) -> bool:
    """Give a view another name; False where there is no such view, or the name is another's."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        views = SavedView.objects.filter(project=project)
        if views.filter(name=name).exclude(pk=view_id).exists():
            return False
        return views.filter(pk=view_id).update(name=name) > 0


def delete_view(project: Project, view_id: UUID) -> bool:
    """Forget a view; False where there is none."""
    return SavedView.objects.filter(project=project, pk=view_id).delete()[0] > 0
