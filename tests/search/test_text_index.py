"""The index of what runs say: what comes into it and leaves it, and how Postgres is asked."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collector.query.search import parse_search
from collector.reads import text_walk, traces
from collector.reads.scan import Source
from collector.reads.text_walk import find_index_lag
from collector.reads.types import TraceFilter
from collector.storage import text_rows
from collector.storage.delete import delete_runs_by_id, delete_traces
from collector.storage.text_rows import MAX_REPEATS, MAX_TOKENS
from tests.factories import SECOND, START, make_run, store_runs
from tests.search.indexing import PROJECT, found, index_everything, rows, search, store_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def _only_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at before the index is asked."""
    monkeypatch.setattr(text_walk, "NEWEST_TRACES", 1)
    for number in range(2):
        store_text("nothing", start_time=START + timedelta(days=1) + number * SECOND)


only_the_index = pytest.mark.usefixtures("_only_the_index")


@only_the_index
@pytest.mark.parametrize(
    ("text", "search_for"),
    [
        ("Our refund policy", "refund"),
        ("Our refund policy", "REFUND pol*"),
        ("Our  refund\npolicy", '"refund policy"'),
        ("order INV-2024-00991 is late", "INV-2024-00991"),
        ("order INV-2024-00991 is late", "00991"),
        ("order INV-2024-00991 is late", "*0099*"),
        ("https://shop.example/u?id=4f2a-91bc", "4f2a-91bc"),
        ("返金ポリシーについて", "返金"),
        ("ขอคืนเงินได้ไหม", "คืนเงิน"),
        ("환불 정책", "환불"),
        ("سياسة الاسترداد", "الاسترداد"),
        ("Straße nach Köln", "STRASSE"),
        ("done ✅ 🎉", "🎉"),
        ({"order_id": 1234567}, "1234567"),
        ({"a": [{"b": "deep inside"}]}, '"deep inside"'),
        ("one two three four five six seven eight nine ten eleven", '"two three four five six seven eight nine ten eleven"'),
    ],
)  # fmt: skip
def test_a_trace_is_found_by_what_it_says_whether_it_is_indexed_or_not(
    text: object, search_for: str
) -> None:
    run = store_text(text)
    assert found(search_for) == [run.id]
    index_everything()
    assert found(search_for) == [run.id]


@only_the_index
@pytest.mark.parametrize(
    ("text", "search_for"),
    [
        ("our refund, policy", '"refund policy"'),
        ("our prefund", "refund"),
        ("our refunds", '"refund"'),
        ("INV 2024 00991", "INV-2024-00991"),
        (["refund", "policy"], '"refund policy"'),
        ({"refund": 1}, "refund"),
        ("unrelated", "ab"),
    ],
)
def test_a_trace_is_not_found_by_what_it_does_not_say(text: object, search_for: str) -> None:
    store_text(text)
    index_everything()
    assert found(search_for) == []


@only_the_index
def test_what_errors_metadata_and_names_say_is_indexed() -> None:
    run = make_run(
        name="settle_claims", error="ConnectTimeout: gone", extra=b'{"metadata": {"u": "user_77"}}'
    )
    store_runs(PROJECT, run)
    index_everything()
    for word in ("user_77", "settle_claims", "connecttimeout", "error:timeout"):
        assert found(word) == [run.id], word


@only_the_index
def test_words_are_of_the_trace_and_in_brackets_of_one_run() -> None:
    root = make_run(inputs=b'{"input": "a refund"}')
    store_runs(PROJECT, root, make_run(root, outputs=b'{"output": "the policy"}'))
    index_everything()
    assert found("refund policy") == [root.id]
    assert found("any(refund policy)") == []
    assert found("any(refund OR nonsense)") == [root.id]
    assert found("refund -policy") == []
    assert found("refund status:error") == []
    assert found("refund nonsense") == []


@only_the_index
def test_a_rare_word_and_a_frequent_one_are_found_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.storage.text_candidates.FEW_ROWS", 3)
    for number in range(6):
        store_text("frequent words", start_time=START + number * SECOND)
    both = store_text("frequent rare words")
    index_everything()
    assert found("frequent rare") == [both.id]
    assert len(found("frequent words")) == 7


@only_the_index
def test_words_that_stand_in_different_rows_of_a_trace_are_found_together() -> None:
    run = store_text(["alpha", " ".join(f"w{number}" for number in range(2 * MAX_TOKENS)), "omega"])
    index_everything()
    assert len(rows("SELECT 1 FROM trace_text WHERE trace_id = %s", run.id)) > 2
    assert found("alpha omega") == [run.id]


