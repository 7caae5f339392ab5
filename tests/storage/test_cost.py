"""What runs cost, from the wire to the rows, in figures worked out by hand."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.models import AppliedPrice, ModelPrice, Project, Workspace
from collector.prices.table import add_price, check_draft, retire_price
from collector.reads.costs import CLIENT, explain_cost, find_cost_details, find_stored_prices
from collector.reads.runs import find_run
from collector.reads.traces import get_trace
from collector.reads.types import RunSummary
from collector.wire.operations import RunOperation
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db


def model_run(
    model: str | None, provider: str | None, usage: dict[str, Any], **fields: Any
) -> RunOperation:
    metadata = {"ls_model_name": model, "ls_provider": provider, "usage_metadata": usage}
    extra = json.dumps({"metadata": metadata}).encode()
    return make_run(**{"run_type": "llm", "name": "model", "extra": extra} | fields)


def usage(prompt: int, completion: int, **details: dict[str, Any]) -> dict[str, Any]:
    return {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": prompt + completion,
        **{f"{side}_token_details": given for side, given in details.items()},
    }


def stored(project: Project, operation: RunOperation) -> RunSummary:
    store_runs(project.id, operation)
    run = find_run([project.id], operation.id)
    assert run is not None
    return run


def lines(project: Project, run: RunSummary) -> list[tuple[str, int, str, str]]:
    explanation = explain_cost([project.id], run)
    assert explanation is not None
    return [
        (line.unit, line.tokens, f"{line.rate.normalize():f}", f"{line.cost.normalize():f}")
        for line in explanation.lines
    ]


def add(workspace: Workspace, pattern: str, prices: dict[str, Any], **fields: Any) -> UUID:
    draft = check_draft(model_pattern=pattern, prices=prices, **fields)
    return add_price(workspace, draft).id


def test_gpt_4o_charges_cached_tokens_at_their_own_price(project: Project) -> None:
    run = stored(
        project,
        model_run(
            "gpt-4o-2024-08-06",
            "openai",
            usage(1500, 200, input={"cache_read": 1200}, output={"reasoning": 50}),
        ),
    )
    # 300 * $2.50 + 1,200 * $1.25 = $0.00225; 200 * $10 = $0.002, a million each
    assert (run.prompt_cost, run.completion_cost, run.total_cost) == (
        Decimal("0.00225"),
        Decimal("0.002"),
        Decimal("0.00425"),
    )
    assert lines(project, run) == [
        ("input.cache_read", 1200, "1.25", "0.0015"),
        ("input", 300, "2.5", "0.00075"),
        ("output", 200, "10", "0.002"),
    ]


def test_claude_charges_what_it_writes_into_its_cache_by_how_long_it_stays(
    project: Project,
) -> None:
    given = {
        "cache_read": 10_000,
        "cache_creation": 3_000,
        "ephemeral_5m_input_tokens": 2_000,
        "ephemeral_1h_input_tokens": 1_000,
    }
    run = stored(
        project,
        model_run("claude-3-5-sonnet-20241022", "anthropic", usage(15_000, 400, input=given)),
    )
    assert lines(project, run) == [
        ("input.ephemeral_1h_input_tokens", 1000, "6", "0.006"),
        ("input.ephemeral_5m_input_tokens", 2000, "3.75", "0.0075"),
        ("input.cache_read", 10_000, "0.3", "0.003"),
        ("input", 2000, "3", "0.006"),
        ("output", 400, "15", "0.006"),
    ]
    assert run.total_cost == Decimal("0.0285")


@pytest.mark.parametrize(
    ("prompt", "cost"),
    [
        pytest.param(200_000, "0.26", id="up to the tier"),  # 200,000 * 1.25 + 1,000 * 10
        pytest.param(200_001, "0.5150025", id="past it"),  # 200,001 * 2.50 + 1,000 * 15
    ],
)
def test_gemini_charges_all_tokens_of_a_long_prompt_at_the_higher_tier(
    project: Project, prompt: int, cost: str
) -> None:
    run = stored(project, model_run("gemini-2.5-pro", "google_genai", usage(prompt, 1000)))
    assert run.total_cost == Decimal(cost)


def test_audio_in_and_out_have_prices_of_their_own(project: Project) -> None:
    given = usage(1000, 500, input={"audio": 600, "cache_read": 100}, output={"audio": 400})
    run = stored(project, model_run("gpt-4o-realtime-preview", "openai", given))
    assert lines(project, run) == [
        ("input.audio", 600, "40", "0.024"),
        ("input.cache_read", 100, "2.5", "0.00025"),
        ("input", 300, "5", "0.0015"),
        ("output.audio", 400, "80", "0.032"),
        ("output", 100, "20", "0.002"),
    ]
    assert run.total_cost == Decimal("0.05975")


def test_an_embedding_costs_its_input(project: Project) -> None:
    operation = model_run(
        "text-embedding-3-small", "openai", usage(1_000_000, 0), run_type="embedding"
    )
    assert stored(project, operation).total_cost == Decimal("0.02")


@pytest.mark.parametrize(
    ("model", "provider"),
    [("llama3", "ollama"), ("no-such-model", "openai"), ("gpt-4o", "somebody"), (None, "openai")],
)
def test_what_nobody_knows_has_no_cost(project: Project, model: str | None, provider: str) -> None:
    run = stored(project, model_run(model, provider, usage(1000, 10)))
    assert (run.prompt_tokens, run.prompt_cost, run.total_cost, run.price_id) == (
        1000,
        None,
        None,
        None,
    )
    assert explain_cost([project.id], run) is None


def test_a_total_alone_has_no_cost(project: Project) -> None:
    assert stored(project, model_run("gpt-4o", "openai", {"total_tokens": 9})).total_cost is None


def test_a_parent_with_a_copy_of_the_usage_has_no_cost_and_adds_none(project: Project) -> None:
    root = model_run("gpt-4o", "openai", usage(1000, 0), run_type="chain")
    child = model_run("gpt-4o", "openai", usage(1000, 0), parent=root)
    store_runs(project.id, root, child)
    run, trace = find_run([project.id], root.id), get_trace([project.id], root.id)
    assert run is not None
    assert trace is not None
    assert run.total_cost is None
    assert (trace.prompt_cost, trace.completion_cost, trace.total_cost) == (
        Decimal("0.0025"),
        0,
        Decimal("0.0025"),
    )


def test_a_cost_that_the_client_states_stands(project: Project) -> None:
    given = {
        **usage(1000, 10),
        "input_cost": 1e-7,
        "output_cost": 1e-6,
        "input_cost_details": {"cache_read": 1e-8},
    }
    run = stored(project, model_run("gpt-4o", "openai", given))
    assert (run.prompt_cost, run.completion_cost, run.total_cost, run.price_id) == (
        Decimal("1e-7"),
        Decimal("1e-6"),
        Decimal("0.0000011"),
        None,
    )
    explanation = explain_cost([project.id], run)
    assert explanation is not None
    assert (explanation.source, explanation.lines) == (CLIENT, ())
    assert find_cost_details(run) == {"input": {"cache_read": Decimal("1e-8")}, "output": {}}


def test_a_stated_cost_that_comes_later_takes_the_computed_ones_place(project: Project) -> None:
    operation = model_run("gpt-4o", "openai", usage(1000, 10))
    assert stored(project, operation).price_id is not None
    stated = {"metadata": {"usage_metadata": {"total_cost": 0}}}
    later = make_run(
        id=operation.id, is_update=True, run_type="llm", extra=json.dumps(stated).encode()
    )
    run = stored(project, later)
    trace = get_trace([project.id], operation.id)
    assert (run.total_cost, run.price_id, run.prompt_tokens) == (0, None, 1000)
    assert trace is not None
    assert trace.total_cost == 0


def test_the_workspaces_table_wins(project: Project, workspace: Workspace) -> None:
    row_id = add(workspace, "^gpt-4o", {"input": "1", "output": "2", "input.cache_read": "0.5"})
    run = stored(
        project, model_run("gpt-4o", "openai", usage(1000, 100, input={"cache_read": 200}))
    )
    assert run.total_cost == Decimal("0.0011")
    explanation = explain_cost([project.id], run)
    assert explanation is not None
    assert (explanation.source, explanation.model, explanation.model_price_id) == (
        "price table",
        "^gpt-4o",
        row_id,
    )


def test_another_workspaces_table_is_not_looked_at(project: Project) -> None:
    add(Workspace.objects.create(name="Other"), "gpt", {"input": "1000"})
    run = stored(project, model_run("gpt-4o", "openai", usage(1000, 0)))
    assert run.total_cost == Decimal("0.0025")


def test_the_newest_row_in_force_that_fits_is_taken(project: Project, workspace: Workspace) -> None:
    add(workspace, "own-.*", {"input": "1"})
    add(workspace, "own-.*", {"input": "2"}, provider="Acme")
    add(workspace, "own-.*", {"input": "3"}, start_date=datetime(2099, 1, 1, tzinfo=UTC).date())
    retire_price(workspace, add(workspace, "own-.*", {"input": "4"}))

    def cost(provider: str | None) -> Decimal | None:
        return stored(project, model_run("own-model", provider, usage(1_000_000, 0))).total_cost

    assert (cost("acme"), cost("others"), cost(None)) == (2, 1, 1)


def test_a_change_that_another_process_makes_is_seen_before_long(
    project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.prices.table.CACHE_SECONDS", 0.3)

    def cost() -> Decimal | None:
        return stored(project, model_run("own", None, usage(1_000_000, 0))).total_cost

    assert cost() is None
    ModelPrice.objects.create(workspace=workspace, model_pattern="own", prices={"input": "1"})
    deadline = time.monotonic() + 5
    while cost() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert cost() == 1


def test_a_price_holds_from_its_start_date_on(project: Project, workspace: Workspace) -> None:
    operation = model_run("own", None, usage(1_000_000, 0))
    assert operation.start_time is not None
    day = operation.start_time.date()
    add(workspace, "own", {"input": "1"}, start_date=day)
    assert stored(project, operation).total_cost == 1
    earlier = model_run(
        "own", None, usage(1_000_000, 0), start_time=operation.start_time - timedelta(days=1)
    )
    assert stored(project, earlier).total_cost is None


def test_bundled_prices_are_those_of_the_day_of_the_run(project: Project) -> None:
    def cost(time: datetime) -> Decimal | None:
        operation = model_run("o3", "openai", usage(1_000_000, 0), start_time=time)
        return stored(project, operation).total_cost

    assert cost(datetime(2025, 6, 9, 23, 59, tzinfo=UTC)) == 10
    assert cost(datetime(2025, 6, 10, 0, 0, tzinfo=UTC)) == 2


def test_prices_that_change_within_a_day_are_those_of_the_hour(project: Project) -> None:
    def cost(hour: int) -> Decimal | None:
        time = datetime(2026, 11, 24, hour, 31, tzinfo=UTC)
        return stored(
            project,
            model_run("deepseek-chat", "deepseek", usage(1_000_000, 0), start_time=time),
        ).total_cost

    assert (cost(12), cost(20)) == (Decimal("0.27"), Decimal("0.135"))


def test_a_price_is_stored_once_and_explains_the_run_when_the_table_has_changed(
    project: Project, workspace: Workspace
) -> None:
    row_id = add(workspace, "own", {"input": "1.5"})
    first = stored(project, model_run("own-a", None, usage(10, 0)))
    second = stored(project, model_run("own-b", None, usage(10, 0)))
    retire_price(workspace, row_id)
    assert first.price_id == second.price_id
    assert AppliedPrice.objects.count() == 1
    assert lines(project, first) == [("input", 10, "1.5", "0.000015")]


def test_a_run_of_another_project_is_not_explained(project: Project) -> None:
    run = stored(project, model_run("gpt-4o", "openai", usage(10, 0)))
    assert explain_cost([], run) is None


def test_prices_of_many_runs_take_one_query(
    project: Project, workspace: Workspace, django_assert_num_queries: Any
) -> None:
    for name in "abc":
        add(workspace, f"own-{name}", {"input": 1})
    runs = [stored(project, model_run(f"own-{name}", None, usage(10, 0))) for name in "aabc"]
    with django_assert_num_queries(1):
        assert len(find_stored_prices(runs)) == 3
    with django_assert_num_queries(0):
        for run in runs:
            find_cost_details(run)


counts = st.integers(0, 300_000)
DETAILS = ["cache_read", "cache_creation", "ephemeral_1h_input_tokens", "audio", "priority", "new"]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    prompt=counts,
    completion=counts,
    details=st.dictionaries(st.sampled_from(DETAILS), counts),
    model=st.sampled_from(
        [
            ("gpt-5", "openai"),
            ("claude-sonnet-4-5", "anthropic"),
            ("gemini-2.5-flash", "google_vertexai"),
        ]
    ),
)
def test_the_lines_add_up_to_the_stored_cost_and_to_all_tokens(
    project: Project,
    prompt: int,
    completion: int,
    details: dict[str, int],
    model: tuple[str, str],
) -> None:
    run = stored(project, model_run(*model, usage(prompt, completion, input=details)))
    explanation = explain_cost([project.id], run)
    assert explanation is not None
    assert sum(line.cost for line in explanation.lines) == run.total_cost
    for side, tokens in (("input", prompt), ("output", completion)):
        assert sum(line.tokens for line in explanation.lines if line.side == side) == tokens
