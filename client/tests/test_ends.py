from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda
from peer import status_of
from runwood import RunwoodCallbackHandler
from runwood.recording.recorder import MAX_OPEN
from runwood.recording.run import MAX_EVENTS
from sample_apps import SHELF, ScriptedModel, State, broken, calls, says


def failing(error: BaseException) -> Any:
    def fail(_: Any) -> None:
        raise error

    return RunnableLambda(fail)


def event_names(run: dict[str, Any]) -> list[str]:
    return [event["name"] for event in run["events"]]


def test_an_error_is_told_in_one_line_and_with_its_traceback(peer, handler):
    with pytest.raises(LookupError):
        failing(LookupError("no such order")).invoke(1, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("fail")
    line, _, trace = run["error"].partition("\n\n")
    assert line == "LookupError('no such order')"
    assert trace.startswith("Traceback (most recent call last):")
    assert "raise error" in trace
    assert event_names(run) == ["start", "error"]


def test_the_cause_of_an_error_is_in_its_traceback(peer, handler):
    def fail(_: Any) -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    with pytest.raises(ValueError, match="second"):
        RunnableLambda(fail).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert "KeyError: 'first'" in peer.named("fail")["error"]


def test_an_error_whose_text_raises_is_still_an_error(peer, handler):
    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    with pytest.raises(Nasty):
        failing(Nasty()).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert peer.named("fail")["error"].startswith("Nasty(…)")


def test_a_recursion_error_is_cut_to_a_readable_length(peer, handler):
    def dig(x: Any) -> Any:
        return dig(x)

    with pytest.raises(RecursionError):
        RunnableLambda(dig).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert len(peer.named("dig")["error"]) < 70_000


def test_a_tool_that_fails_fails_its_own_run(peer, handler):
    with pytest.raises(LookupError):
        broken.invoke({"order_id": 1}, {"callbacks": [handler]})
    handler.flush()
    assert peer.status("broken") == "error"


def test_a_broken_stream_keeps_what_it_had_answered(peer, handler):
    model = ScriptedModel([says("one two three")], fail_after=2)
    with pytest.raises(ConnectionError):
        list(model.stream("hi", {"callbacks": [handler]}))
    handler.flush()
    run = peer.named("ScriptedModel")
    assert run["error"].startswith("ConnectionError('the stream broke')")
    assert run["outputs"]["generations"][0][0]["text"] == "one two "


def test_a_stream_that_the_consumer_leaves_is_cancelled_and_keeps_its_part(peer, handler):
    stream = ScriptedModel([says("one two three")]).stream("hi", {"callbacks": [handler]})
    next(stream)
    stream.close()
    handler.flush()
    run = peer.named("ScriptedModel")
    assert (peer.status("ScriptedModel"), run.get("error")) == ("cancelled", None)
    assert run["events"][-1]["message"] == "the consumer stopped reading"
    assert run["outputs"]["generations"][0][0]["text"] == "one "


def test_a_keyboard_interrupt_is_a_cancellation(peer, handler):
    with pytest.raises(KeyboardInterrupt):
        failing(KeyboardInterrupt()).invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert peer.status("fail") == "cancelled"


# --- LangGraph's control flow ---------------------------------------------------------------------
def interrupting_graph():
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import StateGraph
    from langgraph.types import interrupt

    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"text": interrupt("may I?")})
    graph.set_entry_point("ask")
    return graph.compile(checkpointer=InMemorySaver(), name="flow")


def test_an_interrupt_is_no_error_and_shows_what_it_asks(peer, handler):
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    interrupting_graph().invoke({"text": ""}, config)
    handler.flush()
    run = peer.named("ask")
    assert (peer.status("ask"), run.get("error")) == ("interrupted", None)
    assert run["outputs"]["__interrupt__"][0]["value"] == "may I?"