def test_hits_come_newest_first_and_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_walk, "NEWEST_TRACES", 2)
    monkeypatch.setattr(text_walk, "CANDIDATES_AT_ONCE", 3)
    runs = [
        store_text("kettle", start_time=START - number * timedelta(hours=7)) for number in range(20)
    ]
    index_everything()
    store_text("kettle")  # one that waits, among those that are indexed
    seen: list[UUID] = []
    cursor = None
    while True:
        page = traces.list_traces(
            [PROJECT], TraceFilter(search=parse_search("kettle")), cursor=cursor, limit=4
        )
        seen += [trace.id for trace in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [id_ for id_ in seen if id_ in {run.id for run in runs}] == [run.id for run in runs]
    assert len(seen) == 21


def test_a_search_whose_time_is_over_says_how_far_it_looked_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_walk, "NEWEST_TRACES", 1)
    monkeypatch.setattr(Source, "is_over", property(lambda _: True))
    wanted = store_text("kettle", start_time=START - timedelta(days=9))
    for number in range(9):
        store_text("cup", start_time=START - timedelta(days=number))
    index_everything()
    seen, steps, cursor = [], 0, None
    while True:
        page = traces.list_traces(
            [PROJECT], TraceFilter(search=parse_search("kettle")), cursor=cursor
        )
        seen += [trace.id for trace in page.items]
        steps, cursor = steps + 1, page.next_cursor
        if cursor is None:
            break
        assert page.scanned_to is not None
    assert seen == [wanted.id]
    assert steps > 1


# --- Changes ------------------------------------------------------------------------------------------


@only_the_index
def test_a_late_patch_is_found_at_once_and_when_indexed_and_leaves_one_copy() -> None:
    run = make_run(inputs=b'{"input": "first"}', end_time=None)
    store_runs(PROJECT, run)
    index_everything()
    patch = make_run(id=run.id, start_time=run.start_time, outputs=b'{"output": "second thought"}')
    store_runs(PROJECT, patch)
    assert found("second") == [run.id]
    index_everything()
    assert found("second") == [run.id]
    assert found("first") == [run.id]
    assert len(rows("SELECT 1 FROM trace_text WHERE trace_id = %s", run.id)) == 1


@only_the_index
def test_indexing_again_and_in_any_order_changes_nothing() -> None:
    runs = [store_text(f"kettle {number}") for number in range(3)]
    index_everything()
    before = rows("SELECT trace_id, part, words FROM trace_text ORDER BY 1, 2")
    call_command("index_text", "--all", verbosity=0)
    assert rows("SELECT trace_id, part, words FROM trace_text ORDER BY 1, 2") == before
    assert sorted(found("kettle")) == sorted(run.id for run in runs)


def test_a_deleted_trace_is_forgotten() -> None:
    run = store_text("secret kettle")
    index_everything()
    store_runs(PROJECT, make_run(run))
    delete_traces(PROJECT, [(START.date(), run.id)])
    assert rows("SELECT 1 FROM trace_text") == []
    assert rows("SELECT 1 FROM text_queue") == []
    assert found("kettle") == []


def test_of_a_trace_that_loses_a_run_the_index_loses_it_at_once() -> None:
    root = make_run(inputs=b'{"input": "kettle"}')
    child = make_run(root, inputs=b'{"input": "secret"}')
    store_runs(PROJECT, root, child)
    index_everything()
    delete_runs_by_id(PROJECT, [child.id])
    assert rows("SELECT 1 FROM trace_text") == []
    index_everything()
    (words,) = rows("SELECT words::text FROM trace_text")
    assert "'kettle'" in words[0]
    assert "secret" not in words[0]


def test_another_project_is_not_searched() -> None:
    store_text("kettle")
    index_everything()
    assert search("kettle", [UUID(int=2)]).items == ()


@only_the_index
def test_a_trace_whose_start_is_far_from_its_day_is_found_where_it_stands() -> None:
    run = make_run(inputs=b'{"input": "kettle"}', day=(START - timedelta(days=20)).date())
    store_runs(PROJECT, run)
    index_everything()
    assert found("kettle") == [run.id]
    assert found("kettle", start_from=START - SECOND, start_to=START + SECOND) == [run.id]


# --- How far it is behind -----------------------------------------------------------------------------


def test_the_lag_is_that_of_what_waits_too_long() -> None:
    store_text("kettle")
    assert find_index_lag([PROJECT]).indexed_up_to is None
    late = datetime.now(UTC) - timedelta(minutes=5)
    rows("UPDATE text_queue SET due_at = %s RETURNING 1", late)
    assert find_index_lag([PROJECT]).indexed_up_to == late
    assert find_index_lag([UUID(int=2)]).indexed_up_to is None
    rows("UPDATE text_queue SET due_at = NULL RETURNING 1")
    assert find_index_lag([PROJECT]).has_older
    index_everything()
    assert not find_index_lag([PROJECT]).has_older


