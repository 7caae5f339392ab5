"""In a runtime that freezes after each request, nothing may be left for later."""

from __future__ import annotations

import asyncio
import time

from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler
from sample_apps import chain, wait_for


def test_the_end_of_a_root_run_waits_until_the_server_has_the_trace(peer):
    handler = RunwoodCallbackHandler(peer.url, flush_on_root_end=True)
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert len(peer.runs) == 4  # and nobody has flushed


def test_without_it_nothing_waits(peer, handler):
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert peer.runs == {}


def test_the_end_of_a_run_below_does_not_wait(peer):
    handler = RunwoodCallbackHandler(peer.url, flush_on_root_end=True)
    inner = RunnableLambda(lambda x: x, name="inner")
    seen = []

    def work(x):
        inner.invoke(x)
        seen.append(len(peer.requests))

    RunnableLambda(work, name="root").invoke(1, {"callbacks": [handler]})
    assert (seen, len(peer.requests)) == ([0], 1)


def test_a_dead_server_holds_a_request_up_for_a_bounded_time(peer, monkeypatch):
    monkeypatch.setattr("runwood.handler.ROOT_FLUSH_SECONDS", 0.3)
    handler = RunwoodCallbackHandler("http://127.0.0.1:9", flush_on_root_end=True)
    began = time.monotonic()
    assert RunnableLambda(lambda x: x).invoke(1, {"callbacks": [handler]}) == 1
    assert time.monotonic() - began < 5


def test_an_event_loop_is_not_held_up_and_the_trace_leaves_at_once(peer):
    peer.delay = 0.5
    handler = RunwoodCallbackHandler(peer.url, flush_on_root_end=True)

    async def request():
        await chain().ainvoke({"q": "hi"}, {"callbacks": [handler]})
        return len(peer.requests)

    assert asyncio.run(request()) == 0
    assert wait_for(lambda: len(peer.runs) == 4)  # long before the next batch is due


def test_an_async_flush_lets_the_loop_run(peer):
    peer.delay = 0.3
    handler = RunwoodCallbackHandler(peer.url)

    async def request():
        await chain().ainvoke({"q": "hi"}, {"callbacks": [handler]})
        flushing = asyncio.create_task(handler.aflush())
        turns = 0
        while not flushing.done():
            await asyncio.sleep(0.01)
            turns += 1
        return flushing.result(), turns

    is_sent, turns = asyncio.run(request())
    assert is_sent
    assert turns >= 5


def test_the_apps_own_flush_hears_of_a_loss_that_came_with_the_end_of_a_root(peer):
    peer.answers = [(403, {}, b"{}")]
    handler = RunwoodCallbackHandler(peer.url, flush_on_root_end=True)
    RunnableLambda(lambda x: x, name="refused").invoke(1, {"callbacks": [handler]})
    RunnableLambda(lambda x: x, name="sent").invoke(1, {"callbacks": [handler]})
    assert not handler.flush()
    assert handler.flush()
