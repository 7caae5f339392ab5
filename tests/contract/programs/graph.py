"""A user's program: a LangGraph agent with a tool, a subgraph, and a node that asks a human before it goes on."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt


class State(TypedDict):
    """What the nodes hand on."""

    messages: Annotated[list[AnyMessage], add_messages]


@tool
def weigh(order: int) -> int:
    """Weigh an order, in grams."""
    return 100 * order


def answer(messages: list[AnyMessage]) -> AIMessage:
    if isinstance(messages[-1], HumanMessage):
        call: Any = {"name": "weigh", "args": {"order": 7}, "id": "call-1", "type": "tool_call"}
        return AIMessage("", tool_calls=[call])
    return AIMessage(f"It weighs {messages[-1].content} g.")


def ask_model(state: State) -> dict[str, Any]:
    return {"messages": [RunnableLambda(answer).invoke(state["messages"])]}


def ask_human(state: State) -> dict[str, Any]:
    verdict = interrupt({"send?": state["messages"][-1].content})
    return {"messages": [AIMessage(f"Human: {verdict}")]}


research: Any = StateGraph(State)
research.add_node("look up", lambda state: {"messages": [AIMessage("Found.")]})
research.add_edge(START, "look up")

agent: Any = StateGraph(State)
agent.add_node("research", research.compile())
agent.add_node("model", ask_model)
agent.add_node("tools", ToolNode([weigh]))
agent.add_node("approve", ask_human)
agent.add_edge(START, "model")
agent.add_conditional_edges("model", tools_condition, {"tools": "tools", END: "research"})
agent.add_edge("tools", "model")
agent.add_edge("research", "approve")
graph = agent.compile(checkpointer=InMemorySaver(), name="clerk")

config: Any = {"configurable": {"thread_id": "order-7"}}
graph.invoke({"messages": [HumanMessage("How heavy?")]}, config)
for _ in graph.stream(Command(resume="yes"), config, stream_mode="updates"):
    pass