@pytest.mark.parametrize("when", ["interrupt_before", "interrupt_after"])
def test_a_graph_that_stops_beside_a_node_waits_and_is_no_success(peer, when):
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State)
    graph.add_node("first", lambda state: {"text": "1"})
    graph.add_node("second", lambda state: {"text": "2"})
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    nodes = {"interrupt_before": ["second"], "interrupt_after": ["first"]}[when]
    app = graph.compile(checkpointer=InMemorySaver(), name="flow", **{when: nodes})
    handler = RunwoodCallbackHandler(peer.url, "key", "tests")
    config = {"callbacks": [handler], "configurable": {"thread_id": "7"}}
    app.invoke({"text": "0"}, config)
    app.invoke(None, config)
    assert handler.flush()
    flows = [run for run in peer.runs.values() if run["name"] == "flow"]
    assert [status_of(run) for run in sorted(flows, key=lambda run: run["start_time"])] == [
        "interrupted",
        "success",
    ]


def test_the_graph_of_an_interrupted_node_waits_too(peer, handler):
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    interrupting_graph().invoke({"text": ""}, config)
    handler.flush()
    assert peer.status("flow") == "interrupted"


def test_the_resumed_graph_is_a_trace_of_its_own_in_the_same_thread(peer, handler):
    from langgraph.types import Command

    graph = interrupting_graph()
    config = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    graph.invoke({"text": ""}, config)
    graph.invoke(Command(resume="yes"), config)
    handler.flush()
    roots = [run for run in peer.runs.values() if run["name"] == "flow"]
    assert [run.get("status", "success") for run in roots] == ["interrupted", "success"]
    assert {run["extra"]["metadata"]["thread_id"] for run in roots} == {"1"}
    assert roots[1]["inputs"]["input"]["resume"] == "yes"


def test_a_command_to_the_parent_graph_is_an_ordinary_end(peer, handler):
    from langgraph.graph import StateGraph
    from langgraph.types import Command

    inner = StateGraph(State)
    inner.add_node("hand_over", lambda s: Command(graph=Command.PARENT, goto="last"))
    inner.set_entry_point("hand_over")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_node("last", lambda state: {"text": "end"})
    outer.set_entry_point("inner")
    outer.compile(name="flow").invoke({"text": ""}, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("hand_over")
    assert peer.status("hand_over") == "success"
    assert run["outputs"]["output"]["goto"] == "last"
    assert peer.status("flow") == "success"


def test_a_recursion_limit_is_a_real_error(peer, handler):
    from langgraph.errors import GraphRecursionError
    from langgraph.graph import StateGraph

    graph = StateGraph(State)
    graph.add_node("again", lambda state: state)
    graph.set_entry_point("again")
    graph.add_edge("again", "again")
    with pytest.raises(GraphRecursionError):
        graph.compile(name="loop").invoke(
            {"text": ""}, {"callbacks": [handler], "recursion_limit": 3}
        )
    handler.flush()
    assert peer.status("loop") == "error"


# --- ends that do not come, or come twice ---------------------------------------------------------
def start(handler: RunwoodCallbackHandler, name: str, parent: Any = None, **kwargs: Any) -> Any:
    run_id = uuid4()
    handler.on_chain_start(None, {"q": 1}, run_id=run_id, parent_run_id=parent, name=name, **kwargs)
    return run_id


def test_the_first_end_of_a_run_counts(peer, handler):
    run_id = start(handler, "once")
    handler.on_chain_end({"a": 1}, run_id=run_id)
    handler.on_chain_error(ValueError("late"), run_id=run_id)
    handler.flush()
    assert (peer.status("once"), peer.named("once")["outputs"]) == ("success", {"a": 1})


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "incomplete"), (ValueError(), "incomplete"), (KeyboardInterrupt(), "cancelled")],
    ids=["success", "error", "cancelled"],
)
def test_what_is_open_below_an_ended_run_is_closed(peer, handler, error, status):
    root = start(handler, "root")
    child = start(handler, "child", root)
    start(handler, "grandchild", child)
    if error is None:
        handler.on_chain_end({}, run_id=root)
    else:
        handler.on_chain_error(error, run_id=root)
    handler.flush()
    assert (peer.status("child"), peer.status("grandchild")) == (status, status)
    assert handler._recorder.open_count == 0


