"""Every page needs a session: `urls.py` wraps all of them, but the few named open, in `session_required`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

# Of any view: the first parameter is the request, the others are those of its URL.
View = Callable[..., HttpResponseBase]


def session_required(view: View) -> View:
    """Send a stranger to the sign-in page and mark the answer as the reader's own.

    A partial cannot be answered by a redirect (htmx would put the sign-in page into the list), nor
    can a stream (EventSource would follow it): these get 401, which the scripts turn into a visit.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        response = view(request, *args, **kwargs)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response

    guarded.needs_session = True  # type: ignore[attr-defined]  # read by the test that walks the URLs
    return guarded


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
    if htmx:
        here = urlsplit(htmx.current_url_abs_path or "")
        return HttpResponse(status=401, headers={"HX-Redirect": sign_in_url(here.geturl())})
    if request.headers.get("Accept") == "text/event-stream":
        return HttpResponse(status=401)
    return HttpResponseRedirect(
        sign_in_url(request.get_full_path() if request.method == "GET" else "")
    )


def sign_in_url(next_path: str) -> str:
    return (
        f"{reverse('sign-in')}?{urlencode({'next': next_path})}"
        if next_path
        else reverse("sign-in")
    )


def safe_next(request: HttpRequest, default: str) -> str:
    """Return where the reader wanted to go, if that is a page of this server."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    # A path only: no host at all, not even our own, so that no proxy's idea of a host matters.
    is_local = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if is_local else default
