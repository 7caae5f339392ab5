"""The trace list in a browser: keys, history, live rows, both themes, both widths."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from collector.models import Project
from collector.wire.operations import RunOperation
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_run, store_runs

Open = Callable[..., Page]
Violations = Callable[[Page], list[str]]
URL = "/p/test-project/traces"
ON_A_ROW, ON_THE_RAIL = (700, 500), (100, 700)


def start(minutes_ago: float = 5.0, **fields: Any) -> RunOperation:
    return make_run(start_time=datetime.now(UTC) - timedelta(minutes=minutes_ago), **fields)


def store_now(project: Project, *runs: RunOperation) -> None:
    """Store from another thread: the page's own loop goes on."""
    thread = threading.Thread(
        target=lambda: (store_runs(project.id, *runs), connections.close_all())
    )
    thread.start()
    thread.join()


@pytest.fixture
def traces(store: None, project: Project) -> list[RunOperation]:
    """60 traces: more than a page. The second one failed, the third one runs."""
    runs = [
        start(
            1 + number,
            name=f"agent-{number}",
            inputs=b'{"question": "Is the kettle dishwasher safe?"}',
            error="OrderServiceTimeout: no answer" if number == 1 else None,
            end_time=None if number == 2 else datetime.now(UTC),
            tags=["web"],
        )
        for number in range(60)
    ]
    store_now(project, *runs)
    return runs


def rows(page: Page) -> Any:
    return page.locator("#run-rows > .run-row")


def row(page: Page, run: RunOperation) -> Any:
    return page.locator(f"#trace-{run.id}")


def wait_until_live(page: Page) -> None:
    expect(page.locator("[data-live-switch]")).to_have_attribute("data-state", "on")
    page.wait_for_timeout(300)  # the listener's first "look again" has passed


