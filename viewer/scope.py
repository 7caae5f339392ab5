"""The project that a page is about, if the reader may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404

from collector.access import find_project
from viewer.rendering import HtmxRequest

if TYPE_CHECKING:
    from collector.models import Project


def get_project(request: HtmxRequest, name: str) -> Project:
    """Return the project of a URL.

    Raises:
        Http404: there is none of that name that this reader may see. Whether one exists is not told.
    """
    project = find_project(request.user, name)
    if project is None:
        raise Http404(f"You can see no project called “{name[:80]}”.")
    return project
