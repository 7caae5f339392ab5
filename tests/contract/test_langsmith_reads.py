"""The stock LangSmith SDK reads what it wrote, from a running server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from langsmith import Client
from langsmith.run_helpers import traceable, tracing_context
from langsmith.schemas import Run
from langsmith.utils import LangSmithAuthError, LangSmithNotFoundError

from tests.contract.support import Account, newest_covers, wait_for

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PROJECT = f"SDK reads / 返金 & 50% {uuid.uuid4()}"


@pytest.fixture(scope="module")
def client(account: Account) -> Client:
    return account.client


@traceable(run_type="llm", name="model")
def model(question: str) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {"answer": question.upper(), "usage_metadata": usage}


@traceable(run_type="tool", name="look up")
def look_up(question: str) -> dict[str, Any]:
    return model(question)


@traceable(run_type="tool", name="fail")
def fail() -> None:
    raise ValueError("out of kettles")


@traceable(name="agent", tags=["prod", "beta"], metadata={"thread_id": "t-1", "n": 2**60})
def agent(question: str) -> dict[str, Any]:
    look_up(question)
    with suppress(ValueError):
        fail()
    return model(question + "!")


@pytest.fixture(scope="module")
def trace_id(client: Client) -> UUID:
    """Return the id of a stored trace of five runs."""
    run_id = uuid.uuid4()
    with tracing_context(enabled=True, client=client, project_name=PROJECT):
        agent("where is my kettle?", langsmith_extra={"run_id": run_id})
    client.flush()
    wait_for(
        lambda: list(client.list_runs(trace_id=run_id)),
        lambda runs: len(runs) == 5 and all(run.end_time for run in runs),
    )
    return run_id


def by_name(runs: Iterator[Run]) -> list[str]:
    return sorted(run.name for run in runs)


@newest_covers(what="`list_runs`")
def test_a_trace_is_listed_with_all_its_runs(client: Client, trace_id: UUID) -> None:
    runs = list(client.list_runs(trace_id=trace_id))
    assert by_name(iter(runs)) == ["agent", "fail", "look up", "model", "model"]
    assert {run.trace_id for run in runs} == {trace_id}
    assert all(run.dotted_order.endswith(str(run.id)) for run in runs)


@newest_covers(what="`list_runs`")
def test_the_roots_of_a_project_are_listed_by_its_name(client: Client, trace_id: UUID) -> None:
    roots = list(client.list_runs(project_name=PROJECT, is_root=True))
    assert [run.id for run in roots] == [trace_id]


@newest_covers(what="`read_run`")
def test_a_run_is_read_as_it_was_written(client: Client, trace_id: UUID) -> None:
    run = client.read_run(trace_id)
    assert (run.name, run.run_type, run.status, run.error) == ("agent", "chain", "success", None)
    assert run.inputs == {"question": "where is my kettle?"}
    assert run.outputs is not None
    assert run.outputs["answer"] == "WHERE IS MY KETTLE?!"
    assert run.tags == ["prod", "beta"]
    assert (run.metadata["thread_id"], run.metadata["n"]) == ("t-1", 2**60)
    assert (run.total_tokens, run.prompt_tokens, run.completion_tokens) == (14, 6, 8)
    assert run.url is not None


@newest_covers(what="`read_run(load_child_runs=True)`")
def test_a_run_is_read_with_its_tree(client: Client, trace_id: UUID) -> None:
    run = client.read_run(trace_id, load_child_runs=True)
    tree = [
        (child.name, [inner.name for inner in child.child_runs or []])
        for child in run.child_runs or []
    ]
    assert tree == [("look up", ["model"]), ("fail", []), ("model", [])]


@newest_covers(what="`list_runs`")
def test_a_failed_run_has_its_whole_error(client: Client, trace_id: UUID) -> None:
    (run,) = client.list_runs(trace_id=trace_id, error=True)
    assert (run.name, run.status) == ("fail", "error")
    assert run.error is not None
    assert "ValueError('out of kettles')" in run.error
    assert "Traceback" in run.error


@newest_covers(what="`list_runs`")
def test_runs_are_narrowed(client: Client, trace_id: UUID) -> None:
    in_project: dict[str, Any] = {"project_name": PROJECT}
    assert by_name(client.list_runs(**in_project, run_type="llm")) == ["model", "model"]
    assert by_name(client.list_runs(**in_project, filter='eq(run_type, "tool")')) == [
        "fail",
        "look up",
    ]
    assert by_name(
        client.list_runs(**in_project, tree_filter='eq(status, "error")', is_root=True)
    ) == ["agent"]
    assert by_name(client.list_runs(**in_project, parent_run_id=trace_id)) == [
        "fail",
        "look up",
        "model",
    ]
    assert by_name(client.list_runs(run_ids=[trace_id])) == ["agent"]
    assert by_name(client.list_runs(trace_id=trace_id, select=["name"], limit=2)) != []
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert list(client.list_runs(**in_project, start_time=soon)) == []


@newest_covers(what="`read_run`")
def test_times_and_order_come_back_exactly(client: Client) -> None:
    start = datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC)
    run_id = uuid.uuid4()
    dotted_order = f"20261124T120000000001Z{run_id}"
    client.create_run(
        "exact", {"a": 1}, "chain", project_name=PROJECT, id=run_id, trace_id=run_id,
        dotted_order=dotted_order, start_time=start, end_time=start + timedelta(microseconds=7),
    )  # fmt: skip
    client.flush()
    run = wait_for(lambda: client.read_run(run_id), lambda run: run.end_time is not None)
    assert (run.start_time, run.end_time) == (start, start + timedelta(microseconds=7))
    assert run.dotted_order == dotted_order


@newest_covers(what="`list_runs`")
def test_more_runs_than_one_page_holds_are_listed_once_each(client: Client) -> None:
    project = f"pages {uuid.uuid4()}"
    ids = [uuid.uuid4() for _ in range(230)]
    start = datetime.now(UTC)
    for number, run_id in enumerate(ids):
        time_ = start + timedelta(microseconds=number % 50)
        client.create_run(
            f"run {number}", {}, "chain", project_name=project, id=run_id, trace_id=run_id,
            dotted_order=f"{time_:%Y%m%dT%H%M%S%fZ}{run_id}", start_time=time_, end_time=time_,
        )  # fmt: skip
    client.flush()
    runs = wait_for(
        lambda: list(client.list_runs(project_name=project)), lambda runs: len(runs) == len(ids)
    )
    assert sorted(run.id for run in runs) == sorted(ids)


@newest_covers(what="`list_projects`")
def test_projects_are_found_by_any_name(client: Client, trace_id: UUID) -> None:
    project = client.read_project(project_name=PROJECT)
    assert client.read_project(project_id=str(project.id)).name == PROJECT
    assert PROJECT in [found.name for found in client.list_projects()]
    assert PROJECT in [found.name for found in client.list_projects(name_contains="返金")]
    assert client.has_project(PROJECT)
    assert not client.has_project("no such project")


@newest_covers(what="`read_run`")
def test_what_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(LangSmithNotFoundError):
        client.read_run(uuid.uuid4())
    with pytest.raises(LangSmithNotFoundError):
        client.read_project(project_name="no such project")
    with pytest.raises(LangSmithNotFoundError):
        list(client.list_runs(project_name="no such project"))


@newest_covers(what="every endpoint that users set: with `/api/v1`, `/api`, `/v1` or none")
@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1", "/v1"])
def test_the_sdk_reads_from_every_endpoint_that_users_set(
    account: Account, trace_id: UUID, prefix: str
) -> None:
    url = account.endpoint.removesuffix("/api/v1") + prefix
    reader = Client(api_url=url, api_key=account.api_key, auto_batch_tracing=False)
    assert reader.read_run(trace_id).name == "agent"
    assert reader.read_project(project_name=PROJECT).name == PROJECT


@newest_covers(what="`read_run`")
def test_a_bad_key_is_told_apart_from_a_missing_run(account: Account, trace_id: UUID) -> None:
    stranger = Client(api_url=account.endpoint, api_key="rw_" + "A" * 43, auto_batch_tracing=False)
    with pytest.raises(LangSmithAuthError):
        stranger.read_run(trace_id)
