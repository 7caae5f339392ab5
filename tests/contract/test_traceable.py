"""What a program traces with `@traceable` and its kin, in each release and over each transport."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.contract.compatibility import covers
from tests.contract.support import (
    NEWEST,
    PYTHON,
    Account,
    Runs,
    new_project,
    read_runs,
    run_program,
)

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

OLD = "0.1.147"
RUN_COUNT = 21
WAYS = {
    "newest": ("", {}),
    "uncompressed": ("", {"LANGSMITH_DISABLE_RUN_COMPRESSION": "true"}),
    "old": ("langsmith-0.1.lock", {}),
}


@pytest.fixture(scope="module", params=list(WAYS))
def runs(
    request: pytest.FixtureRequest, account: Account, python_with: Callable[[str], str]
) -> Runs:
    lock, settings = WAYS[request.param]
    project = new_project(f"traceable, {request.param}")
    python = python_with(lock) if lock else sys.executable
    run_program(python, "traced_functions", account.environment(project, **settings))
    return read_runs(account.client, project, RUN_COUNT)


def each_way(what: str) -> pytest.MarkDecorator:
    """Run a test over each transport and release, as proof of one row for each."""
    rows = {
        "newest": covers(client=PYTHON, version=NEWEST, what=what),
        "uncompressed": covers(client=PYTHON, version=NEWEST, what=f"{what} (uncompressed)"),
        "old": covers(client=PYTHON, version=OLD, what=what),
    }
    return pytest.mark.parametrize(
        "runs", [pytest.param(way, marks=row) for way, row in rows.items()], indirect=True
    )


@each_way("`@traceable` functions")
def test_a_function_is_a_tree_of_what_it_called(runs: Runs) -> None:
    root = runs.one("agent")
    assert runs.tree(root) == ["agent", ["look up", "model"], "fail", "model"]
    assert root.inputs == {"question": "where is my kettle?", "limit": 3}
    assert root.outputs is not None
    assert root.outputs["answer"] == "WHERE IS MY KETTLE?!"
    assert root.tags is not None
    assert sorted(root.tags) == ["beta", "prod"]
    assert (root.metadata["thread_id"], root.metadata["n"]) == ("t-1", 2**60)
    assert [run.status for run in runs.named("model")] == ["success", "success"]


@each_way("errors")
def test_a_failed_function_has_its_error_and_traceback(runs: Runs) -> None:
    run = runs.one("fail")
    assert run.status == "error"
    assert run.error is not None
    assert "ValueError('out of kettles / 返金')" in run.error
    assert "Traceback" in run.error


@each_way("token usage and cost")
def test_usage_is_counted_once_and_has_a_cost(runs: Runs) -> None:
    first, _ = runs.named("model")
    assert (first.prompt_tokens, first.completion_tokens, first.total_tokens) == (3, 4, 7)
    assert runs.one("agent").total_tokens == 14
    assert first.total_cost is not None
    assert first.prompt_cost is not None
    assert first.completion_cost is not None
    assert first.total_cost == first.prompt_cost + first.completion_cost > 0


@each_way("`@traceable` coroutines")
def test_coroutines_that_run_at_once_keep_their_parent(runs: Runs) -> None:
    root = runs.one("waiting")
    assert runs.tree(root) == ["waiting", "later", "later"]
    assert root.outputs == {"output": "where where?"}


@each_way("`@traceable` generators")
def test_a_generator_has_what_it_yielded(runs: Runs) -> None:
    root = runs.one("streaming")
    assert root.outputs == {"output": "012"}
    assert runs.tree(root) == ["streaming", "step", "step", "step"]
    assert runs.one("async_streaming").outputs == {"output": [0, 1, 2]}


@each_way("threads (`ContextThreadPoolExecutor`)")
def test_threads_keep_their_parent(runs: Runs) -> None:
    assert runs.tree(runs.one("threads")) == ["threads", "step", "step", "step"]


@each_way("`RunTree` and `trace` by hand")
def test_runs_by_hand_are_as_they_were_said_to_be(runs: Runs) -> None:
    root, child = runs.one("by hand"), runs.one("child by hand")
    assert runs.tree(root) == ["by hand", "child by hand"]
    assert (root.inputs, root.outputs, root.tags) == ({"text": "a"}, {"text": "d"}, ["hand"])
    assert (child.run_type, child.inputs, child.outputs) == ("llm", {"text": "b"}, {"text": "c"})
    block = runs.one("block")
    assert (block.inputs, block.outputs, block.metadata["b"]) == ({"a": 1}, {"c": 3}, 2)


@each_way("`tracing_context`")
def test_a_context_says_more_about_runs_or_turns_tracing_off(runs: Runs) -> None:
    inside = [run for run in runs.named("step") if run.inputs == {"number": 7}]
    assert [(run.tags, run.metadata["shop"]) for run in inside] == [(["from context"], "kiln")]
    assert not [run for run in runs.named("step") if run.inputs == {"number": 8}]