def test_j_k_and_enter_open_a_trace_and_back_returns(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    for key in "jjk":
        page.keyboard.press(key)
    expect(row(page, traces[0]).locator("a")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{URL}/{traces[1].id}$"))
    page.go_back()
    expect(page).to_have_url(re.compile(f"{URL}$"))
    expect(rows(page)).to_have_count(50)


def test_a_filter_is_a_link_and_back_takes_it_off(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.get_by_role("link", name="Error 1").click()
    expect(page).to_have_url(re.compile(r"\?status=error$"))
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Remove filter status Error").click()
    expect(page).to_have_url(re.compile(f"{URL}$"))  # the address changes after the rows
    expect(rows(page)).to_have_count(50)
    page.go_back()
    expect(page).to_have_url(re.compile(r"\?status=error$"))
    expect(rows(page)).to_have_count(1)
    page.go_back()
    expect(rows(page)).to_have_count(50)


def test_slash_searches_and_keeps_the_other_filters(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(f"{URL}?tag=web")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("orderservice")
    expect(page.locator("#q")).to_have_value("orderservice")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=orderservice&?.*tag=web|tag=web&q=orderservice"))


def test_a_search_that_nobody_understands_leaves_the_rows_and_points_at_the_fault(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(f"{URL}?q=status:error")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type(" latency:>fast")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("duration")
    expect(page.locator(".search-fault mark")).to_have_text("fast")
    expect(page.locator("#q")).to_have_value("status:error latency:>fast")
    expect(rows(page)).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_search_box_offers_fields_and_values_by_keys_and_by_mouse(
    open_page: Open, traces: list[RunOperation], find_violations: Violations
) -> None:
    page = open_page(URL)
    options = page.get_by_role("option")
    page.keyboard.press("/")
    page.keyboard.type("sta")
    expect(options).to_have_text(["status:error", "started:>2026-11-24"])
    assert find_violations(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("status:")
    options.get_by_text("error").click()
    expect(page.locator("#q")).to_have_value("status:error ")
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)


def test_a_condition_is_taken_off_and_a_search_is_copied_for_langsmith(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(
        f"{URL}?q=status:error+tag:web", permissions=["clipboard-read", "clipboard-write"]
    )
    page.get_by_text("As LangSmith filter").click()
    page.get_by_role("button", name="Copy filter").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == 'and(eq(state, "error"), has(tags, "web"))'
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Remove condition status is error").click()
    expect(page.locator("#q")).to_have_value("tag:web")


def test_letters_typed_into_the_search_are_not_commands(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.keyboard.press("/")
    page.keyboard.type("jlx?")
    expect(page.locator("#q")).to_have_value("jlx?")
    expect(page.locator("#shortcuts")).to_be_hidden()


def test_older_traces_are_added_below(open_page: Open, traces: list[RunOperation]) -> None:
    page = open_page(URL)
    page.get_by_role("link", name="Load 50 older").click()
    expect(rows(page)).to_have_count(60)
    expect(page.locator("#run-more")).to_contain_text("60 of 60 loaded")
    expect(page).to_have_url(re.compile(f"{URL}$"))


def test_a_new_trace_enters_by_itself_where_nobody_points(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.mouse.move(*ON_THE_RAIL)
    wait_until_live(page)
    new = start(0, name="just-now")
    store_now(project, new)
    expect(rows(page).first).to_contain_text("just-now")
    expect(rows(page)).to_have_count(50)
    expect(page.locator("#totals")).to_contain_text("61 traces", timeout=12_000)


def test_new_traces_wait_while_the_pointer_is_on_the_rows_and_enter_by_l(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.mouse.move(*ON_A_ROW)
    wait_until_live(page)
    store_now(project, start(0.02, name="one"), start(0.01, name="two"))
    band = page.get_by_role("button", name="2 new traces")
    expect(band).to_be_visible()
    expect(rows(page).first).to_contain_text("agent-0")
    page.keyboard.press("l")
    expect(band).to_be_hidden()
    expect(rows(page).nth(0)).to_contain_text("two")
    expect(rows(page).nth(1)).to_contain_text("one")


def test_the_button_with_new_traces_can_be_pressed(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.get_by_role("link", name="Load 50 older").click()
    page.mouse.move(*ON_A_ROW)
    wait_until_live(page)
    store_now(project, start(0, name="just-now"))
    page.get_by_role("button", name="1 new trace").click()
    expect(rows(page).first).to_contain_text("just-now")
    expect(rows(page)).to_have_count(61)


def test_a_row_changes_in_place_when_its_trace_ends(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.keyboard.press("j")
    wait_until_live(page)
    running = row(page, traces[2])
    expect(running.locator("[data-ticks]")).to_contain_text("3 min")
    update = RunOperation(
        id=traces[2].id,
        is_update=True,
        received_at=datetime.now(UTC),
        trace_id=traces[2].trace_id,
        day=traces[2].day,
        end_time=datetime.now(UTC),
        outputs=b'{"answer": "Yes, it is."}',
    )
    store_now(project, update)
    expect(running).to_contain_text("Yes, it is.")
    expect(running.locator("[data-status=success]")).to_have_count(1)
    expect(row(page, traces[0]).locator("a")).to_be_focused()


def test_a_row_below_the_first_page_changes_too(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.get_by_role("link", name="Load 50 older").click()
    expect(rows(page)).to_have_count(60)
    wait_until_live(page)
    last = traces[59]
    update = RunOperation(
        id=last.id,
        is_update=True,
        received_at=datetime.now(UTC),
        trace_id=last.trace_id,
        day=last.day,
        outputs=b'{"answer": "Late news"}',
    )
    store_now(project, update)
    expect(row(page, last)).to_contain_text("Late news")


def test_a_trace_that_does_not_pass_the_filter_does_not_enter(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(f"{URL}?status=error")
    page.mouse.move(*ON_THE_RAIL)
    wait_until_live(page)
    store_now(project, start(0, name="fine"), start(0, name="broken", error="x"))
    expect(rows(page).first).to_contain_text("broken")
    expect(rows(page)).to_have_count(2)


def test_an_empty_list_fills_by_itself(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(f"{URL}?name=later")
    wait_until_live(page)
    store_now(project, start(0, name="later"))
    expect(rows(page)).to_have_count(1)


def test_pausing_keeps_the_list_as_it_is(
    open_page: Open, project: Project, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.mouse.move(*ON_THE_RAIL)
    wait_until_live(page)
    page.keyboard.press("l")
    expect(page.locator("[data-live-switch]")).to_have_text("Paused")
    store_now(project, start(0, name="just-now"))
    page.wait_for_timeout(1500)
    expect(rows(page).first).to_contain_text("agent-0")
    page.keyboard.press("l")
    expect(rows(page).first).to_contain_text("just-now")


def test_a_folded_facet_stays_folded_when_the_list_changes(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.locator("#facet-names summary").click()
    page.get_by_role("link", name="Error 1").click()
    expect(rows(page)).to_have_count(1)
    assert page.locator("#facet-names").get_attribute("open") is None


def test_the_help_opens_by_key_and_closes_by_escape(
    open_page: Open, traces: list[RunOperation]
) -> None:
    page = open_page(URL)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()


def test_letter_keys_can_be_switched_off(open_page: Open, traces: list[RunOperation]) -> None:
    page = open_page(URL)
    page.keyboard.press("?")
    page.get_by_label("Letter keys").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("j")
    expect(page.locator(".run-row__link:focus")).to_have_count(0)


def test_the_list_works_without_scripts(open_page: Open, traces: list[RunOperation]) -> None:
    page = open_page(URL, java_script_enabled=False)
    expect(rows(page)).to_have_count(50)
    page.get_by_role("link", name="Load 50 older").click()
    expect(rows(page)).to_have_count(10)
    page.get_by_role("link", name="Newest").click()
    page.get_by_role("link", name="Error 1").click()
    expect(rows(page)).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?status=error&q=order",
        "?name=nobody&status=error",
        "?q=status:success+latency:>1ms+-type:tool+(tag:web+OR+tag:prod)",
        "?q=tag:web+statsu:error",
    ],
)
def test_the_list_is_accessible_and_nothing_scrolls_sideways(
    open_page: Open,
    find_violations: Violations,
    traces: list[RunOperation],
    theme: str,
    size: dict[str, int],
    query: str,
) -> None:
    page = open_page(URL + query, color_scheme=theme, viewport=size)
    if "order" not in query:  # that one reads payloads, and is not live
        wait_until_live(page)
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_rows_are_selected_by_keys_and_by_mouse_and_tagged_together(
    open_page: Open, traces: list[RunOperation], find_violations: Violations
) -> None:
    page = open_page(URL)
    bar = page.locator("#selection")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(bar).to_contain_text("3 selected")
    rows(page).nth(4).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(bar).to_contain_text("5 selected")
    page.keyboard.press("t")
    bar.get_by_label("Tag").fill("vip")
    assert find_violations(page) == []
    bar.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status").first).to_have_text("Tagged 5 traces “vip”.")
    expect(page.locator("#rail").get_by_role("link", name="vip 5")).to_be_visible()


@pytest.mark.parametrize("options", [{}, {"viewport": NARROW, "color_scheme": "dark"}])
def test_lists_of_runs_with_chosen_columns_can_be_used_by_everyone(
    open_page: Open,
    traces: list[RunOperation],
    find_violations: Violations,
    options: dict[str, Any],
) -> None:
    page = open_page(URL, **options)
    page.get_by_role("navigation", name="Rows").get_by_role("link", name="All runs").click()
    expect(page).to_have_url(re.compile("of=runs"))
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("First token").check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("columns="))
    expect(rows(page).first).to_be_visible()
    assert find_violations(page) == []
