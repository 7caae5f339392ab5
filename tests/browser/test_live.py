"""Work that is under way, in a browser: what is shown grows in place, and what the reader did stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from collector.models import Project
from collector.wire.operations import RunOperation
from tests.browser.conftest import NARROW
from tests.factories import make_run, store_runs

Open = Callable[..., Page]
Violations = Callable[[Page], list[str]]


def answer(run: RunOperation, text: str, **fields: Any) -> RunOperation:
    """Return an update of a model's run with what it has said so far."""
    message = {"type": "ai", "content": text}
    outputs = orjson.dumps({"generations": [[{"text": text, "message": message}]]})
    known = {"trace_id": run.trace_id, "day": run.day, "parent_run_id": run.parent_run_id}
    return RunOperation(
        id=run.id,
        is_update=True,
        received_at=datetime.now(UTC),
        outputs=outputs,
        **(known | fields),
    )


@pytest.fixture
def agent() -> tuple[RunOperation, RunOperation]:
    """A running agent, and the model that answers in it. Its question is long, so that the pane scrolls."""
    now = datetime.now(UTC)
    root = make_run(name="agent", start_time=now - timedelta(seconds=3), end_time=None)
    question = orjson.dumps(
        {"messages": [[{"type": "human", "content": "\n\n".join(["What is a kiln?"] * 80)}]]}
    )
    model = make_run(
        root, name="model", run_type="llm", after_seconds=1, end_time=None, inputs=question
    )
    return root, model


def test_an_answer_grows_where_the_reader_is_and_leaves_what_they_did(
    open_page: Open,
    project: Project,
    agent: tuple[RunOperation, RunOperation],
    find_violations: Violations,
) -> None:
    root, model = agent
    store_runs(project.id, root, model, answer(model, "The glaze melts at once. " * 3))
    page = open_page(f"/p/{project.name}/traces/{root.id}?run={model.id}")
    output = page.locator("[data-block=output] .prose")
    expect(output).to_contain_text("melts")
    body = page.locator("#run-body")
    select = """() => {
      const text = document.querySelector("[data-block=output] .prose p").firstChild;
      getSelection().setBaseAndExtent(text, 4, text, 9);
    }"""
    page.evaluate(select)
    page.locator("[data-block=input] .fold__more > summary").focus()
    page.keyboard.press("Enter")
    page.evaluate("document.getElementById('run-body').scrollTop = 60")

    page.wait_for_function("document.querySelector('[data-heard]')")
    store_runs(project.id, answer(model, "The glaze melts at once. " * 3 + "Then it cools."))
    expect(output).to_contain_text("Then it cools.")
    assert page.evaluate("getSelection().toString()") == "glaze"
    assert body.evaluate("(body) => body.scrollTop") == 60
    expect(page.locator("[data-block=input] .fold__more")).to_have_attribute("open", "")
    expect(page.locator("[data-block=input] .fold__more > summary")).to_be_focused()
    clock = page.locator(".run-head [data-ticks]")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    assert find_violations(page) == []

    store_runs(project.id, answer(model, "All in all: yes.", end_time=datetime.now(UTC)))
    expect(output).to_have_text("All in all: yes.")
    expect(page.locator("[data-grows]")).to_have_count(0)


def test_the_list_shows_what_a_running_agents_model_is_saying(
    open_page: Open, project: Project, agent: tuple[RunOperation, RunOperation]
) -> None:
    root, model = agent
    store_runs(project.id, root, model)
    page = open_page(f"/p/{project.name}/traces")
    expect(page.locator("[data-live-switch]")).to_have_attribute("data-state", "on")
    cell = page.locator(f"#trace-{root.id} .col-out")
    store_runs(project.id, answer(model, "First the clay. " * 20))
    expect(cell).to_contain_text("the clay.")
    store_runs(project.id, answer(model, "First the clay. " * 20 + "Then the fire."))
    expect(cell).to_contain_text("Then the fire.")
    caret, right = cell.locator(".caret").bounding_box(), cell.bounding_box()
    assert caret is not None
    assert right is not None
    assert caret["x"] + caret["width"] <= right["x"] + right["width"]
    end = datetime.now(UTC)
    store_runs(
        project.id, answer(model, "x", end_time=end), answer(root, "Fire and clay.", end_time=end)
    )
    expect(cell).to_have_text("Fire and clay.")


def test_a_dead_run_says_when_it_was_last_heard_of(
    open_page: Open, project: Project, find_violations: Violations
) -> None:
    then = datetime.now(UTC) - timedelta(minutes=14, seconds=10)
    root = make_run(name="agent", start_time=then, end_time=None, received_at=then)
    store_runs(project.id, root)
    page = open_page(f"/p/{project.name}/traces/{root.id}", viewport=NARROW)
    said = "No word for 14 min, the process has probably died"
    expect(page.locator("#trace-left")).to_contain_text(said)
    expect(page.locator("#trace-head")).to_contain_text("Incomplete")
    assert page.locator("[data-ticks]").count() == 0
    assert find_violations(page) == []
    page.goto(f"/p/{project.name}/traces")
    expect(page.locator(f"#trace-{root.id}")).to_contain_text("Incomplete")
