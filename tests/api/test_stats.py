"""POST /runs/stats: figures over the runs that match."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from collector.models import Project
from collector.reads import statistics
from collector.wire.operations import Batch, RunOperation
from tests.factories import START, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]
USAGE = (
    b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15,'
    b' "input_cost": 0.0000001, "output_cost": 0.0000002, "total_cost": 0.0000003}}'
)


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str], project: Project) -> Ask:
    """Return a function that asks for statistics of `project`, or of what `session` says."""
    key = make_api_key("read")

    def post(**body: Any) -> Any:
        return client.post(
            "/runs/stats",
            json.dumps({"session": [str(project.id)], **body}),
            "application/json",
            headers={"X-API-Key": key},
        )

    return post


@pytest.fixture
def trace(project: Project) -> list[RunOperation]:
    """Return a stored agent of 4 s, its tool of 2 s, and a model call of 1 s below that; the tool failed."""
    root = make_run(end_time=START + timedelta(seconds=4), tags=["prod", "beta"])
    tool = make_run(
        root,
        name="search",
        run_type="tool",
        end_time=START + timedelta(seconds=2),
        error="Boom",
        extra=b'{"metadata": {"env": {"name": "blue"}, "n": 1}}',
    )
    model = make_run(tool, name="model", run_type="llm", outputs=USAGE, tags=["prod"])
    store(project.id, Batch(runs=[root, tool, model], feedback=[make_feedback(tool, "good", 0.0)]))
    return [root, tool, model]


def test_the_answer_has_every_key_also_where_nothing_matches(ask: Ask) -> None:
    answer = ask().json()
    assert answer["run_count"] == answer["total_tokens"] == 0
    assert answer["latency_p50"] is answer["total_cost"] is answer["last_run_start_time"] is None
    assert answer["feedback_stats"] == {}
    assert ask(session=[str(uuid4())]).json() == answer


def test_a_project_is_summed_up_once(ask: Ask, trace: list[RunOperation]) -> None:
    answer = ask().json()
    assert (answer["run_count"], answer["total_tokens"]) == (3, 15)
    assert answer["total_cost"] == "0.0000003"
    assert answer["error_rate"] == pytest.approx(1 / 3)
    assert (answer["latency_p50"], answer["last_run_start_time"]) == (
        2.0,
        "2026-11-24T12:00:00.123456+00:00",
    )
    assert answer["feedback_stats"]["good"]["n"] == 1


@pytest.mark.parametrize(
    ("body", "run_count", "tokens"),
    [
        ({"is_root": True}, 1, 15),
        ({"run_type": "llm"}, 1, 15),
        ({"error": True}, 1, 15),
        ({"filter": 'or(eq(name, "search"), eq(run_type, "llm"))'}, 2, 15),
        ({"filter": 'eq(name, "agent")'}, 1, 15),
        ({"trace_filter": 'has(tags, "beta")'}, 3, 15),
        ({"tree_filter": 'eq(run_type, "retriever")'}, 0, 0),
        ({"filter": 'and(eq(metadata_key, "n"), eq(metadata_value, 1))'}, 1, 15),
        ({"start_time": (START + timedelta(seconds=1)).isoformat()}, 0, 0),
    ],
    ids=str,
)
def test_statistics_are_of_what_matches_and_count_no_token_twice(
    ask: Ask, trace: list[RunOperation], body: dict[str, Any], run_count: int, tokens: int
) -> None:
    answer = ask(**body).json()
    assert (answer["run_count"], answer["total_tokens"]) == (run_count, tokens)


def test_a_run_that_has_not_ended_has_no_latency(ask: Ask, project: Project) -> None:
    store_runs(project.id, make_run(end_time=None))
    answer = ask().json()
    assert (answer["run_count"], answer["latency_p50"], answer["latency_p99"]) == (1, None, None)


@pytest.mark.parametrize(
    ("group_by", "counts"),
    [
        ({"attribute": "run_type"}, {"chain": 1, "tool": 1, "llm": 1}),
        ({"attribute": "name"}, {"agent": 1, "search": 1, "model": 1}),
        ({"attribute": "tag"}, {"prod": 2, "beta": 1}),
        ({"attribute": "tag", "max_groups": 1}, {"prod": 2}),
        ({"attribute": "metadata", "path": "env.name"}, {"blue": 1}),
        ({"attribute": "metadata", "path": "n"}, {"1": 1}),
        ({"attribute": "metadata", "path": "env"}, {}),
    ],
    ids=str,
)
def test_statistics_are_grouped(
    ask: Ask, trace: list[RunOperation], group_by: dict[str, Any], counts: dict[str, int]
) -> None:
    answer = ask(group_by=group_by).json()
    assert {value: figures["run_count"] for value, figures in answer.items()} == counts


def test_each_group_has_the_tokens_of_its_own_runs(ask: Ask, trace: list[RunOperation]) -> None:
    answer = ask(group_by={"attribute": "run_type"}).json()
    assert {value: figures["total_tokens"] for value, figures in answer.items()} == {
        "chain": 15,
        "tool": 15,
        "llm": 15,
    }
    assert answer["tool"]["feedback_stats"]["good"]["avg"] == 0.0
    assert answer["llm"]["feedback_stats"] == {}


@pytest.mark.parametrize(
    "group_by", [{}, {"attribute": "x"}, {"attribute": "metadata"}, [1], {"attribute": 5}], ids=str
)
def test_a_group_that_cannot_be_meant_is_refused(ask: Ask, group_by: Any) -> None:
    answer = ask(group_by=group_by)
    assert answer.status_code == (200 if group_by == {} else 400)


def test_a_filter_that_is_none_is_refused_with_the_place(ask: Ask) -> None:
    answer = ask(filter="eq(nam, 1)")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")


def test_percentiles_are_of_the_newest_runs_and_sums_of_all(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MEASURED_ROWS", 2)
    for minute in range(5):
        start = START + timedelta(minutes=minute)
        end = start + timedelta(seconds=minute)
        store_runs(
            project.id, make_run(start_time=start, end_time=end, run_type="llm", outputs=USAGE)
        )
    answer = ask(is_root=True).json()
    assert (answer["run_count"], answer["total_tokens"], answer["is_capped"]) == (5, 75, False)
    assert (answer["measured_runs"], answer["latency_p50"]) == (2, 3.5)


def test_sums_that_take_too_long_are_of_the_newest_runs_and_say_so(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MEASURED_ROWS", 2)
    all_rows = statistics.Source.all
    monkeypatch.setattr(
        statistics.Source, "all", lambda self: all_rows(self) + " AND pg_sleep(30) IS NOT NULL"
    )
    monkeypatch.setattr(statistics, "SUMS_SECONDS", 0.02)
    for minute in range(5):
        store_runs(project.id, make_run(start_time=START + timedelta(minutes=minute)))
    answer = ask().json()
    assert (answer["run_count"], answer["is_capped"]) == (2, True)
