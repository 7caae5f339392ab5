from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collector.models import Project
from collector.wire.operations import RunOperation
from tests.factories import make_run, store_runs

URL = "/p/test-project/traces"
HTMX = {"HX-Request": "true", "HX-Target": "trace-list"}


def start(minutes_ago: float = 5.0, **fields: Any) -> RunOperation:
    return make_run(start_time=datetime.now(UTC) - timedelta(minutes=minutes_ago), **fields)


def names(response: HttpResponse) -> list[str]:
    return [row.trace.name for row in response.context["rows"]]


@pytest.fixture
def stored(project: Project) -> Callable[..., Sequence[RunOperation]]:
    def store(*runs: RunOperation) -> Sequence[RunOperation]:
        store_runs(project.id, *runs)
        return runs

    return store


Stored = Callable[..., Sequence[RunOperation]]


def test_traces_are_listed_newest_first_as_valid_html(
    reader: Client, stored: Stored, check_html: Callable[[HttpResponse], None]
) -> None:
    stored(start(9, name="old"), start(1, name="new"), start(4, name="middle"))
    response = reader.get(URL)
    check_html(response)
    assert names(response) == ["new", "middle", "old"]


def test_a_row_says_what_went_in_and_out_and_what_it_took(reader: Client, stored: Stored) -> None:
    (run,) = stored(
        start(
            inputs=b'{"question": "Do you ship to Norway?"}',
            outputs=b'{"answer": "Yes."}',
            tags=["web", "vip"],
        )
    )
    text = reader.get(URL).content.decode()
    for piece in (
        "Do you ship to Norway?",
        "Yes.",
        "1.00 s",
        ">web<",
        ">vip<",
        f'href="{URL}/{run.id}"',
    ):
        assert piece in text


def test_a_script_gets_the_list_alone(reader: Client, stored: Stored) -> None:
    stored(start())
    response = reader.get(URL, headers=HTMX)
    text = response.content.decode()
    assert text.strip().startswith('<div class="list-page" id="trace-list"')
    assert "<html" not in text
    assert "HX-Request" in response["Vary"]


def test_going_back_in_history_gets_the_whole_page(reader: Client, stored: Stored) -> None:
    stored(start())
    response = reader.get(URL, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert response.content.decode().startswith("<!doctype html>")


def test_a_stranger_is_told_that_there_is_no_such_project(stranger: Client, stored: Stored) -> None:
    stored(start(name="secret"))
    response = stranger.get(URL)
    assert response.status_code == 404
    assert "secret" not in response.content.decode()


def test_a_project_without_any_trace_leads_to_its_setup(reader: Client, project: Project) -> None:
    assert reader.get(URL)["Location"] == "/p/test-project/setup"


HOSTILE = "<script>alert(1)</script>"


def test_everything_that_was_sent_is_shown_as_text(reader: Client, stored: Stored) -> None:
    value = orjson.dumps({"text": HOSTILE})
    stored(
        start(name=HOSTILE, inputs=value, outputs=value, tags=[HOSTILE]),
        start(name="failed", error=HOSTILE),
    )
    response = reader.get(URL, {"name": HOSTILE, "tag": HOSTILE, "q": HOSTILE})
    assert "<script>alert" not in response.content.decode()
    assert "<script>alert" not in reader.get(URL).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_rows(reader: Client, stored: Stored) -> None:
    stored(start())
    reader.get(URL)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(URL).status_code == 200
        return len(queries)

    before = count()
    stored(*(start(minutes_ago=index) for index in range(1, 30)))
    assert count() == before
    assert before <= 14  # session, user, project, rows and overview, each with its time limit


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "error"}, ["broken"]),
        ({"status": ["error", "success"]}, ["broken", "tagged", "plain"]),
        ({"name": "plain"}, ["plain"]),
        ({"name": ["plain", "tagged"]}, ["tagged", "plain"]),
        ({"tag": "vip"}, ["tagged"]),
        ({"tag": ["vip", "web"]}, ["tagged"]),
        ({"tag": ["vip", "ja"]}, []),
        ({"q": "NORWAY"}, ["plain"]),
        ({"q": "orderservice"}, ["broken"]),
        ({"q": "*timeout*"}, ["broken"]),
        ({"q": "error:timeout"}, ["broken"]),
        ({"q": "%"}, []),
        ({"range": "1h"}, ["broken", "tagged", "plain"]),
        ({"range": "all"}, ["broken", "tagged", "plain", "ancient"]),
        (
            {"status": "nonsense", "range": "nonsense", "from": "nonsense"},
            ["broken", "tagged", "plain"],
        ),
    ],
)
def test_every_filter_narrows_the_list(
    reader: Client, stored: Stored, query: dict[str, Any], expected: list[str]
) -> None:
    stored(
        start(1, name="broken", error="OrderServiceTimeout: no answer"),
        start(2, name="tagged", tags=["vip", "web"]),
        start(3, name="plain", inputs=b'{"q": "Do you ship to Norway?"}'),
        start(60 * 24 * 90, name="ancient"),
    )
    response = reader.get(URL, query)
    assert (names(response) if "rows" in response.context else []) == expected


