"""How the pages look to this browser."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from viewer.preferences import THEME_COOKIE, THEMES, keep
from viewer.rendering import HtmxRequest
from viewer.sessions import safe_next


@require_POST
def set_theme(request: HtmxRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie, so that the next page arrives in it; any other word: as the system."""
    theme = request.POST.get("theme", "")
    response = (
        HttpResponse(status=204)
        if request.htmx
        else HttpResponseRedirect(safe_next(request, reverse("project-list")))
    )
    keep(response, THEME_COOKIE, theme if theme in THEMES else "")
    return response
