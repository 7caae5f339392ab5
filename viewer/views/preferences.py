"""How the pages look to this browser."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from viewer.preferences import COOKIE_SECONDS, THEME_COOKIE, THEMES
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
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            theme,
            max_age=COOKIE_SECONDS,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response
