"""The trace list, its counts, one trace and its tree: through real tables."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collector.query.search import Search, parse_search
from collector.reads import scan, traces
from collector.reads.errors import BadCursor, ReadTimeout
from collector.reads.trace_search import CompiledSearch
from collector.reads.types import Page, TraceFilter, TraceSummary
from collector.wire.operations import RunOperation
from tests.factories import SECOND, START, make_run, store_runs, uuid7

pytestmark = pytest.mark.django_db
PROJECT, OTHER = UUID(int=1), UUID(int=2)
ALL = TraceFilter()


def store_root(number: int, project_id: UUID = PROJECT, **fields: Any) -> RunOperation:
    """Store a trace of one run that started `number` seconds after START."""
    root = make_run(**{"start_time": START + number * SECOND, "name": f"run {number}", **fields})
    store_runs(project_id, root)
    return root


def names(page: Page[TraceSummary]) -> list[str]:
    return [trace.name for trace in page.items]


def search_of(text: str) -> Search:
    """What the search box has that looks for this text, as it is."""
    return parse_search(json.dumps(text, ensure_ascii=False))


def listed(filter_: TraceFilter = ALL) -> list[str]:
    return names(traces.list_traces([PROJECT], filter_))


def all_pages(
    limit: int, filter_: TraceFilter = ALL, project_ids: Iterable[UUID] = (PROJECT,)
) -> list[list[str]]:
    pages: list[list[str]] = []
    cursor = None
    while True:
        page = traces.list_traces(list(project_ids), filter_, cursor, limit)
        pages.append(names(page))
        cursor = page.next_cursor
        if cursor is None:
            return pages


def make_silent(trace_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trace SET last_heard_at = now() - interval '11 minutes' WHERE id = %s",
            [trace_id],
        )


def test_a_trace_has_the_face_of_its_root_and_the_totals_of_its_runs() -> None:
    root = make_run(
        name="support agent",
        tags=["prod", "beta"],
        inputs=b'{"question": "Where is my kettle?"}',
        outputs=b'{"answer": "On its way."}',
        extra=b'{"metadata": {"thread_id": "t-1", "user_id": "u-1"}}',
        end_time=START + timedelta(seconds=2.5),
    )
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    model = make_run(root, run_type="llm", outputs=usage)
    failed = make_run(root, error="Boom", end_time=None)
    store_runs(PROJECT, root, model, failed)
    (trace,) = traces.list_traces([PROJECT], ALL).items
    assert trace == TraceSummary(
        id=root.id,
        project_id=PROJECT,
        day=START.date(),
        has_root=True,
        name="support agent",
        run_type="chain",
        status="success",
        start_time=START,
        end_time=START + timedelta(seconds=2.5),
        latency_seconds=2.5,
        first_token_time=None,
        inputs_preview="Where is my kettle?",
        outputs_preview="On its way.",
        error="",
        tags=("prod", "beta"),
        thread_id="t-1",
        user_id="u-1",
        run_count=3,
        ended_count=2,
        error_count=1,
        prompt_tokens=10,
        completion_tokens=5,
        total_tokens=15,
        total_cost=None,
        last_heard_at=trace.last_heard_at,
    )


def test_a_trace_without_its_root_is_listed_without_a_face() -> None:
    root = make_run()
    store_runs(PROJECT, make_run(root, name="child"))
    (trace,) = traces.list_traces([PROJECT], ALL).items
    assert (trace.id, trace.has_root, trace.name, trace.status) == (root.id, False, "", "running")
    assert trace.latency_seconds is None


def test_a_latency_is_never_negative() -> None:
    store_root(1, end_time=START - SECOND)
    (trace,) = traces.list_traces([PROJECT], ALL).items
    assert trace.latency_seconds == 0


def test_traces_come_newest_first_over_days_and_pages_without_a_gap() -> None:
    numbers = [0, 5, 3, 90_000, 200_000, 86_400, 1]
    for number in numbers:
        store_root(number)
    expected = [f"run {number}" for number in sorted(numbers, reverse=True)]
    for limit in (1, 2, 3, 7, 50):
        pages = all_pages(limit)
        assert list(itertools.chain(*pages)) == expected
        assert all(len(page) == limit for page in pages[:-1])


def test_traces_of_one_microsecond_are_paged_by_id() -> None:
    for number in range(5):
        store_root(0, name=f"twin {number}")
    assert sorted(itertools.chain(*all_pages(2))) == [f"twin {number}" for number in range(5)]


def test_what_comes_in_while_paging_does_not_shift_the_later_pages() -> None:
    for number in range(4):
        store_root(number)
    first = traces.list_traces([PROJECT], ALL, None, 2)
    store_root(10)
    second = traces.list_traces([PROJECT], ALL, first.next_cursor, 2)
    assert (names(second), second.next_cursor) == (["run 1", "run 0"], None)


def test_other_projects_are_never_listed() -> None:
    store_root(1)
    store_root(2, OTHER)
    assert listed() == ["run 1"]
    assert traces.list_traces([], ALL).items == ()


def test_several_projects_are_merged_in_order() -> None:
    for number in range(6):
        store_root(number, PROJECT if number % 3 else OTHER)
    pages = all_pages(2, project_ids=(PROJECT, OTHER))
    assert pages == [["run 5", "run 4"], ["run 3", "run 2"], ["run 1", "run 0"]]


def test_a_run_that_two_projects_hold_is_not_lost_between_pages() -> None:
    twin = make_run(name="twin")
    store_runs(PROJECT, twin)
    store_runs(OTHER, twin)
    store_root(-1)
    pages = all_pages(1, project_ids=(PROJECT, OTHER))
    assert list(itertools.chain(*pages)) == ["twin", "twin", "run -1"]


@pytest.mark.parametrize("text", ["", "nonsense", "A" * 35, "é" * 35, "A" * 10_000])
def test_a_cursor_that_was_not_given_out_is_refused(text: str) -> None:
    if text:
        with pytest.raises(BadCursor):
            traces.list_traces([PROJECT], ALL, text)
    else:
        assert traces.list_traces([PROJECT], ALL, text).items == ()


def test_a_running_trace_that_fell_silent_is_incomplete() -> None:
    fresh, silent = store_root(1, end_time=None), store_root(2, end_time=None)
    make_silent(silent.id)
    shown = {trace.id: trace.status for trace in traces.list_traces([PROJECT], ALL).items}
    assert shown == {fresh.id: "running", silent.id: "incomplete"}


def test_an_ended_trace_never_becomes_incomplete() -> None:
    make_silent(store_root(1).id)
    assert [trace.status for trace in traces.list_traces([PROJECT], ALL).items] == ["success"]


def test_the_status_filter_means_the_status_shown() -> None:
    store_root(1, end_time=None)
    make_silent(store_root(2, end_time=None).id)
    store_root(3, error="Boom")
    store_root(4)
    assert listed(TraceFilter(statuses=("running",))) == ["run 1"]
    assert listed(TraceFilter(statuses=("incomplete", "error"))) == ["run 3", "run 2"]
    assert listed(TraceFilter(statuses=("cancelled",))) == []


def test_names_are_alternatives_and_tags_are_all_needed() -> None:
    store_root(1, tags=["a", "b"])
    store_root(2, tags=["a"])
    store_root(3)
    assert listed(TraceFilter(names=("run 1", "run 3"))) == ["run 3", "run 1"]
    assert listed(TraceFilter(tags=("a",))) == ["run 2", "run 1"]
    assert listed(TraceFilter(tags=("a", "b"))) == ["run 1"]


def test_the_time_range_includes_its_start_and_excludes_its_end() -> None:
    for number in range(4):
        store_root(number)
    within = TraceFilter(start_from=START + SECOND, start_to=START + 3 * SECOND)
    assert listed(within) == ["run 2", "run 1"]


def test_a_thread_is_listed() -> None:
    store_root(1, extra=b'{"metadata": {"thread_id": "t-1"}}')
    store_root(2, extra=b'{"metadata": {"thread_id": "t-2"}}')
    assert listed(TraceFilter(thread_id="t-1")) == ["run 1"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("KETTLE", ["run 1"]),
        ("ettl", []),
        ("shipped", ["run 1"]),
        ("100%", ["run 2"]),
        ("100_", []),
        ("timeouterror", ["run 3"]),
        ("run", ["run 3", "run 2", "run 1"]),
        ("C:\\temp", ["run 2"]),
        ("'; DROP TABLE trace; --", []),
        ("返金", ["run 3"]),
        ("%s %(x)s", []),
        ("\0", []),
        ("\ud800", []),
    ],
)
def test_text_is_found_in_name_payload_and_error_literally(text: str, found: list[str]) -> None:
    store_root(1, inputs=b'{"input": "Where is my Kettle?"}', outputs=b'{"output": "Shipped."}')
    store_root(2, inputs=b'{"input": "100% of C:\\\\temp"}')
    store_root(3, error="TimeoutError: gone", inputs='{"input": "返金"}'.encode())
    assert listed(TraceFilter(search=search_of(text))) == found


def test_filters_narrow_together() -> None:
    store_root(1, tags=["a"], error="Boom")
    store_root(2, tags=["a"])
    store_root(3, error="Boom")
    assert listed(TraceFilter(tags=("a",), statuses=("error",), search=parse_search("run"))) == [
        "run 1"
    ]


def test_a_rare_match_is_found_over_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "FIRST_CHUNK_ROWS", 2)
    monkeypatch.setattr(scan, "LAST_CHUNK_ROWS", 4)
    for number in range(12):
        store_root(number, tags=["rare"] if number in (0, 7) else [])
    assert all_pages(1, TraceFilter(tags=("rare",))) == [["run 7"], ["run 0"]]
    assert all_pages(5, TraceFilter(tags=("rare",))) == [["run 7", "run 0"]]


def test_when_the_time_is_over_the_page_says_how_far_it_looked_and_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "FIRST_CHUNK_ROWS", 3)
    monkeypatch.setattr(scan.time, "monotonic", itertools.count(step=100).__next__)
    for number in range(8):
        store_root(number, PROJECT if number % 2 else OTHER, tags=["rare"] if number == 1 else [])
    rare = TraceFilter(tags=("rare",))
    first = traces.list_traces([PROJECT, OTHER], rare)
    assert (first.items, first.scanned_to) == ((), START + 3 * SECOND)
    second = traces.list_traces([PROJECT, OTHER], rare, first.next_cursor)
    assert (names(second), second.next_cursor, second.scanned_to) == (["run 1"], None, None)


def test_a_database_that_takes_too_long_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    store_root(1)
    slow = CompiledSearch(["pg_sleep(30) IS NOT NULL"], {}, needs_payload=False, has_index=False)
    monkeypatch.setattr(traces, "search_within", lambda *given: given[-1] and slow)
    monkeypatch.setattr(traces, "scan_page", partial(scan.scan_page, budget_seconds=0.02))
    with pytest.raises(ReadTimeout):
        listed(TraceFilter(search=parse_search("x")))
    assert listed() == ["run 1"]


def test_a_plain_list_is_one_statement_on_the_trace_table() -> None:
    for number in range(3):
        store_root(number)
    with CaptureQueriesContext(connection) as captured:
        listed()
    reading = [query["sql"] for query in captured if " FROM trace " in query["sql"]]
    assert len(reading) == 1


def test_counts_are_given_for_every_status_whatever_status_is_asked_for() -> None:
    store_root(1)
    store_root(2)
    store_root(3, error="Boom")
    store_root(4, end_time=None)
    make_silent(store_root(5, end_time=None).id)
    counts = traces.count_traces([PROJECT, OTHER], TraceFilter(statuses=("error", "running")))
    assert counts.by_status == {
        "running": 1, "success": 2, "error": 1, "interrupted": 0, "cancelled": 0, "incomplete": 1,
    }  # fmt: skip
    assert (counts.total, counts.is_capped) == (2, False)


def test_counts_obey_the_other_filters() -> None:
    for number in range(6):
        store_root(number, tags=["even"] if number % 2 == 0 else [])
    filter_ = TraceFilter(
        tags=("even",), start_from=START + SECOND, search=parse_search("name:run*")
    )
    assert traces.count_traces([PROJECT], filter_).total == 2
    assert traces.count_traces([OTHER], filter_).total == 0


def test_counts_stop_at_the_newest_traces_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "COUNTED_TRACES", 3)
    for number in range(5):
        store_root(number, error="Boom" if number < 3 else None)
    counts = traces.count_traces([PROJECT], ALL)
    assert (counts.total, counts.by_status["error"], counts.is_capped) == (3, 1, True)


@pytest.mark.parametrize("is_late", [False, True], ids=["on its own day", "far from its own day"])
def test_a_trace_is_found_by_a_time_ordered_id(is_late: bool) -> None:
    made = START - timedelta(days=400 if is_late else 0)
    root = store_root(1, id=uuid7(made))
    found = traces.get_trace([PROJECT], root.id)
    assert found is not None
    assert (found.id, found.day) == (root.id, START.date())


def test_a_trace_of_today_is_found_without_a_look_at_all_days() -> None:
    root = store_root(1, id=uuid7(START))
    with CaptureQueriesContext(connection) as captured:
        traces.get_trace([PROJECT], root.id)
    assert len(captured) == 1


def test_a_strangers_trace_is_not_found() -> None:
    root = store_root(1)
    assert traces.get_trace([OTHER], root.id) is None
    assert traces.get_tree([OTHER], root.id) is None
    assert traces.get_tree([], root.id) is None
    assert traces.get_tree([PROJECT], uuid4()) is None


def test_a_tree_holds_the_trace_and_its_runs_in_order() -> None:
    root = make_run()
    model = make_run(root, name="model", after_seconds=2)
    tool = make_run(root, name="tool", after_seconds=1)
    inner = make_run(tool, name="inner", error="Boom")
    orphan = replace_parent(make_run(root, name="orphan", after_seconds=3), uuid4())
    store_runs(PROJECT, orphan, model, inner, tool, root)
    tree = traces.get_tree([PROJECT], root.id)
    assert tree is not None
    assert [(node.run.name, node.depth) for node in tree.nodes] == [
        ("agent", 0), ("tool", 1), ("inner", 2), ("model", 1), ("orphan", 1),
    ]  # fmt: skip
    assert (tree.trace.run_count, tree.orphan_count, tree.truncated_count) == (5, 1, 0)


def replace_parent(run: RunOperation, parent_run_id: UUID) -> RunOperation:
    run.parent_run_id = parent_run_id
    return run


def test_a_large_tree_is_cut_by_time_and_keeps_its_root() -> None:
    root = make_run()
    early = make_run(root, name="early", after_seconds=-5)
    later = [make_run(root, name=f"later {number}", after_seconds=number) for number in range(4)]
    store_runs(PROJECT, root, early, *later)
    tree = traces.get_tree([PROJECT], root.id, limit=3)
    assert tree is not None
    assert [node.run.name for node in tree.nodes] == ["agent", "early", "later 0"]
    assert tree.truncated_count == 3


def test_running_runs_of_a_silent_trace_are_incomplete_in_its_tree() -> None:
    root = make_run(end_time=None)
    store_runs(PROJECT, root, make_run(root, end_time=None), make_run(root, after_seconds=1))
    make_silent(root.id)
    tree = traces.get_tree([PROJECT], root.id)
    assert tree is not None
    assert [node.run.status for node in tree.nodes] == ["incomplete", "incomplete", "success"]
    assert tree.trace.status == "incomplete"


def test_a_run_is_placed_by_the_time_in_its_dotted_order_not_by_its_start() -> None:
    root = make_run()
    first = make_run(root, name="first", after_seconds=1)
    second = make_run(root, name="second", after_seconds=2)
    first.start_time = START + 9 * SECOND
    store_runs(PROJECT, root, first, second)
    tree = traces.get_tree([PROJECT], root.id)
    assert tree is not None
    assert [node.run.name for node in tree.nodes] == ["agent", "first", "second"]
    assert tree.nodes[1].run.position == datetime(2026, 11, 24, 12, 0, 1, 123456, tzinfo=UTC)
