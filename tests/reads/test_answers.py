"""What running traces are saying."""

from __future__ import annotations

import pytest

from collector.models import Project
from collector.reads import answers
from collector.reads.answers import with_answers
from collector.reads.traces import list_traces
from collector.reads.types import TraceFilter
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db

FACTS = {"run_type": "llm", "end_time": None}


def outputs(project: Project) -> list[str]:
    traces = list_traces([project.id], TraceFilter(), limit=10).items
    return [trace.outputs_preview for trace in with_answers(traces)]


@pytest.fixture(autouse=True)
def _nothing_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.reads.rows.SILENCE_SECONDS", 10**9)


def test_a_running_trace_says_what_its_newest_model_at_work_says(project: Project) -> None:
    root = make_run(end_time=None)
    store_runs(
        project.id,
        root,
        make_run(root, after_seconds=1, run_type="llm", outputs=b'{"text": "ended"}'),
        make_run(root, after_seconds=2, outputs=b'{"text": "older"}', **FACTS),
        make_run(root, after_seconds=3, outputs=b'{"text": "newest"}', **FACTS),
    )
    assert outputs(project) == ["newest"]


def test_what_a_root_says_itself_stands(project: Project) -> None:
    root = make_run(end_time=None, outputs=b'{"text": "own"}')
    store_runs(project.id, root, make_run(root, outputs=b'{"text": "other"}', **FACTS))
    assert outputs(project) == ["own"]


def test_a_large_trace_is_not_looked_into(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_RUNS", 1)
    root = make_run(end_time=None)
    store_runs(project.id, root, make_run(root, outputs=b'{"text": "other"}', **FACTS))
    assert outputs(project) == [""]
