"""The trace page in a browser: keys, history, folding, live updates, accessibility."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from playwright.sync_api import Page, expect

from collector.models import Project
from collector.wire.operations import RunOperation
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_run, store_runs

Open = Callable[..., Page]
Violations = Callable[[Page], list[str]]


def json(value: object) -> bytes:
    return orjson.dumps(value)


class Agent:
    """A trace with a failed tool, a chat model, a group, plumbing."""

    def __init__(self, project: Project) -> None:
        root = make_run(
            name="support_agent",
            inputs=json({"messages": [["user", "Can I return it?"]]}),
            outputs=json({"output": "Yes."}),
        )
        self.root = root
        self.tools = make_run(root, name="tools", after_seconds=0.1)
        self.lookup = make_run(
            self.tools,
            name="lookup_order",
            run_type="tool",
            after_seconds=0.1,
            inputs=json({"order_id": "4471"}),
            error="OrderTimeout('no answer')Traceback (most recent call last):\n  File \"app/orders.py\", line 4, in look\n    go()\nOrderTimeout: no answer",
        )
        question = {"type": "human", "content": "Can I return it?"}
        self.chat = make_run(
            root,
            name="ChatOpenAI",
            run_type="llm",
            after_seconds=0.4,
            inputs=json({"messages": [{"type": "system", "content": "Be kind. " * 200}, question]}),
            outputs=json({"messages": [{"type": "ai", "content": "**Yes**, you can."}]}),
            extra=json({"invocation_params": {"model": "gpt-4.1", "temperature": 0.2}}),
        )
        self.embeds = [
            make_run(root, name="embed", run_type="embedding", after_seconds=0.5 + i / 100)
            for i in range(7)
        ]
        self.writes = [
            make_run(root, name="ChannelWrite<x>", after_seconds=0.9 + i / 100) for i in range(3)
        ]
        store_runs(project.id, root, self.tools, self.lookup, self.chat, *self.embeds, *self.writes)
        self.url = f"/p/{project.name}/traces/{root.id}"


@pytest.fixture
def agent(store: None, project: Project) -> Agent:
    return Agent(project)


def row(page: Page, run: RunOperation) -> object:
    return page.locator(f"#r-{run.id}")


def pane_title(page: Page) -> object:
    return page.locator("#run-pane h2")


def test_arrow_keys_walk_the_tree_and_the_pane_follows(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(pane_title(page)).to_have_text("lookup_order")
    expect(row(page, agent.lookup)).to_be_focused()
    expect(page).to_have_url(re.compile(f"run={agent.lookup.id}"))


def test_left_folds_then_goes_to_the_parent_and_right_unfolds(
    open_page: Open, agent: Agent
) -> None:
    page = open_page(f"{agent.url}?run={agent.lookup.id}")
    row(page, agent.lookup).focus()
    page.keyboard.press("ArrowLeft")
    expect(row(page, agent.tools)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(row(page, agent.tools)).to_have_attribute("aria-expanded", "false")
    expect(row(page, agent.lookup)).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(row(page, agent.lookup)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(row(page, agent.lookup)).to_be_focused()


def test_back_brings_the_run_before_and_its_row(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    row(page, agent.chat).click()
    expect(pane_title(page)).to_have_text("ChatOpenAI")
    page.get_by_role("link", name="Metadata").click()
    expect(page).to_have_url(re.compile("tab=metadata"))
    page.go_back()
    expect(page.get_by_role("link", name="Run", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    page.go_back()
    expect(pane_title(page)).to_have_text("support_agent")
    expect(row(page, agent.root)).to_have_attribute("aria-selected", "true")
    page.go_forward()
    expect(pane_title(page)).to_have_text("ChatOpenAI")


def test_the_next_error_is_a_key_away_and_the_tab_stays(open_page: Open, agent: Agent) -> None:
    page = open_page(f"{agent.url}?tab=raw")
    page.keyboard.press("e")
    expect(pane_title(page)).to_have_text("lookup_order")
    expect(page).to_have_url(re.compile(f"run={agent.lookup.id}.*tab=raw"))


def test_a_group_opens_in_place_and_its_runs_can_be_read(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    group = page.locator(f"#g-{agent.embeds[0].id}")
    expect(group).to_contain_text("\N{MULTIPLICATION SIGN}7")
    group.click()
    expect(row(page, agent.embeds[3])).to_be_visible()
    expect(page).to_have_url(re.compile(f"open={agent.embeds[0].id}"))
    row(page, agent.embeds[3]).click()
    expect(pane_title(page)).to_have_text("embed")


def test_the_tree_and_the_pane_do_not_forget_each_other(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    row(page, agent.chat).click()
    expect(pane_title(page)).to_have_text("ChatOpenAI")
    page.locator(f"#g-{agent.embeds[0].id}").click()
    expect(row(page, agent.embeds[3])).to_be_visible()
    expect(row(page, agent.chat)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("2")
    expect(page.get_by_role("tree")).to_have_attribute("data-view", "waterfall")
    page.get_by_role("link", name="Metadata").click()
    expect(page).to_have_url(
        re.compile(rf"\?view=waterfall&open={agent.embeds[0].id}&run={agent.chat.id}&tab=metadata$")
    )


def test_plumbing_is_one_row_until_asked_for(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    expect(page.locator("#plumbing")).to_contain_text("3 plumbing runs hidden")
    page.keyboard.press("h")
    expect(row(page, agent.writes[0])).to_be_visible()
    expect(page).to_have_url(re.compile("plumbing=show"))


def test_views_are_keys_and_keep_the_selected_run(open_page: Open, agent: Agent) -> None:
    page = open_page(f"{agent.url}?run={agent.chat.id}")
    page.keyboard.press("2")
    expect(page.get_by_role("tree")).to_have_attribute("data-view", "waterfall")
    expect(row(page, agent.chat)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("1")
    expect(page.get_by_role("tree")).to_have_attribute("data-view", "tree")


def test_find_narrows_the_tree_to_what_holds_the_text(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    page.keyboard.press("/")
    page.keyboard.type("lookup")
    expect(row(page, agent.chat)).to_have_count(0)
    expect(row(page, agent.lookup)).to_be_visible()
    expect(page.get_by_text("1 run found")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Find in this trace")).to_have_value("lookup")


def test_escape_leads_back_to_the_list(open_page: Open, agent: Agent, project: Project) -> None:
    page = open_page(agent.url)
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/p/{project.name}/traces")


def test_a_long_text_unfolds_without_a_script(open_page: Open, agent: Agent) -> None:
    page = open_page(f"{agent.url}?run={agent.chat.id}", java_script_enabled=False)
    folded = page.locator(".fold__text").first
    before = folded.bounding_box()
    page.get_by_text("Show all 1,800 characters").click()
    after = folded.bounding_box()
    assert before is not None
    assert after is not None
    assert before["height"] < 70 < after["height"]


def test_the_page_is_whole_without_scripts(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url, java_script_enabled=False)
    row(page, agent.chat).click()
    expect(pane_title(page)).to_have_text("ChatOpenAI")
    page.get_by_role("link", name="Waterfall").click()
    page.locator(f"#g-{agent.embeds[0].id}").click()
    expect(row(page, agent.embeds[6])).to_be_visible()
    expect(pane_title(page)).to_have_text("ChatOpenAI")


def test_the_output_is_copied_as_its_words(open_page: Open, agent: Agent) -> None:
    page = open_page(
        f"{agent.url}?run={agent.chat.id}", permissions=["clipboard-read", "clipboard-write"]
    )
    page.keyboard.press("c")
    page.wait_for_function(
        "navigator.clipboard.readText().then((text) => text === '**Yes**, you can.')"
    )


def test_the_handle_moves_by_key_and_is_remembered(open_page: Open, agent: Agent) -> None:
    page = open_page(agent.url)
    handle = page.get_by_role("separator")
    before = page.locator("#trace-left").bounding_box()
    handle.focus()
    page.keyboard.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "47")
    page.reload()
    after = page.locator("#trace-left").bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > before["width"]


def test_a_running_trace_grows_and_ends_before_the_readers_eyes(
    open_page: Open, project: Project
) -> None:
    now = datetime.now(UTC)
    root = make_run(name="agent", start_time=now - timedelta(seconds=3), end_time=None, id=None)
    first = make_run(root, name="first", after_seconds=0.1)
    inner = make_run(first, name="inner", after_seconds=0.2)
    store_runs(project.id, root, first, inner)
    page = open_page(f"/p/{project.name}/traces/{root.id}?run={first.id}")
    row(page, first).focus()
    page.keyboard.press("ArrowLeft")
    expect(row(page, inner)).to_be_hidden()
    page.wait_for_timeout(800)  # the stream is open

    second = make_run(root, name="second", after_seconds=1.5)
    store_runs(project.id, second)
    expect(row(page, second)).to_be_visible()
    expect(row(page, first)).to_be_focused()
    expect(row(page, inner)).to_be_hidden()
    expect(pane_title(page)).to_have_text("first")
    expect(page.locator("#trace-left")).to_contain_text("3 of 4 runs ended, 1 running")

    ended = make_run(id=root.id, name="agent", start_time=root.start_time, end_time=now)
    store_runs(project.id, ended)
    expect(page.locator("#trace-head")).to_contain_text("Success")
    expect(page.locator("#trace-left")).to_contain_text("4 of 4 runs ended")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing(
    open_page: Open, agent: Agent, find_violations: Violations, theme: str, size: dict[str, int]
) -> None:
    page = open_page(agent.url, color_scheme=theme, viewport=size)
    found = []
    for query in (
        "",
        f"?run={agent.chat.id}",
        f"?run={agent.lookup.id}&view=waterfall",
        "?tab=metadata",
        "?tab=events",
        "?tab=raw",
    ):
        page.goto(agent.url + query)
        found += [f"{query} {problem}" for problem in find_violations(page)]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert found == []


def test_conversation_and_log_are_read_walked_and_judged_from(
    open_page: Open, project: Project, find_violations: Violations
) -> None:
    root = make_run(name="agent", error="boom")
    given = b'{"messages": [{"role": "user", "content": "Do you ship?"}]}'
    said = b'{"messages": [{"role": "assistant", "content": "We do."}]}'
    model = make_run(
        root, name="ChatOpenAI", run_type="llm", after_seconds=0.1, inputs=given, outputs=said
    )
    store_runs(project.id, root, model)
    page = open_page(f"/p/test-project/traces/{root.id}")
    page.keyboard.press("3")
    chat = page.get_by_role("region", name="Conversation")
    expect(chat).to_contain_text("We do.")
    assert find_violations(page) == []
    chat.get_by_role("link", name="ChatOpenAI").click()
    expect(page.get_by_role("heading", name="ChatOpenAI")).to_be_visible()
    page.keyboard.press("4")
    expect(page.locator(".log-row").first).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_role("heading", name="agent", level=2)).to_be_visible()
    expect(page.locator(".log-row[aria-current]")).to_have_count(2)
    assert find_violations(page) == []
    page.get_by_role("link", name="Feedback").click()
    form = page.get_by_role("form", name="New feedback")
    form.get_by_label("Key").fill("tone")
    form.get_by_label("Comment").fill("too curt")
    assert find_violations(page) == []
    form.get_by_role("button", name="Give feedback").click()
    expect(page.get_by_text("too curt").first).to_be_visible()
