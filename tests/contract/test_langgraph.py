"""What a LangGraph agent traces of itself where the environment says so."""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version

import pytest
from langsmith.schemas import Run

from tests.contract.compatibility import covers
from tests.contract.support import Account, Runs, new_project, run_program, wait_for

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

langgraph_covers = partial(covers, client="langgraph", version=version("langgraph"))


@pytest.fixture(scope="module")
def project(account: Account) -> str:
    project = new_project("langgraph")
    run_program(sys.executable, "graph", account.environment(project))
    return project


@pytest.fixture(scope="module")
def runs(account: Account, project: str) -> Runs:
    found = wait_for(
        lambda: list(account.client.list_runs(project_name=project)),
        lambda runs: len(runs) > 2 and all(run.end_time for run in runs) and _roots(runs) == 2,
    )
    return Runs(found)


def _roots(runs: list[Run]) -> int:
    return sum(run.parent_run_id is None for run in runs)


def steps(runs: Runs, root: Run) -> list[str]:
    return [run.name for run in runs.children(root)]


@langgraph_covers(what="agents with tools")
def test_the_nodes_hang_below_the_graph_in_their_order(runs: Runs) -> None:
    first, _ = runs.named("clerk")
    assert steps(runs, first) == ["model", "tools", "model", "research", "approve"]
    model, tools, *_ = runs.children(first)
    assert "answer" in str(runs.tree(model))
    assert runs.tree(tools) == ["tools", "weigh"]
    assert runs.one("weigh").run_type == "tool"
    assert tools.metadata["langgraph_node"] == "tools"


@langgraph_covers(what="subgraphs")
def test_a_subgraph_is_a_tree_within_its_node(runs: Runs) -> None:
    first, _ = runs.named("clerk")
    assert runs.tree(runs.children(first)[3]) == ["research", ["LangGraph", "look up"]]


@langgraph_covers(what="interrupt and resume")
def test_an_interrupted_and_a_resumed_run_are_two_traces_of_one_thread(
    account: Account, project: str, runs: Runs
) -> None:
    first, second = runs.named("clerk")
    assert "approve" in steps(runs, second)
    assert second.status == "success"
    assert {run.metadata["thread_id"] for run in (first, second)} == {"order-7"}
    turns = account.client.read_thread(thread_id="order-7", project_name=project)
    assert [run.id for run in turns] == [first.id, second.id]


@langgraph_covers(what="interrupt and resume")
def test_an_interrupt_is_seen_for_what_it_is(runs: Runs) -> None:
    first, _ = runs.named("clerk")
    asked = runs.children(first)[-1]
    assert asked.error is not None
    assert "GraphInterrupt" in asked.error
