from __future__ import annotations

from uuid import uuid4

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel
from runwood import RunwoodCallbackHandler
from runwood.recording.run import OpenRun
from sample_apps import (
    SHELF,
    USAGE,
    ScriptedModel,
    State,
    calls,
    chain,
    order_status,
    says,
    text_model,
)


def test_a_chain_becomes_its_tree_in_order(peer, handler):
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert handler.flush()
    assert peer.tree() == [
        "RunnableSequence chain success",
        "  ChatPromptTemplate prompt success",
        "  FakeListChatModel llm success",
        "  StrOutputParser parser success",
    ]


def test_a_chain_that_ends_within_a_batch_is_sent_as_merged_creates(peer, handler):
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    handler.flush()
    (request,) = peer.requests
    assert [len(request.body["post"]), len(request.body["patch"])] == [4, 0]


def test_a_long_run_is_sent_when_it_starts_and_again_when_it_ends(peer, handler):
    def slow(_):
        handler.flush()
        return peer.status("slow")

    answer = RunnableLambda(slow).invoke(1, {"callbacks": [handler], "run_name": "slow"})
    handler.flush()
    assert (answer, peer.status("slow")) == ("running", "success")


def test_inputs_outputs_tags_and_metadata_are_recorded(peer, handler):
    config = {"callbacks": [handler], "tags": ["blue"], "metadata": {"thread_id": "t-1", "n": 1}}
    RunnableLambda(lambda x: x + 1).with_config(run_name="add").invoke(1, config)
    handler.flush()
    run = peer.named("add")
    assert run["inputs"] == {"input": 1}
    assert run["outputs"] == {"output": 2}
    assert run["tags"] == ["blue"]
    assert run["extra"]["metadata"] == {"thread_id": "t-1", "n": 1}


def test_the_handlers_own_tags_and_metadata_are_on_the_root_alone(peer):
    handler = RunwoodCallbackHandler(peer.url, tags=["prod"], metadata={"release": "7"})
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    handler.flush()
    root, child = peer.named("RunnableSequence"), peer.named("ChatPromptTemplate")
    assert (root["tags"], root["extra"]["metadata"]) == (["prod"], {"release": "7"})
    assert "prod" not in child["tags"]
    assert "release" not in child.get("extra", {}).get("metadata", {})


def test_parallel_branches_are_siblings(peer, handler):
    both = RunnableParallel(one=RunnableLambda(lambda x: x), two=RunnableLambda(lambda x: x))
    both.invoke(1, {"callbacks": [handler]})
    handler.flush()
    root = peer.named("RunnableParallel<one,two>")
    branches = [run for run in peer.runs.values() if run.get("parent_run_id") == root["id"]]
    assert sorted(run["tags"][0] for run in branches) == ["map:key:one", "map:key:two"]


def test_every_run_of_a_batch_is_its_own_trace(peer, handler):
    RunnableLambda(lambda x: x).batch([1, 2, 3], {"callbacks": [handler]})
    handler.flush()
    assert len({run["trace_id"] for run in peer.runs.values()}) == 3


def test_dotted_order_is_built_from_the_parents(peer, handler):
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    handler.flush()
    root, child = peer.named("RunnableSequence"), peer.named("StrOutputParser")
    moment = child["start_time"].translate({ord(mark): None for mark in "-:."})
    own = f"{moment[:15]}{moment[15:21]}Z{child['id']}"
    assert child["dotted_order"] == f"{root['dotted_order']}.{own}"
    assert child["trace_id"] == root["id"] == root["trace_id"]


def test_a_streamed_chain_gets_the_input_that_it_had_not_at_its_start(peer, handler):
    words = iter([{"q": "hi"}])
    assert "".join(chain().transform(words, {"callbacks": [handler]})) == "hello there"
    handler.flush()
    assert peer.named("RunnableSequence")["inputs"] == {"q": "hi"}


def test_a_stream_is_told_as_its_first_token_and_a_count(peer, handler):
    list(ScriptedModel([says("one two three")]).stream("hi", {"callbacks": [handler]}))
    handler.flush()
    run = peer.named("ScriptedModel")
    tokens = [event for event in run["events"] if event["name"] == "new_token"]
    assert [event["name"] for event in run["events"]] == ["start", "new_token", "end"]
    assert run["start_time"] < tokens[0]["time"] < run["end_time"]
    assert run["extra"]["stream"]["chunks"] >= 4
    assert run["extra"]["stream"]["first_time"] == tokens[0]["time"]


def test_usage_is_where_langsmith_puts_it(peer, handler):
    ScriptedModel([says("hi")]).invoke("hi", {"callbacks": [handler]})
    handler.flush()
    extra = peer.named("ScriptedModel")["extra"]
    assert extra["metadata"]["usage_metadata"] == USAGE
    assert extra["metadata"]["ls_model_type"] == "chat"


def test_chat_messages_are_constructors(peer, handler):
    ScriptedModel([says("hi")]).invoke(
        [SystemMessage("be terse"), HumanMessage("hi")], {"callbacks": [handler]}
    )
    handler.flush()
    ((first, second),) = peer.named("ScriptedModel")["inputs"]["messages"]
    assert first == {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "SystemMessage"],
        "kwargs": {"content": "be terse", "type": "system"},
    }
    assert second["id"][-1] == "HumanMessage"


def test_a_text_model_has_prompts(peer, handler):
    text_model().invoke("hi", {"callbacks": [handler]})
    handler.flush()
    run = peer.named("FakeListLLM")
    assert (run["run_type"], run["inputs"]) == ("llm", {"prompts": ["hi"]})
    assert run["outputs"]["generations"][0][0]["text"] == "hello"


