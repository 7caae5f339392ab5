"""A reader, a stranger, and pages as they see them."""

from __future__ import annotations

from collections.abc import Callable

import html5lib
import pytest
from django.http import HttpResponse
from django.test import Client

from collector.models import User, Workspace
from viewer.throttle import sign_in_failures


@pytest.fixture
def reader(client: Client, user: User) -> Client:
    """A browser in which `user` is signed in."""
    client.force_login(user)
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    """A browser in which the only member of another workspace is signed in."""
    other = User.objects.create_user("bob", password=None)
    Workspace.objects.create(name="Bob's").memberships.create(user=other, role="admin")
    browser = Client()
    browser.force_login(other)
    return browser


@pytest.fixture
def check_html() -> Callable[[HttpResponse], None]:
    """Return a function that fails where a whole page is not valid HTML."""

    def check(response: HttpResponse) -> None:
        text = response.content.decode()
        assert text.startswith("<!doctype html>")
        html5lib.HTMLParser(strict=True).parse(text)

    return check


@pytest.fixture(autouse=True)
def _no_remembered_failures() -> None:
    sign_in_failures.forget_all()