def test_the_command_indexes_what_was_stored_before_there_was_an_index(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_text("kettle")
    rows("UPDATE text_queue SET due_at = NULL RETURNING 1")
    call_command("index_text")
    assert "1 traces indexed" in capsys.readouterr().out
    assert len(rows("SELECT 1 FROM trace_text")) == 1


# --- The traps ----------------------------------------------------------------------------------------


@only_the_index
def test_no_row_has_more_positions_than_postgres_keeps() -> None:
    """It drops what is past 256 positions of a word, or past 16,383 in all, and says nothing."""
    long_text = " ".join(f"the w{number}" for number in range(10_000))
    zeros = " ".join(["0"] * 3_000) + " zero kettle"
    run = store_text([long_text, zeros])
    index_everything()
    for (words,) in rows("SELECT words::text FROM trace_text WHERE trace_id = %s", run.id):
        counts = [len(part.rsplit(":", 1)[-1].split(",")) for part in words.split(" ")]
        assert max(counts) <= MAX_REPEATS
        assert sum(counts) <= MAX_TOKENS + 1
    assert found('"the w9999"') == [run.id]
    assert found('"w7777 the w7778"') == [run.id]
    assert found('"0 0 zero kettle"') == [run.id]


def test_rows_overlap_by_enough_for_the_longest_phrase_that_is_asked_for() -> None:
    text = " ".join(f"w{number}" for number in range(3 * MAX_TOKENS))
    parts = list(text_rows.token_rows([text]))
    assert {tuple(part[:8]) for part in parts[1:]} == {tuple(part[-8:]) for part in parts[:-1]}
    assert Counter(len(part) for part in parts)[MAX_TOKENS] == 3


@only_the_index
def test_no_plan_walks_an_index_of_times_or_reads_a_whole_table() -> None:
    runs = [
        make_run(inputs=b'{"input": "kettle %d"}' % number, start_time=START + number * SECOND)
        for number in range(300)
    ]
    store_runs(PROJECT, *runs)
    index_everything()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trace_text")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        found("nonsense")
        found("kettle 77")
        search("kettle")
    asked = [item["sql"] for item in captured if "FROM trace_text" in item["sql"]]
    assert len(asked) >= 3
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("SET LOCAL enable_indexonlyscan = off")
        for query in asked:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query}")
            plan = json.dumps(cursor.fetchone()[0])
            assert "words" in plan
            assert "Bitmap Index Scan" in plan
            assert '"Seq Scan"' not in plan
            assert '"Index Scan"' not in plan


# --- Hostile content ----------------------------------------------------------------------------------


@only_the_index
@pytest.mark.parametrize(
    "text",
    [
        "' \\ & | ! <-> :* () 'x':1A,2B",
        "a" * 1_000_000,
        "é" * 100_000 + " kettle",
        "\u202e\u0000\ufeff kettle \U0010ffff",
        "x² ½ ⅷ ٣٤ kettle",
        "A" * 5_000 + "/" * 3_000,
    ],
)
def test_whatever_a_run_says_is_indexed_without_a_failure(text: str) -> None:
    run = store_text([text, "marker"])
    assert index_everything() >= 1
    assert found("marker") == [run.id]


@pytest.mark.parametrize(
    "text", ["'", "\\", "a'b\\c:*", "<->", "!x", "(a|b)&c", "x²", "²", "%s", "'':*"]
)
def test_whatever_is_looked_for_is_a_text_and_never_a_query(text: str) -> None:
    run = store_text(f"before {text} after")
    index_everything()
    quoted = json.dumps(text)
    assert found(quoted) == [run.id]
    assert found(f'"before {quoted[1:-1]} after"') == [run.id]


@only_the_index
def test_of_a_trace_that_says_too_much_what_is_not_indexed_is_found_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.storage.text_index.MAX_ROWS", 1)
    run = store_text([" ".join(f"w{number}" for number in range(MAX_TOKENS)), "kettle"])
    index_everything()
    assert found("kettle") == [run.id]
    assert found("nonsense") == []


@only_the_index
def test_json_that_nothing_can_read_is_searched_as_it_is() -> None:
    run = make_run(inputs=b'{"input": "kettle')
    store_runs(PROJECT, run)
    index_everything()
    assert found("kettle") == [run.id]


@only_the_index
def test_letters_that_a_client_escaped_are_found() -> None:
    run = make_run(inputs=orjson.dumps({"a": "x"}).replace(b"x", rb"K\u00f6ln \u8fd4\u91d1"))
    store_runs(PROJECT, run)
    index_everything()
    assert found("köln") == [run.id]
    assert found("返金") == [run.id]
