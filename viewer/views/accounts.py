"""Signing in and out."""

from __future__ import annotations

from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from collector.sign_in import consume_sign_in_token
from viewer.forms import SignInForm
from viewer.present.durations import format_duration
from viewer.rendering import HtmxRequest
from viewer.sessions import safe_next
from viewer.throttle import sign_in_failures

BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for a name and a password."""
    goal = safe_next(request, reverse("project-list"))
    if request.user.is_authenticated:
        return HttpResponseRedirect(goal)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = _try_to_sign_in(request, form)
        if status == 200:
            return HttpResponseRedirect(goal)
    context = {"form": form, "next": goal if goal != reverse("project-list") else ""}
    return render(request, "viewer/sign_in.html", context, status=status)


def _try_to_sign_in(request: HttpRequest, form: SignInForm) -> int:
    """Return 200 when the session is made, else the status of the page that says why not."""
    if not form.is_valid():
        return 422
    name, password = form.cleaned_data["username"], form.cleaned_data["password"]
    key = f"{request.META.get('REMOTE_ADDR', '')} {name.casefold()}"
    if wait := sign_in_failures.wait_seconds(key):
        form.add_error(None, f"Too many wrong passwords. Try again in {format_duration(wait)}.")
        return 429
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        sign_in_failures.note_failure(key)
        form.add_error(None, "Name and password do not match.")
        return 422
    sign_in_failures.forget(key)
    auth.login(request, user)
    return 200


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a one-time link.

    A GET only shows a button, already in focus: chat apps and mail scanners fetch every link that
    they see, and would use it up.
    """
    if request.method != "POST":
        return render(request, "viewer/sign_in_link.html", {"token": token})
    user = consume_sign_in_token(token)
    if user is None or not user.is_active:
        return render(request, "viewer/sign_in_link.html", {"is_spent": True}, status=410)
    auth.login(request, user, backend=BACKEND)
    return HttpResponseRedirect(reverse("project-list"))


@require_POST
def sign_out(request: HtmxRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponseRedirect(reverse("sign-in"))
