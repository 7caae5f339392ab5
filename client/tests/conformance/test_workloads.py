"""Real workloads, and the trees that they must become: written by hand from what LangChain documents.

`make conformance` runs these under both supported langchain-core versions and writes docs/conformance.md:
a row of that page is a test of this file.
"""

from __future__ import annotations

import asyncio
import functools
import operator
import sys
from contextvars import ContextVar
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.callbacks.manager import atrace_as_chain_group, trace_as_chain_group
from langchain_core.runnables import (
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tracers.context import register_configure_hook
from sample_apps import SHELF, ScriptedModel, broken, calls, chain, order_status, says

GROUP_HANDLER: ContextVar[Any] = ContextVar("group_handler", default=None)
register_configure_hook(GROUP_HANDLER, inheritable=True)

CHAIN = [
    "RunnableSequence chain success",
    "  ChatPromptTemplate prompt success",
    "  FakeListChatModel llm success",
    "  StrOutputParser parser success",
]


@pytest.fixture
def trees(peer, handler):
    """Return the recorded trees as indented lines; siblings that ran at once are in any order."""

    def read() -> list[str]:
        assert handler.flush()
        return peer.tree()

    return read


def add(name: str, number: int = 1) -> Any:
    return RunnableLambda(lambda x: x + number, name=name)


def test_sequence(handler, trees):
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert trees() == CHAIN


def test_parallel(handler, trees):
    RunnableParallel(a=add("one"), b=add("two")).invoke(1, {"callbacks": [handler]})
    root, *branches = trees()
    assert root == "RunnableParallel<a,b> chain success"
    assert sorted(branches) == ["  one chain success", "  two chain success"]


def test_branch(handler, trees):
    branch = RunnableBranch(
        (RunnableLambda(lambda x: x > 0, name="positive"), add("up")), add("down")
    )
    branch.invoke(-1, {"callbacks": [handler]})
    assert trees() == [
        "RunnableBranch chain success",
        "  positive chain success",
        "  down chain success",
    ]


def test_batch_with_concurrency(handler, trees):
    chain().batch(
        [{"q": str(n)} for n in range(12)], {"callbacks": [handler], "max_concurrency": 4}
    )
    assert sorted(trees()) == sorted(CHAIN * 12)


def test_abatch_with_concurrency(handler, trees):
    inputs = [{"q": str(n)} for n in range(12)]
    asyncio.run(chain().abatch(inputs, {"callbacks": [handler], "max_concurrency": 4}))
    assert sorted(trees()) == sorted(CHAIN * 12)


def test_map(handler, trees):
    add("one").map().invoke([1, 2, 3], {"callbacks": [handler]})
    assert trees() == ["RunnableEach<one> chain success", *["  one chain success"] * 3]


def test_retry(handler, trees):
    attempts = []

    def flaky(x: int) -> int:
        attempts.append(x)
        if len(attempts) < 3:
            raise ConnectionError("away")
        return x

    step = RunnableLambda(flaky).with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    step.invoke(1, {"callbacks": [handler]})
    assert trees() == [
        "flaky chain success",
        "  flaky chain error",
        "  flaky chain error",
        "  flaky chain success",
    ]


def failing(_: Any) -> None:
    raise ConnectionError("away")


def test_fallbacks(handler, trees):
    step = RunnableLambda(failing).with_fallbacks([add("spare")])
    step.invoke(1, {"callbacks": [handler]})
    assert trees() == [
        "RunnableWithFallbacks chain success",
        "  failing chain error",
        "  spare chain success",
    ]


def test_streaming(peer, handler, trees):
    assert "".join(chain().stream({"q": "hi"}, {"callbacks": [handler]})) == "hello there"
    assert trees() == CHAIN
    assert peer.named("RunnableSequence")["inputs"] == {"q": "hi"}
    assert peer.named("FakeListChatModel")["extra"]["stream"]["chunks"] >= 11  # one a letter


def test_astreaming(peer, handler, trees):
    async def read() -> str:
        parts = chain().astream({"q": "hi"}, {"callbacks": [handler]})
        return "".join([part async for part in parts])

    assert asyncio.run(read()) == "hello there"
    assert trees() == CHAIN
    assert peer.named("RunnableSequence")["inputs"] == {"q": "hi"}


def without_ids(event: Any) -> Any:
    return {k: v for k, v in event.items() if k in ("event", "name", "tags", "metadata")}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_event_streams(handler, trees, version):
    async def read(callbacks: list[Any]) -> list[Any]:
        app = chain()
        config = {"callbacks": callbacks}
        events = app.astream_events({"q": "hi"}, config, version=version)
        return [without_ids(event) async for event in events]

    assert asyncio.run(read([handler])) == asyncio.run(
        read([])
    )  # the app gets what it gets without us
    assert trees() == CHAIN


def test_event_stream_v3(handler, trees):
    def read(callbacks: list[Any]) -> str:
        model = ScriptedModel([says("one two three")])
        return model.stream_events("hi", {"callbacks": callbacks}, version="v3").output.text

    assert read([handler]) == read([])
    assert trees() == ["ScriptedModel llm success"]


def test_tools(handler, trees):
    order_status.invoke({"order_id": 7}, {"callbacks": [handler]})
    with pytest.raises(LookupError):
        broken.invoke({"order_id": 7}, {"callbacks": [handler]})
    assert trees() == ["order_status tool success", "broken tool error"]


def test_retrievers(handler, trees):
    (SHELF | RunnablePassthrough()).invoke("glazes", {"callbacks": [handler]})
    assert trees() == [
        "RunnableSequence chain success",
        "  Shelf retriever success",
        "  RunnablePassthrough chain success",
    ]


def test_chain_groups(handler, trees):
    """A group asks the configure hooks alone for handlers: a manager that it is given is for LangSmith's tracing."""
    token = GROUP_HANDLER.set(handler)
    with trace_as_chain_group("group", inputs={"q": 1}) as group:
        add("one").invoke(1, {"callbacks": group})
        add("two").invoke(1, {"callbacks": group})

    async def work():
        async with atrace_as_chain_group("async group") as group:
            await add("three").ainvoke(1, {"callbacks": group})

    asyncio.run(work())
    GROUP_HANDLER.reset(token)
    assert trees() == [
        "group chain success",
        "  one chain success",
        "  two chain success",
        "async group chain success",
        "  three chain success",
    ]


def test_agents(handler, trees):
    from langchain.agents import create_agent

    model = ScriptedModel([calls("order_status", order_id=7), says("it is on its way")])
    agent = create_agent(model, [order_status], name="clerk")
    agent.invoke({"messages": [("user", "where is 7?")]}, {"callbacks": [handler]})
    assert trees() == [
        "clerk chain success",
        "  model chain success",
        "    ScriptedModel llm success",
        "  tools chain success",
        "    order_status tool success",
        "  model chain success",
        "    ScriptedModel llm success",
    ]


class Sum(TypedDict, total=False):
    total: Annotated[int, operator.add]


def graph_of(nodes: dict[str, Any], name: str, edges: list[tuple[str, str]], **options: Any) -> Any:
    from langgraph.graph import StateGraph

    graph = StateGraph(Sum)
    for node, run in nodes.items():
        graph.add_node(node, run)
    for edge in edges:
        graph.add_edge(*edge)
    return graph.compile(name=name, **options)


def one(_: Any) -> Sum:
    return {"total": 1}


def test_subgraphs(handler, trees):
    inner = graph_of({"deep": one}, "inner", [("__start__", "deep")])
    outer = graph_of({"sub": inner}, "outer", [("__start__", "sub")])
    outer.invoke({"total": 0}, {"callbacks": [handler]})
    assert trees() == [
        "outer chain success",
        "  sub chain success",
        "    inner chain success",
        "      deep chain success",
    ]


def test_fan_out(handler, trees):
    names = [f"n{number}" for number in range(20)]
    flow = graph_of(dict.fromkeys(names, one), "fan", [("__start__", name) for name in names])
    assert flow.invoke({"total": 0}, {"callbacks": [handler]}) == {"total": 20}
    root, *nodes = trees()
    assert root == "fan chain success"
    assert sorted(nodes) == sorted(f"  {name} chain success" for name in names)


def test_interrupt_and_resume(handler, trees):
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.types import Command, interrupt

    def ask(_: Any) -> Sum:
        return {"total": interrupt("how many?")}

    flow = graph_of({"ask": ask}, "flow", [("__start__", "ask")], checkpointer=InMemorySaver())
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    flow.invoke({"total": 0}, config)
    flow.invoke(Command(resume=5), config)
    assert trees() == [
        "flow chain interrupted",
        "  ask chain interrupted",
        "flow chain success",
        "  ask chain success",
    ]


def test_cancellation(handler, trees):
    async def run() -> None:
        model = ScriptedModel([says("never")], wait_seconds=30)
        task = asyncio.create_task(
            (RunnablePassthrough() | model).ainvoke("x", {"callbacks": [handler]})
        )
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert trees() == [
        "RunnableSequence chain cancelled",
        "  RunnablePassthrough chain success",
        "  ScriptedModel llm cancelled",
    ]


def test_exception_mid_stream(peer, handler, trees):
    model = ScriptedModel([says("one two three four")], fail_after=2)
    with pytest.raises(ConnectionError):
        list(model.stream("x", {"callbacks": [handler]}))
    assert trees() == ["ScriptedModel llm error"]
    generations = peer.named("ScriptedModel")["outputs"]["generations"]
    assert "".join(item["text"] for batch in generations for item in batch) == "one two "


def test_stream_left_by_its_reader(handler, trees):
    stream = ScriptedModel([says("one two three four")]).stream("x", {"callbacks": [handler]})
    next(stream)
    stream.close()
    assert trees() == ["ScriptedModel llm cancelled"]


def test_two_hundred_levels(peer, handler, request):
    # LangChain itself takes seven frames a level
    request.addfinalizer(functools.partial(sys.setrecursionlimit, sys.getrecursionlimit()))
    sys.setrecursionlimit(10_000)

    def nested(depth: int) -> Any:
        if depth == 0:
            return add("leaf")
        inner = nested(depth - 1)
        return RunnableLambda(lambda x, config: inner.invoke(x, config), name=f"level {depth}")

    assert nested(200).invoke(1, {"callbacks": [handler]}) == 2
    assert handler.flush()
    assert [run.lstrip() for run in peer.tree()] == [
        *(f"level {depth} chain success" for depth in range(200, 0, -1)),
        "leaf chain success",
    ]
    assert peer.named("leaf")["dotted_order"].count(".") == 200


def test_a_thousand_siblings(peer, handler):
    def fan(x: int, config: Any) -> int:
        return sum(add("one").batch([x] * 1000, config))

    assert RunnableLambda(fan).invoke(1, {"callbacks": [handler]}) == 2000
    assert handler.flush(30)
    assert len(peer.runs) == 1001
    assert {run["dotted_order"].count(".") for run in peer.runs.values()} == {0, 1}


def test_payloads_of_five_megabytes(peer, handler):
    text = "é" * 2_500_000
    RunnableLambda(lambda x: {"copy": x["text"]}, name="big").invoke(
        {"text": text}, {"callbacks": [handler]}
    )
    assert handler.flush(30)
    run = peer.named("big")
    assert (run["inputs"]["text"], run["outputs"]["copy"]) == (text, text)


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_hostile_payloads(peer, handler):
    knot: dict[str, Any] = {"nan": float("nan"), "nul": "a\0b", "half": "\ud800", "big": 1 << 80}
    knot |= {"me": knot, "bytes": b"\xff", "evil": Hostile(), ("a", 1): {1, 2}}
    RunnableLambda(lambda x: x, name="odd").invoke(knot, {"callbacks": [handler]})
    assert handler.flush()
    shown = peer.named("odd")["inputs"]
    assert shown["nan"] == "nan"
    assert "\0" not in shown["nul"]
    assert len(shown) == len(knot)
