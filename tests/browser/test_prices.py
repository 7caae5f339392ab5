"""The price table and a run's cost in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Page, expect

from collector.models import ModelPrice, Project, Workspace
from collector.prices.table import add_price, check_draft
from tests.browser.conftest import NARROW
from tests.factories import make_run, store_runs

PRICES = {"input": "3", "output": "15", "input.cache_read": "0.3", "input.audio": "40"}


def add(workspace: Workspace) -> ModelPrice:
    draft = check_draft(model_pattern="^own-", prices=PRICES, name="Contract")
    return add_price(workspace, draft, by="alice")


def test_a_price_is_added_changed_and_retired(
    open_page: Callable[..., Page], project: Project
) -> None:
    page = open_page("/projects")
    page.get_by_label("account and settings").click()
    page.get_by_role("link", name="Model prices").click()
    page.get_by_label("Model name matches").fill("^own-")
    page.get_by_label("Input", exact=True).fill("2.5")
    page.get_by_role("button", name="Add price").click()
    expect(page.get_by_text("input $2.5")).to_be_visible()
    page.get_by_role("link", name="Change ^own-").click()
    page.get_by_label("Output").fill("10")
    page.get_by_role("button", name="Replace price").click()
    expect(page.get_by_text("output $10")).to_be_visible()
    expect(page.get_by_text("1 in force")).to_be_visible()
    page.get_by_role("button", name="Retire ^own-").click()
    page.get_by_role("button", name="Retire price").click()
    expect(page.get_by_text("no prices of its own")).to_be_visible()


def test_the_table_has_no_accessibility_violations(
    open_page: Callable[..., Page],
    find_violations: Callable[[Page], list[str]],
    workspace: Workspace,
    project: Project,
) -> None:
    row = add(workspace)
    for scheme in ("light", "dark"):
        assert find_violations(open_page("/settings/prices", color_scheme=scheme)) == []
    narrow = open_page(f"/settings/prices?change={row.id}", viewport=NARROW)
    assert find_violations(narrow) == []
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_run_unfolds_how_its_cost_came_about(
    open_page: Callable[..., Page],
    find_violations: Callable[[Page], list[str]],
    workspace: Workspace,
    project: Project,
) -> None:
    add(workspace)
    usage = {"input_tokens": 1500, "output_tokens": 9, "input_token_details": {"cache_read": 1200}}
    extra = {"metadata": {"ls_model_name": "own-model", "usage_metadata": usage}}
    run = make_run(run_type="llm", extra=json.dumps(extra).encode())
    store_runs(project.id, run)
    page = open_page(f"/p/{project.name}/traces/{run.id}")
    page.get_by_text("How this cost came about").click()
    line = page.get_by_text("1,200 input tokens read from the cache × $0.30 / 1M")
    expect(line).to_be_visible()
    expect(page.get_by_text("$0.00036")).to_be_visible()
    assert find_violations(page) == []
