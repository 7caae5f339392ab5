"""Rows whose times Postgres holds and Python does not: an older version let them in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection

from collector.models import Project
from collector.reads.overview import get_overview
from collector.reads.projects import list_projects
from collector.reads.runs import get_run, list_runs
from collector.reads.sql import fetch_all
from collector.reads.traces import count_traces, get_trace, get_tree, list_traces
from collector.reads.types import RunFilter, TimeRange, TraceFilter
from collector.wire.operations import RunOperation
from tests.factories import START, make_run, store_runs

pytestmark = pytest.mark.django_db

TIMES = ["0044-03-15 12:00:00+00 BC", "10000-01-01 00:00:00+00", "-infinity", "infinity"]


@pytest.fixture(params=TIMES)
def strange(request: pytest.FixtureRequest, project: Project) -> RunOperation:
    """A run whose times were set to what no calendar of Python has, and a sound one beside it."""
    run = make_run(name="strange", inputs=b'{"a": 1}')
    store_runs(project.id, run, make_run(name="sound"))
    with connection.cursor() as cursor:
        for table in ("run", "trace"):
            cursor.execute(
                f"UPDATE {table} SET start_time = %s::timestamptz, end_time = %s::timestamptz"
                " WHERE project_id = %s AND id = %s",
                [request.param, request.param, project.id, run.id],
            )
    return run


def test_one_is_found_by_its_id_at_an_end_of_the_calendar(
    strange: RunOperation, project: Project
) -> None:
    detail = get_run([project.id], strange.id)
    assert detail is not None
    assert detail.run.start_time.year in (1, 9999)
    assert detail.inputs == {"a": 1}
    assert get_trace([project.id], strange.id) is not None
    tree = get_tree([project.id], strange.id)
    assert tree is not None
    assert len(tree.nodes) == 1


def test_lists_leave_it_out_and_end(strange: RunOperation, project: Project) -> None:
    filter_ = TraceFilter()
    assert [trace.name for trace in list_traces([project.id], filter_, limit=1).items] == ["sound"]
    for is_descending in (True, False):
        page = list_runs([project.id], RunFilter(), limit=1, is_descending=is_descending)
        assert [run.name for run in page.items] == ["sound"]
        assert page.next_cursor is None


def test_figures_are_made_without_failing(strange: RunOperation, project: Project) -> None:
    now = datetime.now(UTC)
    assert get_overview([project.id], TraceFilter(), now=now).trace_count == 1
    assert count_traces([project.id], TraceFilter()).total == 1
    (summary,) = list_projects([project.id], TimeRange(START, now))
    assert summary.last_run_time is not None


def test_what_the_database_refuses_is_still_an_error(db: None) -> None:
    with pytest.raises(DataError):
        fetch_all("SELECT %(day)s::text::date", {"day": "2026-13-45"})
