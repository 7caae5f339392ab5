"""What all pages share, projects, connecting an app, and keys, in a browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from collector.models import Project, User, Workspace
from collector.sign_in import make_sign_in_url
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_run, store_runs

Open = Callable[..., Page]
Violations = Callable[[Page], list[str]]


def store_now(project: Project, **fields: Any) -> None:
    run = make_run(start_time=datetime.now(UTC), **fields)
    thread = threading.Thread(target=lambda: (store_runs(project.id, run), connections.close_all()))
    thread.start()
    thread.join()


def test_the_first_trace_opens_by_itself(open_page: Open, project: Project) -> None:
    page = open_page("/projects")
    expect(page).to_have_url(re.compile("/projects/new$"))
    expect(page.locator("#arrival")).to_contain_text("Waiting for your first trace")
    store_now(project, name="hello")
    expect(page.locator("#arrival")).to_contain_text("hello has arrived in test-project")
    expect(page).to_have_url(re.compile("/p/test-project/traces/"))


def test_a_reader_who_does_something_is_not_carried_away(open_page: Open, project: Project) -> None:
    page = open_page("/projects/new")
    store_now(project, name="hello")
    expect(page.locator("#arrival")).to_contain_text("has arrived")
    page.get_by_role("link", name="curl").click()
    page.wait_for_timeout(2000)
    expect(page).to_have_url(re.compile("/projects/new"))
    page.get_by_role("link", name="Open it").click()
    expect(page).to_have_url(re.compile("/p/test-project/traces/"))


def test_a_new_key_stays_in_all_snippets_while_tabs_change(
    open_page: Open, workspace: Workspace
) -> None:
    page = open_page("/projects/new")
    page.get_by_role("link", name="Environment variables").click()
    page.get_by_role("button", name="Create API key").click()
    expect(page.locator("#snippet-env")).to_contain_text(re.compile("rw_[A-Za-z0-9_-]{43}"))
    page.get_by_role("link", name="JavaScript").click()
    expect(page.locator("#snippet-js")).to_be_visible()
    expect(page.locator("#snippet-js")).to_contain_text(re.compile("rw_[A-Za-z0-9_-]{43}"))
    assert workspace.api_keys.count() == 1


def test_a_snippet_can_be_copied(open_page: Open, project: Project) -> None:
    page = open_page(
        "/p/test-project/setup?with=env", permissions=["clipboard-read", "clipboard-write"]
    )
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[0] == "export LANGSMITH_TRACING=true LANGSMITH_PROJECT=test-project"


def test_one_press_signs_in_by_link_and_another_signs_out(open_page: Open, user: User) -> None:
    page = open_page("/settings/keys")
    page.goto("about:blank")  # a page that lives on without its session would rightly log a 401
    page.context.clear_cookies()
    path = make_sign_in_url(user).split("/", 3)[3]
    page.goto(f"/{path}")
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/projects"))
    page.get_by_label("account and settings").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in$"))


def test_the_theme_changes_at_once_and_stays(open_page: Open, user: User) -> None:
    page = open_page("/settings/keys", color_scheme="light")
    page.get_by_label("Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("account and settings").click()
    page.get_by_role("button", name="System").click()
    assert page.locator("html").get_attribute("data-theme") is None


def test_the_figures_of_projects_keep_up(open_page: Open, project: Project) -> None:
    store_now(project)
    page = open_page("/projects")
    count = page.locator("tbody tr td.num").first
    expect(count).to_have_text("1")
    page.locator("[data-keep-fresh]").evaluate("table => { table.dataset.keepFresh = 0.1; }")
    store_now(project)
    expect(count).to_have_text("2")


def test_times_are_in_the_zone_of_the_browser(open_page: Open, project: Project) -> None:
    run = make_run(start_time=datetime.now(UTC))
    store_runs(project.id, run)
    page = open_page("/settings/keys", timezone_id="Asia/Tokyo")
    page.goto("/p/test-project/traces")
    expect(page.locator("html")).to_have_attribute("data-zone", "Asia/Tokyo")
    title = page.locator(".run-row time").get_attribute("title")
    assert title is not None
    assert title.endswith("+09:00")


def test_a_menu_closes_on_escape_and_gives_its_focus_back(open_page: Open, user: User) -> None:
    page = open_page("/settings/keys")
    summary = page.get_by_label("account and settings")
    summary.click()
    page.keyboard.press("Escape")
    expect(page.locator(".menu[open]")).to_have_count(0)
    expect(summary).to_be_focused()


def test_revoking_asks_first(open_page: Open, workspace: Workspace, make_api_key: Any) -> None:
    make_api_key("ingest")
    page = open_page("/settings/keys")
    page.get_by_role("button", name="Revoke test").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".grid-table tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Revoke test").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator(".grid-table")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_pages_are_accessible_and_nothing_scrolls_sideways(
    open_page: Open,
    find_violations: Violations,
    project: Project,
    make_api_key: Any,
    theme: str,
    size: dict[str, int],
) -> None:
    store_now(project)
    make_api_key("ingest")
    page = open_page("/projects", color_scheme=theme, viewport=size)
    for path in (
        "/projects",
        "/projects/new",
        "/p/test-project/setup?with=curl",
        "/settings/keys",
        "/settings/members",
        "/p/test-project/settings",
        "/sign-in/x",
    ):
        page.goto(path)
        assert find_violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.context.clear_cookies()
    page.goto("/sign-in")
    assert find_violations(page) == []
