"""`manage.py prices`: what an operator reads and writes."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from collector.models import ModelPrice, Workspace

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("prices", *arguments, stdout=out)
    return out.getvalue()


def test_an_added_price_is_listed_and_shown_until_it_is_retired(workspace: Workspace) -> None:
    run("add", "^own-", "input=2.5", "output=10", "--provider", "acme", "--since", "2026-01-02")
    row = ModelPrice.objects.get(workspace=workspace)
    assert (row.prices, row.created_by) == ({"input": "2.5", "output": "10"}, "manage.py")
    assert run("list") == (
        f"{row.id}  ^own-  acme, since 2026-01-02\n"
        "    input                            $2.5\n"
        "    output                           $10\n"
    )
    assert run("show", "own-model", "--provider", "acme").startswith(
        "price table: acme, ^own-, since 2026-01-02\n"
    )
    assert run("retire", str(row.id)) == "^own- is retired.\n"
    assert run("list").startswith("The table is empty")


def test_a_bundled_price_is_shown_with_its_tiers(workspace: Workspace) -> None:
    shown = run("show", "gemini-2.5-pro", "--provider", "google_genai")
    assert shown.startswith("genai-prices ")
    assert "    input                            $1.25, $2.5 past 200,000 input tokens\n" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "no-such-model"], "Nobody knows what 'no-such-model' costs"),
        (["add", "(", "input=1"], "model_pattern: this is no RE2 pattern"),
        (["add", "own", "input"], "prices: input must be USD"),
        (["retire", str(uuid4())], "has no price"),
        (["--workspace", "nope", "list"], "There is no workspace 'nope'"),
    ],
)
def test_what_cannot_be_done_is_said(workspace: Workspace, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said.replace("(", r"\(")):
        run(*arguments)
