"""Figures of projects over a time range."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from collector.models import Project, Workspace
from collector.reads import projects
from collector.reads.types import TimeRange
from tests.factories import SECOND, START, make_run, store_runs

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
RANGE = TimeRange(START, START + 24 * HOUR)


def store_root(project: Project, start: Any, seconds: float = 1.0, **fields: Any) -> None:
    end = start + timedelta(seconds=seconds)
    store_runs(project.id, make_run(**{"start_time": start, "end_time": end, **fields}))


def test_a_project_has_figures_of_the_traces_in_the_range(project: Project) -> None:
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    for number in range(1, 5):
        store_root(project, START + number * HOUR, seconds=number)
    store_root(project, START + 5 * HOUR, seconds=9, error="Boom", run_type="llm", outputs=usage)
    store_root(project, START - SECOND, error="before")
    store_root(project, START + 24 * HOUR, error="after")
    (summary,) = projects.list_projects([project.id], RANGE)
    assert (summary.trace_count, summary.run_count, summary.error_count) == (5, 5, 1)
    assert summary.error_rate == pytest.approx(0.2)
    assert summary.latency_p50_seconds == pytest.approx(3.0)
    assert summary.latency_p95_seconds == pytest.approx(8.0)
    assert (summary.total_tokens, summary.total_cost) == (15, None)
    assert summary.last_run_time == START + 24 * HOUR
    assert summary.traces_per_bucket == (0, 1, 1, 1, 1, 1, *([0] * 18))
    assert summary.errors_per_bucket == (0, 0, 0, 0, 0, 1, *([0] * 18))
    assert summary.has_figures


def test_costs_are_exact(project: Project) -> None:
    for _ in range(3):
        store_root(project, START)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE trace SET total_cost = 0.0000001")
    (summary,) = projects.list_projects([project.id], RANGE)
    assert summary.total_cost == Decimal("0.0000003")


def test_an_empty_project_has_nothing_to_measure(project: Project) -> None:
    (summary,) = projects.list_projects([project.id], RANGE)
    assert (summary.trace_count, summary.total_tokens, summary.last_run_time) == (0, 0, None)
    assert (summary.error_rate, summary.latency_p50_seconds, summary.total_cost) == (None,) * 3
    assert summary.traces_per_bucket == (0,) * projects.BUCKETS


def test_running_traces_count_but_have_no_latency(project: Project) -> None:
    store_root(project, START, end_time=None)
    (summary,) = projects.list_projects([project.id], RANGE)
    assert (summary.trace_count, summary.latency_p50_seconds) == (1, None)


def test_the_last_run_is_told_even_if_it_lies_before_the_range(project: Project) -> None:
    store_root(project, START - 100 * HOUR)
    (summary,) = projects.list_projects([project.id], RANGE)
    assert (summary.trace_count, summary.last_run_time) == (0, START - 100 * HOUR)


def test_the_project_with_the_newest_trace_comes_first(workspace: Workspace) -> None:
    made = {name: Project.objects.create(workspace=workspace, name=name) for name in "dcba"}
    store_root(made["c"], START)
    store_root(made["d"], START + SECOND)
    ids = [project.id for project in made.values()]
    assert [item.name for item in projects.list_projects(ids, RANGE)] == ["d", "c", "a", "b"]


def test_only_the_projects_asked_for_are_listed(project: Project) -> None:
    Project.objects.create(workspace=project.workspace, name="other")
    assert [item.id for item in projects.list_projects([project.id, uuid4()], RANGE)] == [
        project.id
    ]
    assert projects.list_projects([], RANGE) == ()


def test_figures_that_take_too_long_are_left_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_root(project, START)
    monkeypatch.setattr(projects, "FIGURES", "SELECT pg_sleep(30)")
    monkeypatch.setattr(projects, "FIGURES_SECONDS", 0.02)
    (summary,) = projects.list_projects([project.id], RANGE)
    assert (summary.has_figures, summary.trace_count, summary.last_run_time) == (False, 0, START)


def test_many_projects_cost_few_statements(
    workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    made = [Project.objects.create(workspace=workspace, name=f"p{n}") for n in range(60)]
    with django_assert_max_num_queries(9):
        assert len(projects.list_projects([project.id for project in made], RANGE)) == 60