def test_a_late_real_end_corrects_one_that_was_concluded(peer, handler):
    root = start(handler, "root")
    child = start(handler, "child", root)
    handler.on_chain_error(KeyboardInterrupt(), run_id=root)
    handler.on_chain_end({"a": 1}, run_id=child)
    handler.flush()
    assert (peer.status("child"), peer.named("child")["outputs"]) == ("success", {"a": 1})


def test_a_run_below_an_ended_parent_still_finds_its_place(peer, handler):
    root = start(handler, "root")
    parent = start(handler, "parent", root)
    handler.on_chain_end({}, run_id=start(handler, "first", parent))
    handler.on_chain_end({}, run_id=parent)
    handler.on_chain_end({}, run_id=start(handler, "detached", parent))
    handler.on_chain_end({}, run_id=root)
    handler.flush()
    parent_order = peer.named("parent")["dotted_order"]
    assert peer.named("detached")["dotted_order"].startswith(f"{parent_order}.")


def test_an_unknown_parent_is_kept_as_given(peer, handler):
    stranger = uuid4()
    run_id = start(handler, "child", stranger)
    handler.on_chain_end({}, run_id=run_id)
    handler.flush()
    run = peer.named("child")
    assert run["parent_run_id"] == str(stranger)
    assert run["trace_id"] == str(run_id)


def test_an_end_without_a_start_is_ignored(peer, handler):
    handler.on_chain_end({}, run_id=uuid4())
    handler.on_llm_new_token("x", run_id=uuid4())
    assert handler.flush()
    assert peer.requests == []


def test_open_runs_are_bounded(handler, monkeypatch):
    monkeypatch.setattr("runwood.recording.recorder.MAX_OPEN", 10)
    for _ in range(25):
        start(handler, "kept")
    assert MAX_OPEN == 20_000
    assert handler._recorder.open_count == 10


def test_events_of_one_run_are_bounded_and_the_rest_is_counted(peer, handler):
    run_id = start(handler, "chatty")
    for number in range(MAX_EVENTS + 50):
        handler.on_custom_event("tick", number, run_id=run_id)
    handler.on_chain_end({}, run_id=run_id)
    handler.flush()
    events = peer.named("chatty")["events"]
    assert len(events) == MAX_EVENTS + 1
    assert events[-1]["kwargs"] == {"events_left_out": 51}


def test_latency_is_never_negative_when_the_clock_is_set_back(peer, handler, monkeypatch):
    next_decade = int(datetime(2036, 1, 1, tzinfo=timezone.utc).timestamp())  # noqa: UP017
    with monkeypatch.context() as patch:
        patch.setattr("runwood.recording.run.time.time_ns", lambda: next_decade * 10**9)
        run_id = start(handler, "run")
    handler.on_chain_end({}, run_id=run_id)
    handler.flush()
    run = peer.named("run")
    assert run["start_time"] <= run["end_time"] < "2036-01-01T00:00:01"


