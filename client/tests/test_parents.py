from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler


def parent_name(peer: Any, name: str) -> str | None:
    runs = peer.runs
    parent = peer.named(name).get("parent_run_id")
    return runs[parent]["name"] if parent else None


def named(name: str, function: Any) -> Any:
    return RunnableLambda(function, name=name)


def test_a_list_of_callbacks_in_an_inner_call_does_not_lose_the_parent(peer, handler):
    inner = named("inner", lambda x: x)
    named("outer", lambda x: inner.invoke(x, {"callbacks": [handler]})).invoke(
        1, {"callbacks": [handler]}
    )
    handler.flush()
    assert parent_name(peer, "inner") == "outer"
    assert peer.named("inner")["extra"]["runwood"] == {"parent": "inferred from the context"}


def test_attempts_of_with_fallbacks_hang_under_it(peer, handler):
    def fail(_: Any) -> None:
        raise ValueError("first")

    runnable = named("first", fail).with_fallbacks([named("second", lambda x: x)])
    named("outer", lambda x: runnable.invoke(x, {"callbacks": [handler]})).invoke(
        1, {"callbacks": [handler]}
    )
    handler.flush()
    roots = [run["name"] for run in peer.runs.values() if "parent_run_id" not in run]
    assert roots == ["outer"]


def test_a_thread_with_a_copied_context_finds_its_parent(peer, handler):
    inner = named("inner", lambda x: x)

    def work(x: int) -> int:
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(inner.invoke, x))
        thread.start()
        thread.join()
        return x

    named("outer", work).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert parent_name(peer, "inner") == "outer"


def test_runs_after_an_ended_one_are_roots(peer, handler):
    for name in ("one", "two"):
        named(name, lambda x: x).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert [parent_name(peer, name) for name in ("one", "two")] == [None, None]


def test_a_parent_of_another_project_is_not_inferred(peer, handler):
    other = RunwoodCallbackHandler(peer.url, "key", "other")
    inner = named("inner", lambda x: x)
    named("outer", lambda x: inner.invoke(x, {"callbacks": [other]})).invoke(
        1, {"callbacks": [handler]}
    )
    handler.flush()
    assert parent_name(peer, "inner") is None
    assert peer.named("inner")["session_name"] == "other"


def test_a_run_below_a_langsmith_traceable_joins_its_trace(peer, handler):
    langsmith = pytest.importorskip("langsmith")
    from langsmith.run_helpers import get_current_run_tree, tracing_context

    seen: list[Any] = []
    inner = named("inner", lambda x: x)

    @langsmith.traceable
    def outer(x: int) -> int:
        seen.append(get_current_run_tree())
        return inner.invoke(x, {"callbacks": [handler]})

    client = langsmith.Client(peer.url, api_key="x", auto_batch_tracing=False)
    with tracing_context(enabled=True, client=client):
        outer(1)
    handler.flush()
    run = peer.named("inner")
    assert run["parent_run_id"] == str(seen[0].id)
    assert run["trace_id"] == str(seen[0].trace_id)
    assert run["dotted_order"].startswith(f"{seen[0].dotted_order}.")