def test_a_time_without_an_offset_is_in_the_readers_zone(reader: Client, stored: Stored) -> None:
    stored(make_run(name="noon", start_time=datetime(2026, 7, 1, 12, 0, tzinfo=UTC)))
    window = {"from": "2026-07-01T13:30", "to": "2026-07-01T14:30"}
    reader.cookies["runwood_zone"] = "Europe/Berlin"
    assert names(reader.get(URL, window)) == ["noon"]
    reader.cookies["runwood_zone"] = "UTC"
    assert names(reader.get(URL, window)) == []


def test_statuses_are_counted_as_if_none_were_chosen(reader: Client, stored: Stored) -> None:
    stored(start(1, error="x"), start(2), start(3), start(4, end_time=None))
    response = reader.get(URL, {"status": "error"})
    (statuses, *_) = response.context["facets"]
    counts = {option.value: option.count for option in statuses.options}
    assert counts == {
        "success": 2,
        "error": 1,
        "running": 1,
        "interrupted": 0,
        "cancelled": 0,
        "incomplete": 0,
    }
    assert response.context["overview"].trace_count == 1


def test_a_chosen_value_links_to_the_list_without_it(reader: Client, stored: Stored) -> None:
    stored(start(tags=["vip"]))
    response = reader.get(URL, {"tag": ["vip", "rare"], "q": "agent"})
    tags = {option.value: option.href for option in response.context["facets"][-1].options}
    assert tags == {"vip": "?q=agent&tag=rare", "rare": "?q=agent&tag=vip"}


def test_older_traces_come_page_by_page_and_none_twice(reader: Client, stored: Stored) -> None:
    runs = stored(*(start(minutes_ago=1 + index / 100, name=str(index)) for index in range(120)))
    seen: list[str] = []
    href = "?"
    while href:
        response = reader.get(URL + href)
        seen += names(response)
        href = response.context.get("older", "")
    assert seen == [run.name for run in runs]


def test_a_cursor_that_is_none_leads_back_to_the_newest(reader: Client, stored: Stored) -> None:
    stored(start())
    assert reader.get(f"{URL}?before=nonsense&tag=x")["Location"] == "?tag=x"


def test_an_older_row_that_changed_may_be_asked_for_again(reader: Client, stored: Stored) -> None:
    runs = stored(*(start(minutes_ago=1 + index, name=str(index)) for index in range(60)))
    response = reader.get(URL, {"again": [str(runs[55].id), "nonsense"]}, headers=HTMX)
    assert [row.trace.name for row in response.context["again"]] == ["55"]


def test_nothing_of_another_project_can_be_asked_for_again(
    reader: Client, project: Project, stored: Stored
) -> None:
    stored(start())
    other = Project.objects.create(workspace=project.workspace, name="other")
    run = start(name="elsewhere")
    store_runs(other.id, run)
    response = reader.get(URL, {"again": str(run.id)}, headers=HTMX)
    assert response.context["again"] == []