# --- the rest of the events -----------------------------------------------------------------------
def test_classic_agent_text_and_retry_events_are_on_their_run(peer, handler):
    from langchain_core.agents import AgentAction, AgentFinish
    from tenacity import Retrying, stop_after_attempt

    run_id = start(handler, "classic")
    handler.on_agent_action(AgentAction("search", {"q": 1}, "log"), run_id=run_id)
    handler.on_agent_finish(AgentFinish({"output": "x"}, "log"), run_id=run_id)
    handler.on_text("a line", run_id=run_id)

    def note(state: Any) -> None:
        handler.on_retry(state, run_id=run_id)

    attempts = iter([ConnectionError("busy"), None])

    def call() -> None:
        error = next(attempts)
        if error is not None:
            raise error

    Retrying(stop=stop_after_attempt(2), before_sleep=note)(call)
    handler.on_chain_end({}, run_id=run_id)
    handler.flush()
    events = {event["name"]: event.get("kwargs") for event in peer.named("classic")["events"]}
    assert events["agent_action"]["action"]["tool"] == "search"
    assert events["agent_finish"]["finish"]["return_values"] == {"output": "x"}
    assert events["text"] == {"text": "a line"}
    assert events["retry"]["attempt"] == 1
    assert events["retry"]["exception"] == "ConnectionError('busy')"


def test_usage_of_several_generations_is_summed(peer, handler):
    run_id = uuid4()
    handler.on_chat_model_start({"name": "m"}, [[]], run_id=run_id)
    generations = [[ChatGeneration(message=says("a")), ChatGeneration(message=says("b"))]]
    handler.on_llm_end(LLMResult(generations=generations), run_id=run_id)
    handler.flush()
    usage = peer.named("m")["extra"]["metadata"]["usage_metadata"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (22, 6, 28)


def test_a_tool_error_that_was_handled_is_a_success_with_the_message(peer, handler):
    from langchain_core.tools import ToolException, tool

    @tool
    def shy() -> str:
        """Fail politely."""
        raise ToolException("not today")

    shy.handle_tool_error = True
    shy.invoke(
        {"name": "shy", "args": {}, "id": "1", "type": "tool_call"}, {"callbacks": [handler]}
    )
    handler.flush()
    run = peer.named("shy")
    assert peer.status("shy") == "success"
    assert run["outputs"]["output"]["status"] == "error"


def test_every_callback_is_overridden():
    """BaseTracer is a marker: none of its own bodies, which keep state, may ever run."""
    callbacks = [name for name in dir(RunwoodCallbackHandler) if name.startswith("on_")]
    inherited = [name for name in callbacks if name not in RunwoodCallbackHandler.__dict__]
    assert inherited == []


def test_v3_stream_events_are_counted(peer, handler):
    list(
        ScriptedModel([says("one two")]).stream_events("hi", {"callbacks": [handler]}, version="v3")
    )
    handler.flush()
    run = peer.named("ScriptedModel")
    assert run["extra"]["stream"]["chunks"] >= 2
    assert "new_token" in event_names(run)


def test_an_answer_with_a_tool_call_is_counted(peer, handler):
    ScriptedModel([calls("order_status", order_id=1)]).invoke("hi", {"callbacks": [handler]})
    handler.flush()
    run = peer.named("ScriptedModel")
    assert run["extra"]["tool_call_count"] == 1
    message = run["outputs"]["generations"][0][0]["message"]
    assert message["kwargs"]["tool_calls"][0]["name"] == "order_status"


def test_an_exception_is_not_kept_alive(handler):
    import gc
    import weakref

    class Payload:
        pass

    kept: list[Any] = []

    def fail(_: Any) -> None:
        payload = Payload()
        kept.append(weakref.ref(payload))
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        RunnableLambda(fail).invoke(1, {"callbacks": [handler]})
    handler.flush()
    gc.collect()
    assert kept[0]() is None


def test_an_aimessage_from_a_node_is_flat(peer, handler):
    RunnableLambda(lambda _: {"messages": [AIMessage("hi")]}).invoke(1, {"callbacks": [handler]})
    SHELF.invoke("none", {"callbacks": [handler]})
    handler.flush()
    (run,) = [run for run in peer.runs.values() if run["run_type"] == "chain"]
    assert run["outputs"]["messages"] == [
        {
            "content": "hi",
            "additional_kwargs": {},
            "response_metadata": {},
            "type": "ai",
            "tool_calls": [],
            "invalid_tool_calls": [],
        }
    ]
