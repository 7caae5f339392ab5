"""A real Chromium against a real server. Pages that want one ask for `open_page`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, Page

from collector.models import User
from collector.reads.live import stop_listener

# Playwright's loop runs in this thread, and Django takes it for an async caller.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def sign_in(user: User) -> str:
    """Return the key of a session of the user."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


@pytest.fixture
def open_page(
    store: None, user: User, live_server: Any, browser: Browser
) -> Iterator[Callable[..., Page]]:
    """Return a function (path, **context options) that opens a page signed in as `user`.

    The test fails when a page logs an error or breaks the content security policy.
    """
    contexts, problems = [], []

    def open_(path: str, **options: Any) -> Page:
        context = browser.new_context(
            base_url=live_server.url, **({"viewport": WIDE, "timezone_id": "UTC"} | options)
        )
        contexts.append(context)
        context.set_default_timeout(8_000)
        cookies = {"runwood_session": sign_in(user), "runwood_zone": "UTC"}
        context.add_cookies(
            [
                {"name": name, "value": value, "url": live_server.url}
                for name, value in cookies.items()
            ]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda said: problems.append(said.text) if said.type == "error" else None
        )
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    stop_listener()
    assert problems == []


@pytest.fixture
def find_violations() -> Callable[[Page], list[str]]:
    """Return a function that runs axe-core on a page."""

    def find(page: Page) -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{problem['id']}: {node['target']} {node['failureSummary']}"
            for problem in found
            for node in problem["nodes"]
        ]

    return find
