"""Threads and their turns, in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from collector.models import Project
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_run, store_runs

Open = Callable[..., Page]
Violations = Callable[[Page], list[str]]
URL = "/p/test-project/threads"
QUESTIONS = [
    "Hello, I have a question about an order.",
    "Can I still return it? It leaks.",
    "شكراً جزيلاً",
]
ANSWERS = [
    "Which order is it?",
    "Yes, within **90 days**:\n\n1. Print the label\n2. Drop it off",
    "Gern!",
]


@pytest.fixture
def conversation(project: Project) -> None:
    """A thread of three turns, of which the second failed, and forty others."""
    history: list[dict[str, Any]] = []
    for number, (question, answer) in enumerate(zip(QUESTIONS, ANSWERS, strict=True)):
        history.append({"type": "human", "content": question})
        given = list(history)
        history.append({"type": "ai", "content": answer})
        store_turn(
            project,
            30 - number,
            "support-42",
            given,
            history,
            error="Timeout" if number == 1 else None,
        )
    for number in range(40):
        words = [{"type": "human", "content": f"Question {number}"}]
        store_turn(project, 60 + number, f"thread-{number}", words, words)


def store_turn(
    project: Project, minutes_ago: float, thread_id: str, given: Any, answered: Any, **fields: Any
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    run = make_run(
        start_time=start,
        end_time=start + timedelta(seconds=3),
        inputs=orjson.dumps({"messages": given}),
        outputs=orjson.dumps({"messages": answered}),
        extra=orjson.dumps({"metadata": {"thread_id": thread_id}}),
        **fields,
    )
    store_runs(project.id, run)


def test_a_thread_is_opened_by_keys_and_left_by_escape(open_page: Open, conversation: None) -> None:
    page = open_page(URL)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{URL}/support-42$"))
    expect(page.locator(".turn")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(f"{URL}$"))


def test_a_turn_leads_to_its_trace_and_the_trace_back_to_the_thread(
    open_page: Open, conversation: None
) -> None:
    page = open_page(f"{URL}/support-42")
    page.get_by_role("link", name="Open trace 2").click()
    expect(page).to_have_url(re.compile("/traces/"))
    page.get_by_role("link", name="Thread", exact=True).click()
    expect(page).to_have_url(re.compile(f"{URL}/support-42$"))


def test_a_link_at_the_side_brings_its_turn_into_view(open_page: Open, conversation: None) -> None:
    page = open_page(f"{URL}/support-42", viewport={"width": 1440, "height": 320})
    page.get_by_role("link", name="Turn 3").click()
    expect(page.locator("#turn-3")).to_be_in_viewport()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("path", [URL, f"{URL}/support-42", f"{URL}?range=1h&before="])
def test_the_pages_are_accessible_and_nothing_scrolls_sideways(
    open_page: Open,
    find_violations: Violations,
    conversation: None,
    theme: str,
    size: dict[str, int],
    path: str,
) -> None:
    page = open_page(path, color_scheme=theme, viewport=size)
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
