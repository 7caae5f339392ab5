"""One run with its payload and its place, and lists of runs: through real tables."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collector.query.langsmith import parse_filter
from collector.reads import runs
from collector.reads.errors import BadCursor
from collector.reads.lineage import ANCESTORS
from collector.reads.types import RunDetail, RunFilter
from collector.wire.operations import Batch, RunOperation
from tests.factories import (
    SECOND,
    START,
    make_attachment,
    make_feedback,
    make_run,
    store,
    store_runs,
    uuid7,
)

pytestmark = pytest.mark.django_db
PROJECT, OTHER = UUID(int=1), UUID(int=2)


def stored(run: RunOperation) -> RunDetail:
    detail = runs.get_run([PROJECT], run.id)
    assert detail is not None
    return detail


def listed(filter_: RunFilter, **options: Any) -> list[str]:
    return [run.name for run in runs.list_runs([PROJECT], filter_, **options).items]


def test_a_run_comes_back_as_it_was_sent() -> None:
    example_id = uuid4()
    run = make_run(
        inputs=b'{"question": "Where?"}',
        outputs=b'{"answer": "Here."}',
        events=b'[{"name": "start"}]',
        extra=b'{"metadata": {"a": 1}, "runtime": {"sdk": "x"}}',
        serialized=b'{"id": ["x"]}',
        other=b'{"unknown_field": true}',
        error="ValueError: no\n\nTraceback: line 1\nline 2",
        notes=["a note"],
        reference_example_id=example_id,
    )
    store_runs(PROJECT, run)
    detail = stored(run)
    assert (detail.inputs, detail.outputs) == ({"question": "Where?"}, {"answer": "Here."})
    assert detail.events == [{"name": "start"}]
    assert detail.extra == {"metadata": {"a": 1}, "runtime": {"sdk": "x"}}
    assert detail.metadata == {"a": 1}
    assert detail.serialized == {"id": ["x"]}
    assert detail.other == {"unknown_field": True}
    assert detail.error == "ValueError: no\n\nTraceback: line 1\nline 2"
    assert detail.run.error == "ValueError: no"
    assert (detail.notes, detail.reference_example_id) == (("a note",), example_id)
    assert detail.raw["inputs"] == b'{"question": "Where?"}'
    assert detail.raw_sizes["inputs"] == 22
    assert detail.payload_error is None


def test_a_run_without_a_payload_is_empty_and_no_error() -> None:
    run = make_run()
    store_runs(PROJECT, run)
    detail = stored(run)
    assert (detail.inputs, detail.outputs, detail.error, detail.events) == (None, None, None, [])
    assert (detail.extra, detail.serialized, detail.other, detail.raw) == ({}, None, {}, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"n": 1180591620717411303424}', {"n": 2**70}),
        (b'{"n": NaN, "i": -Infinity}', "nan"),
        (b'{"n": 1e400}', {"n": float("inf")}),
        (b'"text"', "text"),
        (b"[1, 2]", [1, 2]),
        (b"null", None),
        (b'{"a": ', '{"a": '),
        (b'{"s": "\\ud800 \\u0000"}', {"s": "\ud800 \0"}),
        (b"[" * 5_000 + b"]" * 5_000, "[" * 5_000 + "]" * 5_000),
        (b"9" * 5_000, "9" * 5_000),
    ],
    ids=[
        "2^70",
        "NaN",
        "1e400",
        "string",
        "array",
        "null",
        "cut",
        "surrogate",
        "deep",
        "5,000 digits",
    ],
)
def test_any_payload_can_be_read(text: bytes, value: Any) -> None:
    run = make_run(inputs=text)
    store_runs(PROJECT, run)
    inputs = stored(run).inputs
    if value == "nan":
        assert json.dumps(inputs) == '{"n": NaN, "i": -Infinity}'
    else:
        assert inputs == value


def test_fields_that_have_the_wrong_shape_are_still_there_as_text() -> None:
    run = make_run(events=b'{"not": "a list"}', extra=b"[1]", other=b"3")
    store_runs(PROJECT, run)
    detail = stored(run)
    assert (detail.events, detail.extra, detail.other) == ([], {}, {})
    assert detail.raw["events"] == b'{"not": "a list"}'


def test_a_value_past_the_bound_is_cut_and_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.reads.payloads.MAX_VALUE_BYTES", 10)
    monkeypatch.setattr("collector.reads.payloads.CUT_BYTES", 4)
    run = make_run(inputs=b'{"a": "0123456789"}')
    store_runs(PROJECT, run)
    assert stored(run).inputs == '{"a"… (19 bytes)'


def test_a_damaged_block_costs_the_payload_and_not_the_run() -> None:
    run = make_run(inputs=b'{"input": "hello"}')
    store_runs(PROJECT, run)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payload SET data = overlay(data placing '\\xff'::bytea from 9 for 1)"
        )
    detail = stored(run)
    assert detail.payload_error is not None
    assert (detail.inputs, detail.run.inputs_preview) == (None, "hello")


@pytest.mark.parametrize("is_late", [False, True], ids=["on its own day", "far from its own day"])
def test_a_run_is_found_by_a_time_ordered_id(is_late: bool) -> None:
    run = make_run(id=uuid7(START - timedelta(days=400 if is_late else 1)))
    store_runs(PROJECT, run)
    assert stored(run).run.id == run.id


def test_a_run_is_found_with_a_wrong_hint() -> None:
    run = make_run()
    store_runs(PROJECT, run)
    assert runs.find_run([PROJECT], run.id, START.date() - timedelta(days=9)) is not None


def test_a_strangers_run_is_not_found() -> None:
    run = make_run()
    store_runs(PROJECT, run)
    assert runs.get_run([OTHER], run.id) is None
    assert runs.get_run([], run.id) is None
    assert runs.get_run([PROJECT], uuid4()) is None


def test_a_run_of_two_projects_shows_each_reader_its_own() -> None:
    run = make_run(name="mine", inputs=b'{"a": 1}')
    store_runs(PROJECT, run)
    store_runs(OTHER, make_run(id=run.id, name="theirs", inputs=b'{"a": 2}'))
    assert (stored(run).run.name, stored(run).inputs) == ("mine", {"a": 1})
    theirs = runs.get_run([OTHER], run.id)
    assert theirs is not None
    assert (theirs.run.name, theirs.inputs) == ("theirs", {"a": 2})


def test_feedback_and_attachments_hang_on_their_run() -> None:
    run = make_run()
    batch = Batch(
        runs=[run],
        feedback=[make_feedback(run, "helpful", 1.0, value=b'"yes"', comment="thanks")],
        attachments=[make_attachment(run, "b.txt", b"abc"), make_attachment(run, "a.txt")],
    )
    store(PROJECT, batch)
    detail = stored(run)
    (feedback,) = detail.feedback
    assert (feedback.key, feedback.score, feedback.value, feedback.comment) == (
        "helpful", 1.0, "yes", "thanks",
    )  # fmt: skip
    assert [(file.name, file.size_bytes) for file in detail.attachments] == [
        ("a.txt", 1),
        ("b.txt", 3),
    ]


# Lineage ---------------------------------------------------------------------------------------------


def test_a_dotted_order_is_rebuilt_exactly() -> None:
    root = make_run()
    child = make_run(root, after_seconds=1)
    grandchild = make_run(child, after_seconds=0.000001)
    store_runs(PROJECT, root, child, grandchild)
    for run in (root, child, grandchild):
        assert stored(run).dotted_order == run.dotted_order
    assert stored(grandchild).parent_run_ids == (root.id, child.id)
    assert stored(root).parent_run_ids == ()


def test_an_orphans_dotted_order_begins_at_the_root() -> None:
    root = make_run()
    lost = make_run(root, after_seconds=1)
    orphan = make_run(lost, after_seconds=1)
    store_runs(PROJECT, root, orphan)
    assert root.dotted_order is not None
    assert orphan.dotted_order is not None
    own = orphan.dotted_order.rpartition(".")[2]
    assert stored(orphan).dotted_order == f"{root.dotted_order}.{own}"
    assert stored(orphan).parent_run_ids == (root.id,)


def test_a_run_whose_ancestors_are_all_missing_has_its_own_segment() -> None:
    root = make_run()
    child = make_run(root, after_seconds=1)
    store_runs(PROJECT, child)
    assert child.dotted_order is not None
    assert stored(child).dotted_order == child.dotted_order.rpartition(".")[2]


def test_a_circle_of_parents_ends() -> None:
    root = make_run()
    one, two = make_run(root), make_run(root)
    one.parent_run_id, two.parent_run_id = two.id, one.id
    store_runs(PROJECT, root, one, two)
    assert stored(one).parent_run_ids == (root.id, two.id)


def test_a_thousand_ancestors_are_climbed_in_one_query() -> None:
    chain = [make_run()]
    for _ in range(1_000):
        chain.append(make_run(chain[-1], dotted_order=None))
    store_runs(PROJECT, *chain)
    with CaptureQueriesContext(connection) as captured:
        detail = stored(chain[-1])
    assert detail.parent_run_ids == tuple(run.id for run in chain[:-1])
    assert len(captured) <= 6


# Lists -----------------------------------------------------------------------------------------------


def store_family() -> list[RunOperation]:
    root = make_run(name="root", tags=["prod"])
    model = make_run(root, name="model", run_type="llm", after_seconds=1, tags=["prod", "gpt"])
    tool = make_run(root, name="tool", run_type="tool", after_seconds=2, error="Boom")
    inner = make_run(tool, name="inner", after_seconds=1, end_time=None)
    other = make_run(name="other", start_time=START - SECOND)
    family = [root, model, tool, inner, other]
    store_runs(PROJECT, *random.sample(family, len(family)))
    store_runs(OTHER, make_run(name="stranger"))
    return family


def test_runs_come_newest_first_or_oldest_first_over_all_pages() -> None:
    store_family()
    newest = ["inner", "tool", "model", "root", "other"]
    for is_descending in (True, False):
        names: list[str] = []
        cursor = None
        while True:
            page = runs.list_runs([PROJECT], RunFilter(), cursor, 2, is_descending=is_descending)
            names += [run.name for run in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert names == (newest if is_descending else newest[::-1])


def test_a_cursor_counts_in_its_own_order_only() -> None:
    store_family()
    cursor = runs.list_runs([PROJECT], RunFilter(), limit=1).next_cursor
    with pytest.raises(BadCursor):
        runs.list_runs([PROJECT], RunFilter(), cursor, is_descending=False)


def test_the_cursor_after_a_run_is_the_one_that_a_page_gives() -> None:
    store_family()
    page = runs.list_runs([PROJECT], RunFilter(), limit=2)
    assert runs.run_cursor(page.items[-1]) == page.next_cursor


def test_runs_are_found_by_id_trace_and_parent() -> None:
    root, model, tool, _inner, other = store_family()
    assert listed(RunFilter(ids=(model.id, other.id, uuid4()))) == ["model", "other"]
    assert listed(RunFilter(trace_id=root.id)) == ["inner", "tool", "model", "root"]
    assert listed(RunFilter(parent_run_id=root.id)) == ["tool", "model"]
    assert listed(RunFilter(parent_run_id=tool.id)) == ["inner"]
    assert listed(RunFilter(trace_id=uuid4())) == []
    assert listed(RunFilter(parent_run_id=uuid4())) == []


def test_children_of_a_run_that_was_not_received_are_found() -> None:
    root = make_run()
    lost = make_run(root)
    store_runs(PROJECT, root, make_run(lost, name="orphan"))
    assert listed(RunFilter(parent_run_id=lost.id)) == ["orphan"]


def test_the_time_range_of_runs_includes_both_ends() -> None:
    store_family()
    within = RunFilter(start_from=START, start_to=START + SECOND)
    assert listed(within) == ["model", "root"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("eq(is_root, true)", ["root", "other"]),
        ("eq(is_root, false)", ["inner", "tool", "model"]),
        ("neq(is_root, true)", ["inner", "tool", "model"]),
        ("eq(error, true)", ["tool"]),
        ("eq(error, false)", ["inner", "model", "root", "other"]),
        ('eq(run_type, "llm")', ["model"]),
        ('eq(status, "pending")', ["inner"]),
        ('neq(status, "pending")', ["tool", "model", "root", "other"]),
        ('eq(status, "error")', ["tool"]),
        ('eq(status, "success")', ["model", "root", "other"]),
        ('has(tags, "prod")', ["model", "root"]),
        ('not(has(tags, "prod"))', ["inner", "tool", "other"]),
        ('and(has(tags, "prod"), eq(is_root, false))', ["model"]),
    ],
)
def test_an_expression_keeps_the_runs_that_it_holds_of(text: str, names: list[str]) -> None:
    store_family()
    assert listed(RunFilter(expression=parse_filter(text))) == names


def test_a_root_expression_looks_at_the_root_of_the_runs_trace() -> None:
    store_family()
    tagged = RunFilter(
        expression=parse_filter('eq(run_type, "tool")'),
        root_expression=parse_filter('has(tags, "prod")'),
    )
    assert listed(tagged) == ["tool"]
    assert listed(RunFilter(root_expression=parse_filter('eq(status, "error")'))) == []


def test_a_tree_expression_looks_at_any_one_run_of_the_trace() -> None:
    store_family()
    roots = parse_filter("eq(is_root, true)")
    for text, names in (
        ('eq(status, "error")', ["root"]),
        ('and(eq(status, "error"), eq(run_type, "tool"))', ["root"]),
        ('and(eq(status, "error"), eq(run_type, "llm"))', []),  # of two runs: not one
    ):
        filter_ = RunFilter(expression=roots, tree_expression=parse_filter(text))
        assert listed(filter_) == names


def test_a_filter_never_leads_out_of_the_projects() -> None:
    stranger = make_run(name="stranger", tags=["x"])
    store_runs(OTHER, stranger)
    for filter_ in (
        RunFilter(),
        RunFilter(ids=(stranger.id,)),
        RunFilter(trace_id=stranger.id),
        RunFilter(parent_run_id=stranger.id),
        RunFilter(expression=parse_filter('has(tags, "x")')),
        RunFilter(expression=parse_filter(f'or(eq(id, "{stranger.id}"), not(has(tags, "y")))')),
        RunFilter(expression=parse_filter(f'eq(session_id, "{OTHER}")')),
        RunFilter(root_expression=parse_filter('has(tags, "x")')),
        RunFilter(tree_expression=parse_filter('has(tags, "x")')),
    ):
        assert listed(filter_) == []


def test_running_runs_of_a_silent_trace_are_listed_as_incomplete() -> None:
    silent, fresh = make_run(name="silent", end_time=None), make_run(name="fresh", end_time=None)
    store_runs(PROJECT, silent, fresh)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trace SET last_heard_at = now() - interval '11 minutes' WHERE id = %s",
            [silent.id],
        )
    page = runs.list_runs([PROJECT], RunFilter())
    assert {run.name: run.status for run in page.items} == {
        "silent": "incomplete",
        "fresh": "running",
    }
    found = runs.find_run([PROJECT], silent.id)
    assert found is not None
    assert found.status == "incomplete"


def test_a_run_that_two_projects_hold_is_listed_for_each() -> None:
    twin = make_run(name="twin")
    store_runs(PROJECT, twin)
    store_runs(OTHER, twin)
    pages = []
    cursor = None
    for _ in range(3):
        page = runs.list_runs([PROJECT, OTHER], RunFilter(ids=(twin.id,)), cursor, 1)
        pages.append([run.project_id for run in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(itertools.chain(*pages)) == [PROJECT, OTHER]


def test_no_step_to_the_root_of_a_deep_run_walks_its_whole_trace() -> None:
    """Although the planner does not know the table yet: so it is with the partition of a new day."""
    chain = [make_run()]
    for _ in range(300):
        chain.append(make_run(chain[-1], dotted_order=None))
    store_runs(PROJECT, *chain)
    params = {"project_id": PROJECT, "days": [START.date()], "ids": [chain[-1].id]}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {ANCESTORS}", params)
        conditions = [line for (line,) in cursor.fetchall() if "Index Cond" in line]
    assert conditions
    assert not [line for line in conditions if "trace_id" in line]
