"""What is sorted by a measure, and the figures around a list of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from collector.query.fields import make_compare
from collector.query.search import parse_search
from collector.reads import top
from collector.reads.run_overview import get_run_overview
from collector.reads.top import top_runs, top_traces
from collector.reads.traces import list_traces
from collector.reads.types import RunFilter, TraceFilter
from tests.factories import SECOND, START, make_run, store_runs

pytestmark = pytest.mark.django_db
PROJECT, OTHER = UUID(int=1), UUID(int=2)


def store_root(number: int, seconds: float | None, **fields: Any) -> None:
    start = START + number * SECOND
    end = None if seconds is None else start + timedelta(seconds=seconds)
    store_runs(
        fields.pop("project", PROJECT),
        make_run(start_time=start, end_time=end, name=f"run {number}", **fields),
    )


def test_the_slowest_come_first_and_what_runs_still_does_not_count() -> None:
    for number, seconds in enumerate([2, 9, None, 4]):
        store_root(number, seconds)
    store_root(4, 99, project=OTHER)
    found = top_traces([PROJECT], TraceFilter(), "latency", 10)
    assert [trace.name for trace in found] == ["run 1", "run 3", "run 0"]


def test_only_the_newest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "LOOKED_AT", 2)
    for number, seconds in enumerate([9, 1, 2]):
        store_root(number, seconds)
    found = top_traces([PROJECT], TraceFilter(), "latency", 10)
    assert [trace.name for trace in found] == ["run 2", "run 1"]


def test_a_filter_narrows_what_is_sorted() -> None:
    store_root(0, 9, error="boom")
    store_root(1, 3, error="boom")
    store_root(2, 5)
    filter_ = TraceFilter(statuses=("error",), search=parse_search("latency:<8s"))
    assert [trace.name for trace in top_traces([PROJECT], filter_, "latency", 10)] == ["run 1"]


def test_runs_are_sorted_by_what_they_took_with_all_below() -> None:
    root = make_run(name="root")
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    model = make_run(root, name="model", run_type="llm", outputs=usage, after_seconds=0.1)
    store_runs(PROJECT, root, model, make_run(root, name="tool", run_type="tool"))
    assert [run.name for run in top_runs([PROJECT], RunFilter(), "tokens", 10)] == ["model", "root"]


def test_traces_can_stand_oldest_first_and_go_on_from_there() -> None:
    for number in range(3):
        store_root(number, 1)
    first = list_traces([PROJECT], TraceFilter(), limit=2, is_descending=False)
    assert [trace.name for trace in first.items] == ["run 0", "run 1"]
    rest = list_traces([PROJECT], TraceFilter(), first.next_cursor, 2, is_descending=False)
    assert [trace.name for trace in rest.items] == ["run 2"]


def test_figures_of_runs_count_what_the_filter_leaves() -> None:
    root = make_run(name="root")
    failed = make_run(root, name="tool", run_type="tool", error="boom", tags=["slow"])
    store_runs(PROJECT, root, failed, make_run(root, name="tool", run_type="tool"))
    filter_ = RunFilter(expression=make_compare("run_type", "eq", "tool"))
    found = get_run_overview([PROJECT], filter_, now=START + timedelta(hours=1))
    assert (found.trace_count, found.error_count) == (2, 1)
    assert (found.by_name, found.by_tag) == ((("tool", 2),), (("slow", 1),))
    assert sum(bucket.trace_count for bucket in found.buckets) == 2
