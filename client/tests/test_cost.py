"""What an event costs in the app's thread. Printed and not asserted: machines differ."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client
from sample_apps import says

ROUNDS = 150
CALL = {
    "name": "search_orders",
    "args": {"query": "glaze " * 8},
    "id": "call_1",
    "type": "tool_call",
}
MESSAGES = [
    SystemMessage("You answer customers of a pottery shop. " * 8),
    HumanMessage("Where is my order? " * 12),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("The order left the kiln on Monday. " * 10, tool_call_id="call_1"),
    says("It is on its way. " * 16),
]
RESULT = LLMResult(generations=[[ChatGeneration(message=MESSAGES[-1])]])
METADATA = {"thread_id": "t-1", "langgraph_node": "model", "langgraph_step": 3}


def play(handler: Any) -> float:
    """Return microseconds an event, over chains and chat models with payloads of 2 KB."""
    started = time.thread_time()
    for _ in range(ROUNDS):
        root, chat = uuid4(), uuid4()
        state = {"messages": MESSAGES}
        handler.on_chain_start(None, state, run_id=root, name="node", metadata=METADATA, tags=["a"])
        handler.on_chat_model_start(
            {"name": "model"}, [MESSAGES], run_id=chat, parent_run_id=root, metadata=METADATA
        )
        handler.on_llm_end(RESULT, run_id=chat, parent_run_id=root)
        handler.on_chain_end(state, run_id=root)
    return (time.thread_time() - started) / ROUNDS / 4 * 1e6


def tokens(handler: Any) -> float:
    run_id = uuid4()
    handler.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
    started = time.thread_time()
    for _ in range(ROUNDS * 10):
        handler.on_llm_new_token("word", run_id=run_id)
    per_token = (time.thread_time() - started) / ROUNDS / 10 * 1e6
    handler.on_llm_end(RESULT, run_id=run_id)
    return per_token


def test_print_the_cost_of_an_event(peer, handler, capsys):
    play(handler)
    best = min(play(handler) for _ in range(5))
    token = min(tokens(handler) for _ in range(3))
    with capsys.disabled():
        print(f"\n  runwood: {best:.1f} µs an event of 2 KB, {token:.2f} µs a token")  # noqa: T201
    assert handler.flush(30)


def test_print_the_cost_of_the_same_event_in_langsmiths_tracer(peer, capsys):
    client = Client(peer.url, api_key="x", info={})
    tracer = LangChainTracer(client=client, project_name="x")
    play(tracer)
    best = min(play(tracer) for _ in range(5))
    client.close()
    with capsys.disabled():
        print(f"\n  langsmith: {best:.1f} µs an event of 2 KB")  # noqa: T201