def test_an_empty_list_says_which_filter_to_drop(
    reader: Client, stored: Stored, check_html: Callable[[HttpResponse], None]
) -> None:
    stored(start(1, name="a", tags=["vip"]), start(2, name="a"), start(3, name="b", error="x"))
    response = reader.get(URL, {"name": "a", "status": "error"})
    check_html(response)
    assert [
        (chip.key, chip.value, href, count) for chip, href, count in response.context["suggestions"]
    ] == [
        ("status", "Error", "?name=a", 2),
        ("name", "a", "?status=error", 1),
    ]
    assert "No trace matches both filters" in response.content.decode()


def test_an_empty_time_range_says_that_there_are_traces_outside_of_it(
    reader: Client, stored: Stored
) -> None:
    stored(start(60 * 24 * 90))
    response = reader.get(URL)
    assert "No trace started in this time" in response.content.decode()
    assert [(chip.key, href) for chip, href, _ in response.context["suggestions"]] == [
        ("time", "?range=all")
    ]


def test_the_totals_are_those_of_the_filter(reader: Client, stored: Stored) -> None:
    usage = b'{"generations": [[{"message": {"kwargs": {"usage_metadata": {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}}}}]]}'
    stored(start(1, name="chat", run_type="llm", outputs=usage), start(2, name="other", error="x"))
    overview = reader.get(URL, {"name": "chat"}).context["overview"]
    assert (overview.trace_count, overview.error_count, overview.total_tokens) == (1, 0, 42)
    assert overview.latency_p50_seconds == 1.0
    assert overview.total_cost in (None, Decimal(0))


def test_the_histogram_holds_every_trace_and_links_to_its_time(
    reader: Client, stored: Stored
) -> None:
    stored(
        *(
            start(minutes_ago=10 * index + 1, error="x" if index == 3 else None)
            for index in range(12)
        )
    )
    response = reader.get(URL)
    buckets = response.context["overview"].buckets
    assert (sum(b.trace_count for b in buckets), sum(b.error_count for b in buckets)) == (12, 1)
    oldest = response.context["histogram"].bars[0]
    assert len(names(reader.get(URL + oldest.href))) == 1


def test_a_running_trace_sends_the_age_for_its_clock(reader: Client, stored: Stored) -> None:
    stored(start(minutes_ago=0.5, end_time=None))
    (row,) = reader.get(URL).context["rows"]
    assert row.trace.status == "running"
    assert 30 <= row.elapsed_seconds < 35


def test_a_trace_of_which_only_children_came_is_listed(reader: Client, stored: Stored) -> None:
    root = start()
    stored(make_run(root, name="child"))
    text = reader.get(URL).content.decode()
    assert "Root not received yet" in text
    assert f'href="{URL}/{root.id}"' in text


def test_the_median_is_of_the_traces_that_ended(reader: Client, stored: Stored) -> None:
    stored(start(), *(start(end_time=None) for _ in range(4)))
    overview = reader.get(URL).context["overview"]
    assert (overview.latency_p50_seconds, overview.latency_p95_seconds) == (1.0, 1.0)


def test_where_no_trace_has_ended_there_is_no_median(reader: Client, stored: Stored) -> None:
    stored(start(end_time=None), start(end_time=None))
    assert "p50" not in reader.get(URL).content.decode()


def test_a_search_is_said_in_words_each_with_the_way_without_it(
    reader: Client, stored: Stored
) -> None:
    stored(start(name="agent", tags=["prod"]))
    response = reader.get(URL, {"q": 'status:success tag:prod -type:tool metadata.a:1 "refund"'})
    assert [words for words, _ in response.context["query"].said()] == [
        "status is success",
        "tag is prod",
        "no run: type is tool",
        "metadata a is 1",
        "some run: has “refund”",
    ]
    without = dict(response.context["query"].said())["tag is prod"]
    assert "prod" not in without
    assert "status%3Asuccess" in without


def test_a_search_can_be_taken_along_as_langsmiths_filters(reader: Client, stored: Stored) -> None:
    stored(start())
    text = reader.get(URL, {"q": "latency:>5s model:gpt*"}).content.decode()
    assert "and(gt(latency, 5))" in text
    assert "like(model, &quot;gpt%&quot;)" in text


