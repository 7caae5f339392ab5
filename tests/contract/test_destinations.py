"""Where runs go: traces that span processes and projects, replicas, agents."""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass

import pytest
from langsmith import agent_address
from langsmith.schemas import Run

from tests.contract.support import (
    Account,
    Runs,
    new_project,
    newest_covers,
    read_runs,
    run_program,
    wait_for,
)

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@dataclass(frozen=True)
class Call:
    """A trace that two processes wrote, and where each wrote to by its environment."""

    caller_project: str
    service_project: str
    root: Run


def call(account: Account, headers: str) -> Call:
    caller, service = new_project("caller"), new_project("service")
    run_program(sys.executable, "distributed_caller", account.environment(caller), headers, service)
    (root,) = wait_for(
        lambda: [
            run
            for run in account.client.list_runs(project_name=caller, is_root=True)
            if run.end_time
        ],
        lambda runs: len(runs) == 1,
    )
    return Call(caller, service, root)


def trace(account: Account, root: Run, count: int) -> Runs:
    runs = wait_for(
        lambda: list(account.client.list_runs(trace_id=root.id)), lambda runs: len(runs) == count
    )
    return Runs(runs)


@newest_covers(what="distributed traces (`langsmith-trace` and `baggage`)")
def test_a_trace_goes_on_in_the_process_that_got_its_headers(account: Account) -> None:
    made = call(account, "langsmith-trace+baggage")
    runs = trace(account, made.root, 3)
    assert runs.tree(made.root) == ["call", ["serve", "find"]]
    assert {run.session_id for run in runs.all} == {made.root.session_id}
    assert (runs.one("serve").tags, runs.one("serve").metadata["shop"]) == (["checkout"], "kiln")
    assert not account.client.has_project(made.service_project)


@newest_covers(what="children in another project than their root")
def test_a_child_in_another_project_is_in_both_its_project_and_its_trace(account: Account) -> None:
    made = call(account, "langsmith-trace")
    runs = trace(account, made.root, 3)
    assert runs.tree(made.root) == ["call", ["serve", "find"]]
    assert {run.trace_id for run in runs.all} == {made.root.id}
    other = read_runs(account.client, made.service_project, 2)
    assert sorted(run.name for run in other.all) == ["find", "serve"]
    assert list(account.client.list_runs(project_name=made.service_project, is_root=True)) == []
    loaded = account.client.read_run(made.root.id, load_child_runs=True)
    assert [child.name for child in loaded.child_runs or []] == ["serve"]


@newest_covers(what="replicas (`tracing_context(replicas=…)`)")
def test_replicas_are_two_traces_of_the_same_shape(account: Account) -> None:
    first, second = new_project("replica 1"), new_project("replica 2")
    run_program(sys.executable, "replicated", account.environment(first), first, second)
    original = read_runs(account.client, first, 2)
    copy = read_runs(account.client, second, 2)
    for runs in (original, copy):
        assert runs.tree(runs.one("work")) == ["work", "add"]
        assert runs.one("work").outputs == {"output": 2}
    assert {run.id for run in original.all}.isdisjoint(run.id for run in copy.all)
    assert (original.one("work").tags or [], copy.one("work").tags) == ([], ["copy"])


@newest_covers(what="replicas (`RUNS_ENDPOINTS` in the environment)")
def test_replicas_are_taken_from_the_environment(account: Account) -> None:
    projects = new_project("endpoint 1"), new_project("endpoint 2")
    endpoints = [
        {"api_url": account.endpoint, "api_key": account.api_key, "project_name": name}
        for name in projects
    ]
    # By its older name: beside the newer one LANGSMITH_ENDPOINT may not stand, and without that the
    # SDK asks LangSmith's own address what it can do.
    settings = {"LANGCHAIN_RUNS_ENDPOINTS": json.dumps(endpoints)}
    run_program(sys.executable, "replicated", account.environment(projects[0], **settings))
    for project in projects:
        runs = read_runs(account.client, project, 2)
        assert runs.tree(runs.one("work")) == ["work", "add"]


AGENT = f"kiln-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def agent_runs(account: Account) -> Runs:
    """What an agent traced that has an address in place of a project: they exclude each other."""
    environment = account.environment(
        "", LANGSMITH_AGENT_ID=AGENT, LANGSMITH_AGENT_ENVIRONMENT="production"
    )
    del environment["LANGSMITH_PROJECT"]
    run_program(sys.executable, "replicated", environment)
    return read_runs(account.client, f"{AGENT}/production", 2)


@newest_covers(what="agent addresses (`LANGSMITH_AGENT_ID`, `LANGSMITH_AGENT_ENVIRONMENT`)")
def test_an_agents_runs_are_in_the_project_that_its_address_names(agent_runs: Runs) -> None:
    assert agent_runs.tree(agent_runs.one("work")) == ["work", "add"]


@newest_covers(what="agent addresses (`LANGSMITH_AGENT_ID`, `LANGSMITH_AGENT_ENVIRONMENT`)")
def test_an_address_is_resolved_to_its_project(account: Account, agent_runs: Runs) -> None:
    work = agent_runs.one("work")
    unplaced = work.model_copy(update={"session_id": None})
    address = agent_address(AGENT, "production")
    url = account.client.get_run_url(run=unplaced, address=address)
    assert f"/projects/p/{work.session_id}/r/{work.id}" in url
