from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client

from collector.models import Project
from collector.wire.operations import RunOperation
from tests.factories import START, make_run, store_runs
from viewer.present.project_paths import quote_project_name
from viewer.views import threads

LIST = "/p/test-project/threads"
Check = Callable[[HttpResponse], None]


def turn(
    minutes_ago: float, thread_id: str, asked: Any, answered: Any, **fields: Any
) -> RunOperation:
    start = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return make_run(
        start_time=start,
        end_time=start + timedelta(seconds=2),
        inputs=orjson.dumps(asked),
        outputs=orjson.dumps(answered),
        extra=orjson.dumps({"metadata": {"thread_id": thread_id}}),
        **fields,
    )


def said(role: str, text: str) -> dict[str, str]:
    return {"type": role, "content": text}


@pytest.fixture
def stored(project: Project) -> None:
    first, second = said("human", "Where is my order?"), said("ai", "On its way.")
    third, fourth = said("human", "When does it come?"), said("ai", "On **Monday**.")
    store_runs(
        project.id,
        turn(30, "t-1", {"messages": [first]}, {"messages": [first, second]}),
        turn(
            20,
            "t-1",
            {"messages": [first, second, third]},
            {"messages": [first, second, third, fourth]},
        ),
        turn(10, "order/<b>", {"question": "hi"}, {"answer": "hello"}),
    )


def test_threads_are_listed_by_their_newest_turn_as_valid_html(
    reader: Client, stored: None, check_html: Check
) -> None:
    response = reader.get(LIST)
    check_html(response)
    assert [thread.thread_id for thread in response.context["page"].items] == ["order/<b>", "t-1"]
    text = response.content.decode()
    assert "Where is my order?" in text
    assert "order/&lt;b&gt;" in text


def test_a_thread_is_its_turns_each_with_what_is_new_in_it(
    reader: Client, stored: None, check_html: Check
) -> None:
    response = reader.get(f"{LIST}/t-1")
    check_html(response)
    turns = response.context["turns"]
    assert [(item.number, item.question) for item in turns] == [
        (1, "Where is my order?"),
        (2, "When does it come?"),
    ]
    assert [[message.word for message in item.messages] for item in turns] == [["Human", "AI"]] * 2
    text = response.content.decode()
    assert "<strong>Monday</strong>" in text
    assert f"/traces/{turns[0].trace.id}" in text


def test_any_text_can_be_a_threads_id(reader: Client, stored: None) -> None:
    text = reader.get(LIST).content.decode()
    assert "/p/test-project/threads/order~2F~3Cb~3E" in text
    response = reader.get(f"{LIST}/order~2F~3Cb~3E")
    assert response.status_code == 200
    assert len(response.context["turns"]) == 1


def test_a_turn_that_failed_says_why(reader: Client, project: Project) -> None:
    store_runs(
        project.id, turn(5, "t", {"input": "x"}, None, error="ValueError: no stock\n\nTraceback")
    )
    response = reader.get(f"{LIST}/t")
    assert response.context["turns"][0].error == "ValueError: no stock"


def test_older_turns_are_a_page_of_their_own(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TURNS", 2)
    runs = [turn(30 - number, "t", {"input": f"q{number}"}, {"output": "a"}) for number in range(5)]
    store_runs(project.id, *runs)
    newest = reader.get(f"{LIST}/t")
    assert [item.number for item in newest.context["turns"]] == [4, 5]
    older = reader.get(f"{LIST}/t", {"before": newest.context["page"].next_cursor})
    assert [item.number for item in older.context["turns"]] == [2, 3]
    assert reader.get(f"{LIST}/t", {"before": "nonsense"}).status_code == 302


def test_a_project_without_threads_says_how_one_begins(
    reader: Client, project: Project, check_html: Check
) -> None:
    response = reader.get(LIST)
    check_html(response)
    assert "thread_id" in response.content.decode()


def test_an_unknown_thread_and_a_strangers_project_are_no_pages(
    reader: Client, stranger: Client, stored: None
) -> None:
    assert reader.get(f"{LIST}/nobody").status_code == 404
    assert stranger.get(LIST).status_code == 404
    assert stranger.get(f"{LIST}/t-1").status_code == 404


def test_hostile_words_are_shown_as_text(reader: Client, project: Project) -> None:
    evil = "<script>alert(1)</script>"
    messages = {"messages": [said("human", evil), said("ai", f"[x](javascript:alert(1)) {evil}")]}
    store_runs(project.id, turn(5, evil, messages, messages, error=evil))
    for url in (LIST, f"{LIST}/~3Cscript~3Ealert~281~29~3C~2Fscript~3E"):
        response = reader.get(url)
        assert response.status_code == 200
        text = response.content.decode()
        assert "<script>alert" not in text
        assert 'href="javascript' not in text


def test_a_trace_leads_to_its_thread(reader: Client, stored: None) -> None:
    trace = reader.get(f"{LIST}/t-1").context["turns"][0].trace
    text = reader.get(f"/p/test-project/traces/{trace.id}").content.decode()
    assert "/p/test-project/threads/t-1" in text


def test_a_thread_is_downloaded_as_what_was_said_turn_by_turn(
    reader: Client, project: Project
) -> None:
    for number, words in enumerate(["hello", "and then?"]):
        message = orjson.dumps({"messages": [{"role": "user", "content": words}]})
        extra = b'{"metadata": {"thread_id": "t/1"}}'
        start = START + timedelta(minutes=number)
        store_runs(project.id, make_run(start_time=start, inputs=message, extra=extra))
    response = reader.get(f"/p/test-project/threads/{quote_project_name('t/1')}/download")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("# Thread t/1\n\n## Turn 1, 2026-11-24")
    assert text.index("hello") < text.index("## Turn 2") < text.index("and then?")
    assert reader.get("/p/test-project/threads/none/download").status_code == 404