def test_a_search_that_nobody_understands_shows_the_list_as_it_was_and_where_the_fault_is(
    reader: Client, stored: Stored, check_html: Callable[[HttpResponse], None]
) -> None:
    stored(start(1, name="good", tags=["a"]), start(2, name="other"))
    was = {**HTMX, "HX-Current-URL": f"http://testserver{URL}?q=tag:a"}
    response = reader.get(URL, {"q": "tag:a statsu:<b>"}, headers=was)
    assert names(response) == ["good"]
    fault = response.context["asked"].fault
    assert (fault.before, fault.at, fault.after) == ("tag:a ", "statsu:<b>", "")
    assert "did you mean status?" in fault.message
    assert 'value="tag:a statsu:&lt;b&gt;"' in response.content.decode()
    whole = reader.get(URL, {"q": "tag:a statsu:<b>"})
    check_html(whole)
    assert names(whole) == ["good", "other"]


def test_nothing_is_counted_while_texts_are_searched(reader: Client, stored: Stored) -> None:
    stored(start(inputs=b'{"q": "refund"}'))
    response = reader.get(URL, {"q": "refund"})
    assert len(names(response)) == 1
    assert response.context["overview"] is None
    assert not response.context["is_live"]
    assert "nothing is counted" in response.content.decode()


def test_the_search_box_is_offered_what_was_seen(reader: Client, stored: Stored) -> None:
    stored(start(name="<b>agent", tags=["prod"]), start(name="<b>agent"), start(name="other"))
    text = reader.get("/p/test-project/search", {"q": "name:a"}).content.decode()
    assert "&lt;b&gt;agent" in text
    assert "other" not in text
    assert ">2<" in text
    assert "prod" in reader.get("/p/test-project/search", {"q": "tag:"}).content.decode()
    assert (
        "status:" in reader.get("/p/test-project/search", {"q": "st x", "at": "2"}).content.decode()
    )


def test_a_stranger_is_offered_nothing(stranger: Client, stored: Stored) -> None:
    stored(start())
    assert stranger.get("/p/test-project/search", {"q": "name:"}).status_code == 404


# --- other rows, other columns, another order ------------------------------------------------------
def run_names(response: HttpResponse) -> list[str]:
    return [row.run.name for row in response.context["rows"]]


def test_all_runs_and_calls_of_models_are_lists_of_their_own(
    reader: Client, stored: Stored, check_html: Callable[[HttpResponse], None]
) -> None:
    root = start(name="agent")
    stored(root, make_run(root, name="ChatOpenAI", run_type="llm"), make_run(root, name="tool"))
    response = reader.get(f"{URL}?of=runs")
    check_html(response)
    assert set(run_names(response)) == {"agent", "ChatOpenAI", "tool"}
    calls = reader.get(f"{URL}?of=llm")
    assert run_names(calls) == ["ChatOpenAI"]
    assert f"/traces/{root.id}?run=" in calls.content.decode()


def test_in_a_list_of_runs_a_search_is_asked_of_the_run_itself(
    reader: Client, stored: Stored
) -> None:
    root = start(name="agent")
    stored(root, make_run(root, name="tool", run_type="tool", error="boom"))
    assert names(reader.get(f"{URL}?q=type:tool")) == ["agent"]
    assert run_names(reader.get(f"{URL}?of=runs&q=type:tool")) == ["tool"]
    assert run_names(reader.get(f"{URL}?of=runs&status=error")) == ["tool"]


def test_the_columns_of_an_address_are_shown_and_remembered(reader: Client, stored: Stored) -> None:
    stored(start())
    shown = reader.get(f"{URL}?columns=tokens&columns=cost").context["columns"]
    assert [head.column.key for head in shown] == ["tokens", "cost"]
    assert [head.column.key for head in reader.get(URL).context["columns"]] == ["tokens", "cost"]
    assert len(reader.get(f"{URL}?of=llm").context["columns"]) > 2


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("latency", ["slow", "quick"]), ("oldest", ["slow", "quick"]), ("", ["quick", "slow"])],
)
def test_rows_stand_in_the_order_of_the_address(
    reader: Client, stored: Stored, sort: str, expected: list[str]
) -> None:
    slow = start(9, name="slow")
    slow.end_time = (slow.start_time or datetime.now(UTC)) + timedelta(seconds=60)
    stored(slow, start(2, name="quick"))
    assert names(reader.get(f"{URL}?sort={sort}")) == expected
