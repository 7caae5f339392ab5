"""`stream_tokens`: what the server is told of an answer before it is whole."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from runwood import RunwoodCallbackHandler
from runwood.recording import answer

RESULT = LLMResult(generations=[[ChatGeneration(message=AIMessage("whole"))]])


@pytest.fixture
def make(peer, monkeypatch):
    """Return a function that makes a handler; every token is an occasion to tell."""
    monkeypatch.setattr(answer, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(answer, "PAUSE_PART", 0.0)
    made: list[RunwoodCallbackHandler] = []

    def make_(**settings: Any) -> RunwoodCallbackHandler:
        made.append(RunwoodCallbackHandler(peer.url, "key", "tests", **settings))
        return made[-1]

    yield make_
    for handler in made:
        handler.close(timeout=2.0)


def begin(handler: RunwoodCallbackHandler) -> UUID:
    run_id = uuid4()
    handler.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
    handler.flush()
    return run_id


def say(handler: RunwoodCallbackHandler, run_id: UUID, *tokens: str) -> None:
    for token in tokens:
        handler.on_llm_new_token(token, run_id=run_id)
    handler.flush()


def updates(peer: Any, run_id: UUID) -> list[dict[str, Any]]:
    return [
        run
        for request in peer.accepted
        for run in request.body["patch"]
        if run["id"] == str(run_id)
    ]


def text_of(update: dict[str, Any]) -> str:
    (generation,) = update["outputs"]["generations"][0]
    assert generation["message"]["kwargs"]["content"] == generation["text"]
    return str(generation["text"])


def test_nothing_is_told_before_the_end_unless_asked_for(peer, make):
    handler = make()
    run_id = begin(handler)
    say(handler, run_id, "one ", "two ")
    assert updates(peer, run_id) == []


def test_the_answer_grows_and_the_end_says_it_all(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, "one ")
    say(handler, run_id, "two ", "three ")
    handler.on_llm_end(RESULT, run_id=run_id)
    handler.flush()
    first, second, end = updates(peer, run_id)
    assert [text_of(first), text_of(second)] == ["one ", "one two three "]
    assert not {"end_time", "status", "error"} & (first.keys() | second.keys())
    assert end["outputs"]["generations"][0][0]["message"]["kwargs"]["content"] == "whole"


def test_it_is_told_when_the_first_token_came(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, "one ")
    (update,) = updates(peer, run_id)
    assert [event["name"] for event in update["events"]] == ["start", "new_token"]


def test_the_environment_switches_it_on(peer, make, monkeypatch):
    monkeypatch.setenv("RUNWOOD_STREAM_TOKENS", "1")
    handler = make()
    run_id = begin(handler)
    say(handler, run_id, "one ")
    assert len(updates(peer, run_id)) == 1


def test_many_tokens_are_one_update(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, *(f"word{number} " for number in range(5_000)))
    (update,) = updates(peer, run_id)
    assert len(text_of(update).split()) == 5_000


def test_between_two_updates_of_a_run_there_is_a_pause(peer, make, monkeypatch):
    monkeypatch.setattr(answer, "PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(answer, "LONGEST_PAUSE_SECONDS", 3600.0)
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, "one ")
    say(handler, run_id, "two ")
    assert [text_of(update) for update in updates(peer, run_id)] == ["one "]


def test_half_a_word_waits_since_it_may_be_half_a_secret(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, "the key is sk-proj-abcd")
    say(handler, run_id, "EFGH1234567890abcdef0 ")
    first, second = map(text_of, updates(peer, run_id))
    assert first == "the key is "
    assert "EFGH" not in second


def test_a_script_without_spaces_does_not_wait(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    say(handler, run_id, "窯の温度は")
    assert [text_of(update) for update in updates(peer, run_id)] == ["窯の温度は"]


@pytest.mark.parametrize("rule", [{"redact": r"\d{16}"}, {"hide_outputs": True}])
def test_an_app_whose_rules_see_whole_outputs_streams_none(peer, make, rule):
    handler = make(stream_tokens=True, **rule)
    run_id = begin(handler)
    say(handler, run_id, "4111 ", "1111 ")
    assert updates(peer, run_id) == []


def test_two_handlers_of_a_project_do_not_say_it_twice(peer, make):
    one, other = make(stream_tokens=True), make(stream_tokens=True)
    run_id = begin(one)
    other.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
    for token in ("one ", "two "):
        one.on_llm_new_token(token, run_id=run_id)
        other.on_llm_new_token(token, run_id=run_id)
    one.flush()
    assert text_of(updates(peer, run_id)[-1]) == "one two "


def test_a_stream_that_is_cancelled_keeps_what_it_had_said(peer, make):
    handler = make(stream_tokens=True)

    async def app() -> UUID:
        run_id = uuid4()

        async def model() -> None:
            handler.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
            handler.on_llm_new_token("one ", run_id=run_id)
            handler.on_llm_new_token("two ", run_id=run_id)
            await asyncio.sleep(60)

        task = asyncio.create_task(model())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return run_id

    run_id = asyncio.run(app())
    handler.flush()
    run = peer.runs[str(run_id)]
    assert (run["status"], text_of(run)) == ("cancelled", "one two ")


def test_the_blocks_of_the_newest_events_are_read(peer, make):
    handler = make(stream_tokens=True)
    run_id = begin(handler)
    for delta in (
        {"type": "reasoning-delta", "reasoning": "hm"},
        {"type": "text-delta", "text": "one "},
    ):
        event = {"event": "content-block-delta", "index": 0, "delta": delta}
        handler.on_stream_event(event, run_id=run_id)
    handler.flush()
    assert text_of(updates(peer, run_id)[-1]) == "one "


def test_what_no_server_takes_waits_once_and_is_no_lost_end(peer, make):
    peer.judge = lambda request: (401, {}, b"")
    handler = make(stream_tokens=True)
    run_id = uuid4()
    handler.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
    handler.flush(0.2)
    for number in range(1_000):
        handler.on_llm_new_token(f"word{number} ", run_id=run_id)
    assert handler._sender._waiting.held <= 2
    handler.flush(1)
    lost = handler._sender._delivery.lost.by_project()
    assert lost["tests"].get("ends", 0) == 0


def test_print_the_cost_of_a_token(peer, make, capsys):
    figures = {}
    for streams in (False, True):
        handler = make(stream_tokens=streams)
        best = 1e9
        for _ in range(3):
            run_id = begin(handler)
            started = time.thread_time()
            for _ in range(3_000):
                handler.on_llm_new_token("word ", run_id=run_id)
            best = min(best, (time.thread_time() - started) / 3_000 * 1e6)
        figures[streams] = best
    with capsys.disabled():
        print(f"\n  a token: {figures[False]:.2f} µs, streamed {figures[True]:.2f} µs")  # noqa: T201
