"""What a search finds among traces: by their roots, by any of their runs, by what no run of them is."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from collector.query.search import parse_search
from collector.reads import run_filter, traces
from collector.reads.overview import get_overview
from collector.reads.trace_search import is_decided_by_rows
from collector.reads.types import TraceFilter
from collector.wire.operations import Batch
from tests.factories import SECOND, START, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db
PROJECT = UUID(int=1)
OPENAI = b'{"metadata": {"ls_model_name": "gpt-4o-mini", "ls_provider": "openai"}}'


@pytest.fixture(autouse=True, params=["few", "many"])
def _with_and_without_the_terms(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index finds the traces first, or, as if they were too many, all are walked."""
    if request.param == "many":
        monkeypatch.setattr(run_filter, "FEW_TRACES", -1)


def store_trace(number: int, *children: dict[str, Any], **root: Any) -> None:
    """Store a trace whose root started `number` seconds after START, with runs below it."""
    first = make_run(**{"start_time": START + number * SECOND, "name": f"trace {number}", **root})
    below = [
        make_run(trace_id=first.id, parent_run_id=first.id, start_time=first.start_time, **child)
        for child in children
    ]
    store_runs(PROJECT, first, *below)


@pytest.fixture(autouse=True)
def _stored() -> None:
    store_trace(
        1,
        {"name": "search", "run_type": "tool", "error": "TimeoutError: gone"},
        {"run_type": "llm", "extra": OPENAI},
        tags=["prod"],
        extra=b'{"metadata": {"user_id": 42}}',
        inputs=b'{"input": "Where is my kettle?"}',
    )
    store_trace(
        2,
        {"name": "search", "run_type": "tool", "outputs": b'{"output": "the refund policy"}'},
        {"name": "other", "run_type": "tool", "error": "ValueError"},
        error="ValueError",
        end_time=START + 12 * SECOND,
        extra=b'{"metadata": {"user_id": "42"}}',
    )
    store_trace(3, {"run_type": "llm", "extra": OPENAI}, inputs=b'{"input": "refund"}')


def found(text: str) -> list[str]:
    page = traces.list_traces([PROJECT], TraceFilter(search=parse_search(text)))
    return [trace.name.removeprefix("trace ") for trace in page.items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status:error", ["2"]),
        ("status:success", ["3", "1"]),
        ("-status:error", ["3", "1"]),
        ("name:trace*", ["3", "2", "1"]),
        ('name:"trace 2"', ["2"]),
        ("tag:prod", ["1"]),
        ("-tag:prod", ["3", "2"]),
        ("latency:>5s", ["2"]),
        ("metadata.user_id:42", ["2", "1"]),
        ("has:metadata.user_id", ["2", "1"]),
        ("type:tool", ["2", "1"]),
        ("-type:tool", ["3"]),
        ("model:gpt-4o*", ["3", "1"]),
        ("model:gpt-4o* type:tool", ["1"]),
        ("any(model:gpt-4o* type:tool)", []),
        ("any(name:search error:Timeout)", ["1"]),
        ("any(type:tool status:error)", ["2", "1"]),
        ("-any(name:search status:error)", ["3", "2"]),
        ("root(type:chain)", ["3", "2", "1"]),
        ("has:error", ["2", "1"]),
        ("error:timeout", ["1"]),
        ("refund", ["3", "2"]),
        ("-refund", ["1"]),
        ("(refund OR kettle)", ["3", "2", "1"]),
        ('"refund policy"', ["2"]),
        ("input:refund", ["3"]),
        ("refund status:error", ["2"]),
        ("any(name:search refund)", ["2"]),
        ("status:(error OR success)", ["3", "2", "1"]),
        ("nothing-says-this", []),
    ],
)
def test_a_search_finds_the_traces_that_it_describes(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_feedback_is_looked_for_on_any_run() -> None:
    root = make_run(start_time=START + 9 * SECOND, name="trace 9")
    store_runs(PROJECT, root)
    store(PROJECT, Batch(feedback=[make_feedback(root, "score", 0.2)]))
    assert found("has:feedback") == ["9"]
    assert found("feedback.score:<0.5") == ["9"]
    assert found("feedback.score:>0.5") == []


@pytest.mark.parametrize("text", ["status:error", "type:tool", "-type:tool", "model:gpt*"])
def test_the_figures_are_those_of_what_is_found(text: str) -> None:
    search = parse_search(text)
    assert is_decided_by_rows(search)
    overview = get_overview([PROJECT], TraceFilter(search=search), now=START + 60 * SECOND)
    counts = traces.count_traces([PROJECT], TraceFilter(search=search))
    assert overview.trace_count == counts.total == len(found(text))


def test_what_only_payloads_tell_is_known_as_such() -> None:
    assert not is_decided_by_rows(parse_search("refund"))
    assert not is_decided_by_rows(parse_search("status:error refund"))


def test_another_projects_traces_are_not_found() -> None:
    page = traces.list_traces([uuid4()], TraceFilter(search=parse_search("refund")))
    assert page.items == ()