def test_a_tool_is_recorded_by_its_arguments(peer, handler):
    order_status.invoke({"order_id": 7}, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("order_status")
    assert (run["run_type"], run["inputs"]) == ("tool", {"order_id": 7})
    assert run["outputs"] == {"output": "order 7 is on its way"}


def test_a_tool_call_keeps_its_id_and_message(peer, handler):
    call = {"name": "order_status", "args": {"order_id": 7}, "id": "call_1", "type": "tool_call"}
    order_status.invoke(call, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("order_status")
    assert run["extra"]["tool_call_id"] == "call_1"
    assert run["outputs"]["output"]["type"] == "tool"
    assert run["outputs"]["output"]["tool_call_id"] == "call_1"


def test_a_retriever_has_its_documents(peer, handler):
    SHELF.invoke("glazes", {"callbacks": [handler]})
    handler.flush()
    run = peer.named("Shelf")
    assert (run["run_type"], run["inputs"]) == ("retriever", {"query": "glazes"})
    assert run["outputs"]["documents"] == [
        {
            "metadata": {"source": "faq.md"},
            "page_content": "glazes are fired twice",
            "type": "Document",
        }
    ]


def test_custom_events_stand_in_their_order_on_their_run(peer, handler):
    def work(x):
        dispatch_custom_event("progress", {"done": 1})
        dispatch_custom_event("progress", {"done": 2})
        return x

    RunnableLambda(work).invoke(1, {"callbacks": [handler]})
    handler.flush()
    events = peer.named("work")["events"]
    assert [event["name"] for event in events] == ["start", "custom_event", "custom_event", "end"]
    assert events[2]["kwargs"] == {"name": "progress", "data": {"done": 2}}


def test_an_agent_of_langgraph_becomes_its_tree(peer, handler):
    from langchain.agents import create_agent

    model = ScriptedModel([calls("order_status", order_id=7), says("It is on its way.")])
    agent = create_agent(model, [order_status], name="support")
    config = {"callbacks": [handler], "configurable": {"thread_id": "t-9"}}
    agent.invoke({"messages": [("human", "where is order 7?")]}, config)
    handler.flush()
    assert peer.tree() == [
        "support chain success",
        "  model chain success",
        "    ScriptedModel llm success",
        "  tools chain success",
        "    order_status tool success",
        "  model chain success",
        "    ScriptedModel llm success",
    ]
    assert {run["extra"]["metadata"]["thread_id"] for run in peer.runs.values()} == {"t-9"}


def test_a_tracepolicy_of_langgraph_holds_here_too(peer, handler):
    from langgraph.graph import StateGraph
    from langgraph.types import TracePolicy, omit_payload

    graph = StateGraph(State)
    policy = TracePolicy(process_inputs=omit_payload, process_outputs=omit_payload)
    graph.add_node("secret", lambda state: {"text": "hidden"}, trace_policy=policy)
    graph.set_entry_point("secret")
    graph.compile().invoke({"text": "hidden"}, {"callbacks": [handler]})
    handler.flush()
    run = peer.named("secret")
    assert "hidden" not in f"{run['inputs']}{run['outputs']}"


def test_two_handlers_of_one_project_record_a_run_once(peer, handler):
    other = RunwoodCallbackHandler(peer.url, "key", "tests")
    RunnableLambda(lambda x: x).invoke(1, {"callbacks": [handler, other]})
    handler.flush()
    assert sum(len(request.runs) for request in peer.requests) == 1


def test_ten_thousand_runs_leave_no_state(peer, handler):
    add = RunnableLambda(lambda x: x + 1)
    for _ in range(100):
        (add | add).invoke(1, {"callbacks": [handler]})
        RunnableLambda(lambda x: add.batch(list(range(97)))).invoke(1, {"callbacks": [handler]})
    assert handler.flush(30)
    recorder = handler._recorder
    assert len(peer.runs) >= 10_000
    assert recorder.open_count == 0
    assert not recorder._closed_early
    assert len(recorder._ended) <= 512
    assert (handler.run_map, handler.order_map) == ({}, {})


def test_keywords_and_run_types_that_nobody_knows_yet_are_kept(peer, handler):
    run_id = uuid4()
    handler.on_chain_start(
        None, {"q": 1}, run_id=run_id, run_type="planner", name="new", mood="good"
    )
    handler.on_llm_new_token("x", run_id=run_id, mood="good")
    handler.on_custom_event("e", 1, run_id=run_id, mood="good")
    handler.on_chain_end({"a": 1}, run_id=run_id, mood="good")
    handler.flush()
    run = peer.named("new")
    assert (run["run_type"], run["extra"]["mood"], run["outputs"]) == ("planner", "good", {"a": 1})


def test_what_langgraph_hides_from_readers_keeps_its_mark(peer, handler):
    hidden = RunnableLambda(lambda x: x, name="router").with_config(tags=["langsmith:hidden"])
    hidden.invoke(1, {"callbacks": [handler]})
    handler.flush()
    assert peer.named("router")["tags"] == ["langsmith:hidden"]


def test_runs_nested_deeper_than_the_stack_have_their_place():
    """Where the queue is full of starts, the innermost may be the first that the sender sees."""
    outermost = innermost = OpenRun(uuid4(), None, "run", "chain", [])
    for _ in range(3000):
        run = OpenRun(uuid4(), innermost.id, "run", "chain", [])
        run.above = innermost
        innermost = run
    assert innermost.identity["trace_id"] == str(outermost.id)
    assert innermost.identity["dotted_order"].count(".") == 3000
