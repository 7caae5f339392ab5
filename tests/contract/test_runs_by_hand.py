"""Runs made with `create_run` and `update_run`, in each release, sent in batches and one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from langsmith import Client
from langsmith.schemas import Run

from tests.contract.compatibility import covers
from tests.contract.support import (
    NEWEST,
    PYTHON,
    Account,
    new_project,
    printed_json,
    read_runs,
    run_program,
)

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

OLDEST, OLD = "0.0.92", "0.1.147"
START = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
RUN_COUNT = 7
WAYS = {
    "newest": (NEWEST, None, "batched"),
    "newest, unbatched": (NEWEST, None, "unbatched"),
    "0.1": (OLD, "langsmith-0.1.lock", "batched"),
    "0.0": (OLDEST, "langsmith-0.0.lock", "batched"),
}


def renamed(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment by the names that releases before 0.1 know."""
    return {name.replace("LANGSMITH_", "LANGCHAIN_"): value for name, value in environment.items()}


@pytest.fixture(scope="module", params=list(WAYS))
def by_hand(
    request: pytest.FixtureRequest, account: Account, python_with: Callable[[str], str]
) -> dict[str, Run]:
    release, lock, sending = WAYS[request.param]
    project = new_project(f"by hand, {request.param}")
    environment = account.environment(project)
    ids = printed_json(
        run_program(
            python_with(lock) if lock else sys.executable,
            "runs_by_hand",
            renamed(environment) if release == OLDEST else environment,
            sending,
        )
    )
    runs = read_runs(account.client, project, RUN_COUNT)
    assert {run.name: str(run.id) for run in runs.all} == ids
    return {run.name: run for run in runs.all}


def each_way(what: str, releases: Sequence[str] = (NEWEST, OLD, OLDEST)) -> pytest.MarkDecorator:
    suffixes = {"batched": "", "unbatched": " (`auto_batch_tracing=False`)"}
    return pytest.mark.parametrize(
        "by_hand",
        [
            pytest.param(way, marks=covers(client=PYTHON, version=release, what=what + suffixes[sending]))
            for way, (release, _, sending) in WAYS.items()
            if release in releases
        ],
        indirect=True,
    )  # fmt: skip


def tree(client: Client, root: Run) -> Any:
    loaded = client.read_run(root.id, load_child_runs=True)
    return [loaded.name, *(child.name for child in loaded.child_runs or [])]


@each_way("`create_run` and `update_run`")
def test_an_update_adds_to_what_was_created_and_replaces_payloads(by_hand: dict[str, Run]) -> None:
    root, child = by_hand["root"], by_hand["child"]
    assert (root.inputs, root.outputs, root.tags) == ({"q": 1}, {"a": 2}, ["a"])
    assert (child.inputs, child.outputs) == ({"prompt": "why?"}, {"text": "so"})
    assert child.metadata["added"] == 2


# Older releases put both together themselves, and let the update's `extra` replace the other.
@each_way("`create_run` and `update_run`", releases=[NEWEST])
def test_metadata_of_an_update_are_added_to_those_of_the_create(by_hand: dict[str, Run]) -> None:
    metadata = by_hand["child"].metadata
    assert (metadata["kept"], metadata["added"]) == (1, 2)


@each_way("`create_run` and `update_run`")
def test_times_keep_their_microseconds(by_hand: dict[str, Run]) -> None:
    child = by_hand["child"]
    assert child.start_time == START
    assert child.end_time == START + timedelta(microseconds=654321)
    assert child.first_token_time == START + timedelta(seconds=0.5)
    assert by_hand["naive"].start_time == START


@each_way("runs without `trace_id` and `dotted_order`")
def test_a_child_that_says_only_its_parent_is_in_its_parents_trace(
    account: Account, by_hand: dict[str, Run]
) -> None:
    root, child = by_hand["bare root"], by_hand["bare child"]
    assert (child.parent_run_id, child.trace_id) == (root.id, root.id)
    assert child.dotted_order == f"{root.dotted_order}.{child.dotted_order.split('.')[-1]}"
    assert tree(account.client, root) == ["bare root", "bare child"]
    assert (root.outputs, child.outputs) == ({"a": 1}, {"a": 2})


@each_way("`create_run` and `update_run`")
def test_a_run_has_the_status_that_its_end_and_error_tell(by_hand: dict[str, Run]) -> None:
    assert {name: run.status for name, run in by_hand.items()} == dict.fromkeys(
        by_hand, "success"
    ) | {"failed": "error"}
    assert by_hand["failed"].error == "Timeout()"
    assert by_hand["at once"].latency == 11


@each_way("`read_run(load_child_runs=True)`")
def test_a_run_is_read_with_its_children(account: Account, by_hand: dict[str, Run]) -> None:
    assert tree(account.client, by_hand["root"]) == ["root", "child"]
    assert UUID(str(by_hand["root"].session_id)) == by_hand["child"].session_id
