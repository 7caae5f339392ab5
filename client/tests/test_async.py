from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from sample_apps import SHELF, ScriptedModel, chain, says


def invoke(runnable: Any, value: Any, handler: Any) -> Any:
    return runnable.ainvoke(value, {"callbacks": [handler]})


def test_an_async_chain_becomes_its_tree(peer, handler):
    asyncio.run(invoke(chain(), {"q": "hi"}, handler))
    handler.flush()
    assert peer.tree() == [
        "RunnableSequence chain success",
        "  ChatPromptTemplate prompt success",
        "  FakeListChatModel llm success",
        "  StrOutputParser parser success",
    ]


def test_an_async_stream_is_told_as_its_first_token_and_a_count(peer, handler):
    async def read() -> list[Any]:
        model = ScriptedModel([says("one two three")])
        return [chunk async for chunk in model.astream("hi", {"callbacks": [handler]})]

    asyncio.run(read())
    handler.flush()
    run = peer.named("ScriptedModel")
    assert [event["name"] for event in run["events"]] == ["start", "new_token", "end"]
    assert run["extra"]["stream"]["chunks"] >= 4


def test_custom_events_of_async_code_are_recorded(peer, handler):
    async def work(x: int) -> int:
        await adispatch_custom_event("progress", {"done": 1})
        return x

    asyncio.run(invoke(RunnableLambda(work), 1, handler))
    handler.flush()
    assert "custom_event" in [event["name"] for event in peer.named("work")["events"]]


def test_parallel_tasks_keep_their_trees_apart(peer, handler):
    async def many() -> None:
        await asyncio.gather(*(invoke(chain(), {"q": str(n)}, handler) for n in range(20)))

    asyncio.run(many())
    handler.flush()
    runs = peer.runs
    for run in runs.values():
        if "parent_run_id" in run:
            assert runs[run["parent_run_id"]]["trace_id"] == run["trace_id"]
    assert len({run["trace_id"] for run in runs.values()}) == 20
    assert len(runs) == 80


def cancel_soon(runnable: Any, value: Any, handler: Any) -> None:
    async def main() -> None:
        task = asyncio.create_task(invoke(runnable, value, handler))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_cancelled_chat_model_is_cancelled_although_no_event_says_so(peer, handler):
    cancel_soon(ScriptedModel([says("hi")], wait_seconds=5), "hi", handler)
    handler.flush()
    assert peer.status("ScriptedModel") == "cancelled"
    assert handler._recorder.open_count == 0


def test_a_cancelled_chain_takes_its_model_with_it(peer, handler):
    model = ScriptedModel([says("hi")], wait_seconds=5)
    cancel_soon(RunnableLambda(lambda x: x) | model, "hi", handler)
    handler.flush()
    assert (peer.status("RunnableSequence"), peer.status("ScriptedModel")) == (
        "cancelled",
        "cancelled",
    )


def test_a_cancelled_tool_is_cancelled(peer, handler):
    @tool
    async def slow() -> str:
        """Wait."""
        await asyncio.sleep(5)
        return "done"

    cancel_soon(slow, {}, handler)
    handler.flush()
    assert peer.status("slow") == "cancelled"


def test_a_cancelled_retriever_is_cancelled(peer, handler):
    class Slow(type(SHELF)):
        async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Any]:
            await asyncio.sleep(5)
            return []

    cancel_soon(Slow(documents=[]), "x", handler)
    handler.flush()
    assert peer.status("Slow") == "cancelled"


def test_a_model_that_runs_into_a_timeout_does_not_stay_open(peer, handler):
    async def main() -> None:
        model = ScriptedModel([says("hi")], wait_seconds=5)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(invoke(model, "hi", handler), 0.05)

    asyncio.run(main())
    handler.flush()
    assert peer.status("ScriptedModel") in (
        "cancelled",
        "incomplete",
    )  # from 3.12 on no task is cancelled
    assert handler._recorder.open_count == 0


def test_a_left_async_stream_closes_the_model_below_it(peer, handler):
    async def main() -> None:
        runnable = RunnableLambda(lambda x: x) | ScriptedModel([says("one two three")])
        stream = runnable.astream("hi", {"callbacks": [handler]})
        await stream.__anext__()
        await stream.aclose()

    asyncio.run(main())
    handler.flush()
    assert peer.status("RunnableSequence") == "cancelled"
    assert peer.status("ScriptedModel") == "cancelled"


def test_a_long_lived_task_collects_no_callbacks(handler):
    async def main() -> int:
        model = ScriptedModel([says("hi")])
        for _ in range(50):
            await invoke(model, "hi", handler)
        return len(asyncio.current_task()._callbacks or ())

    assert asyncio.run(main()) <= 1  # asyncio.run's own


def test_a_stream_read_step_by_step_in_other_tasks_stays_open(peer, handler):
    async def main() -> list[Any]:
        stream = ScriptedModel([says("one two three")]).astream("hi", {"callbacks": [handler]})
        read = []
        while (chunk := await asyncio.ensure_future(anext(stream, None))) is not None:
            read.append(chunk)
        return read

    asyncio.run(main())
    handler.flush()
    run = peer.named("ScriptedModel")
    assert [event["name"] for event in run["events"]] == ["start", "new_token", "end"]


def test_an_abandoned_generator_closed_by_the_garbage_collector_is_recorded(peer, handler):
    def abandon() -> None:
        stream = ScriptedModel([says("one two three")]).stream("hi", {"callbacks": [handler]})
        next(stream)

    abandon()
    handler.flush()
    assert peer.status("ScriptedModel") == "cancelled"


def test_an_event_inside_a_running_event_does_not_deadlock(peer, handler):
    """The garbage collector may close a generator, whose callback comes in the middle of another."""
    stream = ScriptedModel([says("one two three")]).stream("hi", {"callbacks": [handler]})
    next(stream)
    recorder, waiting = handler._recorder, handler._sender._waiting
    with recorder._lock, waiting._lock, handler._sender._delivery.lost._lock:
        stream.close()
    assert handler.flush(5)
    assert peer.status("ScriptedModel") == "cancelled"
