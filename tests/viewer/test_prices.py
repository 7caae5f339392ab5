"""The price table's page, and how a run's page explains its cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from collector.models import ModelPrice, Project, User, Workspace
from collector.prices.table import add_price, check_draft
from tests.factories import make_run, store_runs

PAGE = "/settings/prices"


def add(workspace: Workspace, pattern: str = "^own-", **prices: str) -> ModelPrice:
    return add_price(workspace, check_draft(model_pattern=pattern, prices=prices or {"input": "1"}))


def send(client: Client, workspace: Workspace, **fields: str) -> HttpResponse:
    given = {"workspace": str(workspace.id), "model_pattern": "^own-", "input": "2.5"}
    return client.post(PAGE, given | fields)


def test_a_price_is_added_and_shown(
    reader: Client, workspace: Workspace, check_html: Callable[[HttpResponse], None]
) -> None:
    answer = send(
        reader,
        workspace,
        provider="acme",
        output="10",
        cache_read="0.5",
        start_date="2026-01-02",
        more="input.audio = 40\n\noutput.audio=80",
        name="Contract",
    )
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    row = ModelPrice.objects.get(workspace=workspace)
    assert (row.prices, str(row.start_date), row.created_by) == (
        {
            "input": "2.5",
            "output": "10",
            "input.cache_read": "0.5",
            "input.audio": "40",
            "output.audio": "80",
        },
        "2026-01-02",
        "alice",
    )
    page = reader.get(PAGE)
    check_html(page)
    assert "input.audio $40" in page.content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model_pattern": "("}, "Model name matches: this is no RE2 pattern"),
        ({"input": "much"}, "input must be USD per million tokens"),
        ({"input": ""}, "A price of input, output or both is needed."),
        ({"more": "audio = 1"}, "is no unit"),
        ({"start_date": "soon"}, "Enter a valid date."),
    ],
)
def test_what_cannot_be_is_said_and_the_form_keeps_what_was_typed(
    reader: Client,
    workspace: Workspace,
    fields: dict[str, str],
    said: str,
    check_html: Callable[[HttpResponse], None],
) -> None:
    answer = send(reader, workspace, name="typed before", **fields)
    assert answer.status_code == 422
    check_html(answer)
    text = answer.content.decode()
    assert said in text
    assert "typed before" in text
    assert not ModelPrice.objects.exists()


def test_a_change_puts_another_row_in_the_place_of_one(
    reader: Client, workspace: Workspace, check_html: Callable[[HttpResponse], None]
) -> None:
    row = add(workspace, input="1", **{"input.audio": "40"})
    page = reader.get(PAGE, {"change": str(row.id)})
    check_html(page)
    assert "input.audio = 40" in page.content.decode()
    send(reader, workspace, replaces=str(row.id), input="3")
    row.refresh_from_db()
    assert row.retired_at is not None
    new = ModelPrice.objects.get(retired_at=None)
    assert (new.model_pattern, new.prices) == ("^own-", {"input": "3"})


def test_a_row_that_was_retired_meanwhile_is_not_replaced(
    reader: Client, workspace: Workspace
) -> None:
    answer = send(reader, workspace, replaces=str(uuid4()))
    assert answer.status_code == 422
    assert "changed or retired meanwhile" in answer.content.decode()


def test_a_retired_price_is_gone_from_the_page(reader: Client, workspace: Workspace) -> None:
    row = add(workspace, pattern="^gone-")
    assert reader.post(f"{PAGE}/{row.id}/retire")["Location"] == PAGE
    assert "^gone-" not in reader.get(PAGE).content.decode()
    assert reader.post(f"{PAGE}/{row.id}/retire").status_code == 404


def test_a_viewer_sees_prices_but_changes_none(
    reader: Client, user: User, workspace: Workspace
) -> None:
    row = add(workspace)
    user.memberships.update(role="viewer")
    text = reader.get(PAGE).content.decode()
    assert "^own-" in text
    assert "Retire" not in text
    assert send(reader, workspace).status_code == 403
    assert reader.post(f"{PAGE}/{row.id}/retire").status_code == 404


def test_another_workspaces_prices_are_out_of_reach(stranger: Client, workspace: Workspace) -> None:
    row = add(workspace, pattern="^secret-")
    assert "^secret-" not in stranger.get(PAGE, {"change": str(row.id)}).content.decode()
    assert send(stranger, workspace).status_code == 404
    assert stranger.post(f"{PAGE}/{row.id}/retire").status_code == 404
    row.refresh_from_db()
    assert row.retired_at is None


def test_a_pattern_is_shown_as_text(reader: Client, workspace: Workspace) -> None:
    add(workspace, pattern="<script>alert(1)</script>")
    assert "<script>alert(1)" not in reader.get(PAGE).content.decode()


def test_a_run_shows_how_its_cost_came_about(
    reader: Client,
    project: Project,
    workspace: Workspace,
    check_html: Callable[[HttpResponse], None],
) -> None:
    add(workspace, input="3", output="15", **{"input.cache_read": "0.3"})
    usage = {
        "input_tokens": 1500,
        "output_tokens": 1,
        "input_token_details": {"cache_read": 1200},
    }
    extra = {"metadata": {"ls_model_name": "own-model", "usage_metadata": usage}}
    run = make_run(run_type="llm", extra=json.dumps(extra).encode())
    store_runs(project.id, run)
    page = reader.get(f"/p/{project.name}/traces/{run.id}")
    check_html(page)
    view = page.context["cost"]
    assert [(row.words, row.amount) for row in view.rows] == [
        ("1,200 input tokens read from the cache × $0.30 / 1M", "$0.00036"),
        ("300 other input tokens × $3.00 / 1M", "$0.0009"),
        ("1 output token × $15.00 / 1M", "$0.000015"),
    ]
    assert view.exact_total == "$0.001275"
    assert view.source.startswith("Priced by the workspace's price table: ^own-. First applied on ")
    assert "How this cost came about" in page.content.decode()


def test_a_run_without_a_cost_has_nothing_to_explain(reader: Client, project: Project) -> None:
    run = make_run(run_type="llm")
    store_runs(project.id, run)
    page = reader.get(f"/p/{project.name}/traces/{run.id}")
    assert page.context["cost"] is None
    assert "How this cost came about" not in page.content.decode()
