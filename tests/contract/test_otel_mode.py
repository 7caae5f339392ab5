"""The SDK with `LANGSMITH_TRACING_MODE=otel`: the same program as in test_traceable, sent as OpenTelemetry spans."""

from __future__ import annotations

import sys

import pytest

from tests.contract.support import Account, Runs, new_project, newest_covers, read_runs, run_program

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

RUN_COUNT = 21


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    project = new_project("otel mode")
    environment = account.environment(project, LANGSMITH_TRACING_MODE="otel")
    run_program(sys.executable, "traced_functions", environment)
    return read_runs(account.client, project, RUN_COUNT)


@newest_covers(what="`LANGSMITH_TRACING_MODE=otel`")
def test_spans_are_the_tree_that_the_runs_would_have_been(runs: Runs) -> None:
    root = runs.one("agent")
    assert runs.tree(root) == ["agent", ["look up", "model"], "fail", "model"]
    assert {run.run_type for run in runs.named("model")} == {"llm"}
    assert runs.tree(runs.one("threads")) == ["threads", "step", "step", "step"]


@newest_covers(what="`LANGSMITH_TRACING_MODE=otel`")
def test_a_span_has_the_runs_inputs_outputs_tags_and_metadata(runs: Runs) -> None:
    root = runs.one("agent")
    assert root.inputs == {"question": "where is my kettle?", "limit": 3}
    assert root.outputs is not None
    assert root.outputs["answer"] == "WHERE IS MY KETTLE?!"
    assert sorted(root.tags or []) == ["beta", "prod"]
    assert root.metadata["thread_id"] == "t-1"


@newest_covers(what="`LANGSMITH_TRACING_MODE=otel`")
def test_a_spans_usage_counts_once(runs: Runs) -> None:
    first, _ = runs.named("model")
    assert (first.prompt_tokens, first.completion_tokens, first.total_tokens) == (3, 4, 7)
    assert runs.one("agent").total_tokens == 14


@newest_covers(what="`LANGSMITH_TRACING_MODE=otel`")
def test_a_failed_span_has_its_error(runs: Runs) -> None:
    run = runs.one("fail")
    assert run.status == "error"
    assert run.error is not None
    assert "out of kettles / 返金" in run.error
