"""POST /runs/group and its like: threads of a project."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from collector.models import Project
from collector.wire.operations import Batch, RunOperation
from tests.factories import START, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str], project: Project) -> Ask:
    """Return a function (path, **body) that posts to `/runs/…` about `project`."""
    key = make_api_key("read")

    def post(path: str, **body: Any) -> Any:
        return client.post(
            f"/runs/{path}",
            json.dumps({"session_id": str(project.id), "group_by": "conversation", **body}),
            "application/json",
            headers={"X-API-Key": key},
        )

    return post


def turn(thread: str | None, minute: int, seconds: float = 1, **fields: Any) -> RunOperation:
    start = START + timedelta(minutes=minute)
    extra = b"" if thread is None else json.dumps({"metadata": {"thread_id": thread}}).encode()
    return make_run(
        start_time=start,
        end_time=start + timedelta(seconds=seconds),
        extra=extra,
        inputs=json.dumps({"question": f"in {minute}"}).encode(),
        outputs=json.dumps({"answer": f"out {minute}"}).encode(),
        **fields,
    )


def thread_ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [group["thread_id"] for group in answer.json()["groups"]]


@pytest.fixture
def turns(project: Project) -> list[RunOperation]:
    """Return stored turns: of the thread `a` at minutes 0, 1 and 5 (it failed at 1), of `b` at 3, of none at 9."""
    made = [
        turn("a", 0, 1),
        turn("a", 1, 3, error="Boom"),
        turn("b", 3, tags=["prod"]),
        turn("a", 5, 2),
        turn(None, 9),
    ]
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    model = make_run(made[0], run_type="llm", outputs=usage, extra=made[0].extra)
    store(project.id, Batch(runs=[*made, model], feedback=[make_feedback(made[0], "good", 1.0)]))
    return made


def test_a_thread_is_summed_up_over_its_traces(ask: Ask, turns: list[RunOperation]) -> None:
    group = ask("group").json()["groups"][0]
    assert group["feedback_stats"]["good"]["n"] == 1
    del group["feedback_stats"]
    assert group == {
        "group_key": "a",
        "thread_id": "a",
        "filter": 'eq(thread_id, "a")',
        "count": 3,
        "total_tokens": 15,
        "total_cost": None,
        "min_start_time": "2026-11-24T12:00:00.123456+00:00",
        "max_start_time": "2026-11-24T12:05:00.123456+00:00",
        "latency_p50": 2.0,
        "latency_p99": 2.98,
        "first_inputs": "in 0",
        "last_outputs": "out 5",
        "last_error": "Boom",
    }


def test_the_thread_with_the_newest_trace_comes_first(ask: Ask, turns: list[RunOperation]) -> None:
    answer = ask("group")
    assert (thread_ids(answer), answer.json()["total"]) == (["a", "b"], 2)


def test_threads_are_paged_by_offset(ask: Ask, turns: list[RunOperation]) -> None:
    assert thread_ids(ask("group", limit=1)) == ["a"]
    assert thread_ids(ask("group", limit=1, offset=1)) == ["b"]
    answer = ask("group", limit=1, offset=2)
    assert (thread_ids(answer), answer.json()["total"]) == ([], 2)


def test_only_the_traces_of_the_time_that_is_asked_for_count(
    ask: Ask, turns: list[RunOperation]
) -> None:
    end = (START + timedelta(minutes=4)).isoformat()
    answer = ask("group", end_time=end)
    assert thread_ids(answer) == ["b", "a"]
    assert answer.json()["groups"][1]["count"] == 2


@pytest.mark.parametrize(
    ("filter_", "expected", "counts"),
    [
        ('has(tags, "prod")', ["b"], [1]),
        ("neq(error, null)", ["a"], [1]),
        ('eq(run_type, "llm")', [], []),
        ('and(eq(input_key, "question"), eq(input_value, "in 0"))', ["a"], [1]),
        ('eq(thread_id, "b")', ["b"], [1]),
    ],
)
def test_a_filter_asks_the_roots(
    ask: Ask, turns: list[RunOperation], filter_: str, expected: list[str], counts: list[int]
) -> None:
    answer = ask("group", filter=filter_)
    assert thread_ids(answer) == expected
    assert [group["count"] for group in answer.json()["groups"]] == counts
    assert answer.json()["total"] == len(expected)


def test_the_filter_of_a_group_finds_its_runs(
    ask: Ask, client: Client, project: Project, make_api_key: Callable[..., str]
) -> None:
    store_runs(project.id, turn('it\'s "quoted" \\ 返金', 0))
    (group,) = ask("group").json()["groups"]
    body = {"session": [str(project.id)], "filter": group["filter"]}
    found = client.post(
        "/runs/query",
        json.dumps(body),
        "application/json",
        headers={"X-API-Key": make_api_key("read")},
    )
    assert len(found.json()["runs"]) == 1


def test_figures_over_all_threads_leave_other_traces_out(
    ask: Ask, turns: list[RunOperation]
) -> None:
    answer = ask("group/stats").json()
    assert (answer["group_count"], answer["run_count"], answer["total_tokens"]) == (2, 5, 15)
    assert answer["error_rate"] == 0.25


def test_one_thread_is_read_by_its_id(
    client: Client, make_api_key: Callable[..., str], project: Project, turns: list[RunOperation]
) -> None:
    headers = {"X-API-Key": make_api_key("read")}
    params = {"session_id": str(project.id)}
    assert client.get("/runs/threads/a", params, headers=headers).json()["count"] == 3
    assert client.get("/runs/threads/c", params, headers=headers).status_code == 404
    assert client.get("/runs/threads/a", headers=headers).status_code == 400


def test_a_strangers_threads_are_not_listed(ask: Ask, turns: list[RunOperation]) -> None:
    answer = ask("group", session_id=str(uuid4()))
    assert (thread_ids(answer), answer.json()["total"]) == ([], 0)


@pytest.mark.parametrize(
    "body", [{"session_id": None}, {"group_by": "name"}, {"filter": "eq("}, {"limit": "x"}], ids=str
)
def test_what_cannot_be_meant_is_refused(ask: Ask, body: dict[str, Any]) -> None:
    assert ask("group", **body).status_code == 400
