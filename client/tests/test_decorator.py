"""`@runwood.trace`: functions as runs, nested with LangChain's runs both ways."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import runwood
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from runwood.default import default_handler
from sample_apps import State, chain


@pytest.fixture(autouse=True)
def _environment(peer, monkeypatch):
    """The handler of the environment, made anew for each test."""
    monkeypatch.setenv("RUNWOOD_ENDPOINT", peer.url)
    monkeypatch.setenv("RUNWOOD_PROJECT", "env")
    default_handler.cache_clear()
    yield
    default_handler.cache_clear()


def sent(peer):
    assert default_handler().flush()
    return peer.tree()


@runwood.trace
def double(x, *, by=2):
    return x * by


@runwood.trace
async def adouble(x):
    await asyncio.sleep(0)
    return x * 2


@runwood.trace
def words(text):
    yield from text.split()
    return "done"


@runwood.trace
async def awords(text):
    for word in text.split():
        await asyncio.sleep(0)
        yield word


async def collect(stream):
    return [item async for item in stream]


CALLS = [
    (lambda: double(3), 6, {"x": 3}, {"output": 6}),
    (lambda: asyncio.run(adouble(3)), 6, {"x": 3}, {"output": 6}),
    (lambda: list(words("a b")), ["a", "b"], {"text": "a b"}, {"output": "ab"}),
    (lambda: asyncio.run(collect(awords("a b"))), ["a", "b"], {"text": "a b"}, {"output": "ab"}),
]


@pytest.mark.parametrize(("call", "result", "inputs", "outputs"), CALLS)
def test_a_call_is_a_run_and_gives_what_it_gave(peer, call, result, inputs, outputs):
    assert call() == result
    (line,) = sent(peer)
    (run,) = peer.runs.values()
    assert line == f"{run['name']} chain success"
    assert (run["inputs"], run["outputs"], run["session_name"]) == (inputs, outputs, "env")


def test_a_traced_function_is_still_of_its_kind():
    assert inspect.iscoroutinefunction(adouble)
    assert inspect.isgeneratorfunction(words)
    assert inspect.isasyncgenfunction(awords)
    assert double.__name__ == "double"
    assert list(inspect.signature(double).parameters) == ["x", "by"]


def test_the_decorator_says_name_type_tags_and_metadata(peer):
    @runwood.trace(name="search", run_type="tool", tags=["a"], metadata={"index": "x"})
    def look_up(query):
        return [query]

    look_up("q")
    assert sent(peer) == ["search tool success"]
    run = peer.named("search")
    assert run["tags"] == ["a"]
    assert run["extra"]["metadata"]["index"] == "x"


def test_traced_functions_nest(peer):
    @runwood.trace
    def outer():
        return double(2) + asyncio.run(adouble(1)) + len(list(words("a b")))

    outer()
    assert sent(peer) == [
        "outer chain success",
        "  double chain success",
        "  adouble chain success",
        "  words chain success",
    ]


def test_langchain_runs_hang_below_the_function_that_calls_them(peer):
    @runwood.trace
    def answer(question):
        return chain().invoke({"q": question})

    answer("hi")
    assert sent(peer)[:2] == ["answer chain success", "  RunnableSequence chain success"]
    assert len(peer.tree()) == 5


def test_a_function_hangs_below_the_langchain_run_that_calls_it(peer, handler):
    @tool
    def times(number: int) -> int:
        """Multiply."""
        return double(number, by=3)

    graph = StateGraph(State)
    graph.add_node("node", lambda state: {"text": str(times.invoke({"number": 2}))})
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    graph.compile().invoke({"text": ""}, {"callbacks": [handler]})
    handler.flush()
    assert peer.tree() == [
        "LangGraph chain success",
        "  node chain success",
        "    times tool success",
        "      double chain success",
    ]
    assert peer.named("double")["session_name"] == "tests"  # its handler is the one that is at work


def test_async_code_nests_both_ways(peer):
    @runwood.trace
    async def outer(question):
        inner = RunnableLambda(adouble, name="inner")
        return await asyncio.gather(inner.ainvoke(1), adouble(2), chain().ainvoke({"q": question}))

    asyncio.run(outer("hi"))
    tree = sent(peer)
    assert tree[0] == "outer chain success"
    assert sorted(line for line in tree if line.startswith("  ") and line[2] != " ") == [
        "  RunnableSequence chain success",
        "  adouble chain success",
        "  inner chain success",
    ]
    assert tree.count("    adouble chain success") == 1


def test_what_a_generator_calls_hangs_below_it_and_what_its_consumer_calls_does_not(peer):
    @runwood.trace
    def stream():
        for number in range(2):
            yield double(number)

    @runwood.trace
    async def astream():
        for number in range(2):
            yield await adouble(number)

    for number in stream():
        double(number)

    async def consume():
        async for number in astream():
            await adouble(number)

    asyncio.run(consume())
    tree = sent(peer)
    assert tree.count("  double chain success") == 2
    assert tree.count("double chain success") == 2
    assert tree.count("  adouble chain success") == 2
    assert tree.count("adouble chain success") == 2


@pytest.mark.parametrize("kind", ["sync", "async", "generator", "async generator"])
def test_an_error_is_recorded_and_reaches_the_caller(peer, kind):
    if kind == "sync":
        call = runwood.trace(name="bad")(lambda: 1 / 0)
    elif kind == "async":

        @runwood.trace(name="bad")
        async def fail():
            raise ZeroDivisionError

        call = lambda: asyncio.run(fail())  # noqa: E731
    elif kind == "generator":

        @runwood.trace(name="bad")
        def stream():
            yield "so far"
            raise ZeroDivisionError

        call = lambda: list(stream())  # noqa: E731
    else:

        @runwood.trace(name="bad")
        async def astream():
            yield "so far"
            raise ZeroDivisionError

        call = lambda: asyncio.run(collect(astream()))  # noqa: E731
    with pytest.raises(ZeroDivisionError):
        call()
    assert sent(peer) == ["bad chain error"]
    assert "ZeroDivisionError" in peer.named("bad")["error"]
    if "generator" in kind:
        assert peer.named("bad")["outputs"] == {"output": "so far"}


def test_a_generator_that_is_left_is_cancelled_and_cleans_up(peer):
    closed = []

    @runwood.trace
    def stream():
        try:
            yield "one"
            yield "two"
        finally:
            closed.append(True)

    for _ in stream():
        break
    gc.collect()
    assert closed
    assert sent(peer) == ["stream chain cancelled"]
    assert peer.named("stream")["outputs"] == {"output": "one"}


def test_an_async_generator_that_is_left_is_cancelled_and_cleans_up(peer):
    closed = []

    @runwood.trace
    async def stream():
        try:
            yield "one"
            yield "two"
        finally:
            closed.append(True)

    async def leave():
        async for _ in stream():
            break

    asyncio.run(leave())
    assert closed
    assert sent(peer) == ["stream chain cancelled"]


def test_an_async_generator_that_the_end_of_the_loop_closes_cleans_up(peer):
    closed = []

    @runwood.trace
    async def stream():
        try:
            yield "one"
            yield "two"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def leave():
        left = stream()
        await anext(left)
        return left

    kept = asyncio.run(leave())
    assert kept is not None
    assert closed
    assert sent(peer) == ["stream chain cancelled"]


def test_a_cancelled_coroutine_is_cancelled(peer):
    @runwood.trace
    async def slow():
        await asyncio.sleep(60)

    async def cancel():
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert sent(peer) == ["slow chain cancelled"]


def test_send_throw_and_the_returned_value_reach_the_generator(peer):
    @runwood.trace
    def echo():
        heard = []
        while True:
            try:
                said = yield len(heard)
            except KeyError:
                return heard
            heard.append(said)

    stream = echo()
    assert next(stream) == 0
    assert stream.send("a") == 1
    with pytest.raises(StopIteration) as end:
        stream.throw(KeyError("x"))
    assert end.value.value == ["a"]
    assert sent(peer) == ["echo chain success"]


def test_asend_and_athrow_reach_the_async_generator(peer):
    @runwood.trace
    async def echo():
        heard = []
        while True:
            try:
                heard.append((yield len(heard)))
            except KeyError:
                yield "thrown"
                return

    async def talk():
        stream = echo()
        first = await anext(stream)
        second = await stream.asend("a")
        third = await stream.athrow(KeyError("x"))
        return first, second, third, [item async for item in stream]

    assert asyncio.run(talk()) == (0, 1, "thrown", [])
    assert sent(peer) == ["echo chain success"]


def test_message_chunks_are_one_message_in_the_output(peer):
    @runwood.trace
    def stream():
        yield AIMessageChunk("hel")
        yield AIMessageChunk("lo")

    list(stream())
    sent(peer)
    assert peer.named("stream")["outputs"]["output"]["content"] == "hello"


def test_a_function_of_the_apps_own_makes_the_output_of_the_items(peer):
    @runwood.trace(reduce=sum)
    def numbers():
        yield from [1, 2]

    @runwood.trace(reduce=lambda items: 1 / 0)
    def bad():
        yield 1

    assert list(numbers()) == [1, 2]
    assert list(bad()) == [1]
    sent(peer)
    assert peer.named("numbers")["outputs"] == {"output": 3}
    assert peer.named("bad")["outputs"] == {"output": [1]}


def test_methods_are_recorded_without_their_object(peer):
    class Shop:
        @runwood.trace
        def buy(self, what, *more, **options):
            return what

        @classmethod
        @runwood.trace
        def open(cls, name):
            return name

        @runwood.trace
        @staticmethod
        def greet(name):
            return name

    Shop().buy("tea", "milk", size="L")
    Shop.open("x")
    assert Shop().greet("y") == "y"
    sent(peer)
    assert peer.named("greet")["inputs"] == {"name": "y"}
    assert peer.named("buy")["inputs"] == {"what": "tea", "more": ["milk"], "size": "L"}
    assert peer.named("open")["inputs"] == {"name": "x"}


def test_wrong_arguments_raise_as_without_us(peer):
    with pytest.raises(TypeError, match="unexpected keyword"):
        double(1, wrong=2)
    assert sent(peer) == ["double chain error"]


def test_recursion_to_the_limit_raises_as_without_us(peer):
    @runwood.trace
    def down():
        return down()

    with pytest.raises(RecursionError):
        down()


def test_all_handlers_of_the_app_see_the_function(peer, handler):
    class Names(BaseCallbackHandler):
        def __init__(self):
            self.seen = []

        def on_chain_start(self, serialized, inputs, **kwargs):
            self.seen.append((kwargs["name"], kwargs["parent_run_id"] is not None))

    names = Names()
    RunnableLambda(lambda x: double(x), name="step").invoke(1, {"callbacks": [handler, names]})
    assert names.seen == [("step", False), ("double", True)]


def test_a_disabled_scope_hides_a_function(peer):
    with runwood.tracing(enabled=False):
        double(1)
    with runwood.tracing(project="shop"):
        adouble_result = asyncio.run(adouble(1))
    assert adouble_result == 2
    sent(peer)
    assert {run["name"]: run["session_name"] for run in peer.runs.values()} == {"adouble": "shop"}


@pytest.mark.parametrize(
    "variables", [{"RUNWOOD_TRACING": "false"}, {"RUNWOOD_ENDPOINT": "ftp://nowhere"}]
)
def test_where_tracing_is_off_or_set_up_wrongly_functions_only_run(peer, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [call() for call, *_ in CALLS] == [result for _, result, *_ in CALLS]
    assert default_handler() is None
    assert peer.requests == []


def test_an_app_that_sets_nothing_is_not_traced(peer, monkeypatch):
    monkeypatch.delenv("RUNWOOD_ENDPOINT")
    monkeypatch.delitem(sys.modules, "runwood.auto", raising=False)
    assert double(1) == 2
    assert default_handler.cache_info().currsize == 0  # nobody asked for it


def test_a_handler_of_its_own_records_a_function(peer, handler):
    @runwood.trace(handler=handler)
    def own():
        return double(1)

    own()
    handler.flush()
    assert peer.tree() == ["own chain success", "  double chain success"]
    assert peer.named("double")["session_name"] == "tests"


def test_with_auto_a_function_is_recorded_once(peer):
    script = """
import runwood, runwood.auto
from langchain_core.runnables import RunnableLambda
@runwood.trace
def double(x):
    return RunnableLambda(lambda y: y * 2, name="inner").invoke(x)
double(2)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    assert peer.tree() == ["double chain success", "  inner chain success"]
    assert len([run for request in peer.accepted for run in request.runs]) == 2


def test_a_langsmith_traceable_function_is_the_parent_of_a_traced_one(peer, monkeypatch):
    from langsmith import traceable, tracing_context

    seen = {}

    @traceable
    def outer():
        from langsmith.run_helpers import get_current_run_tree

        seen["trace_id"] = str(get_current_run_tree().trace_id)
        return double(1)

    with tracing_context(enabled="local"):
        outer()
    sent(peer)
    run = peer.named("double")
    assert run["trace_id"] == run["parent_run_id"] == seen["trace_id"]
