"""Icon, colour and word of a run type (design: viewer.md, section 5). `run_type` is an open string."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from collector.reads.types import RunNode

STEP_TAG = "graph:step:"  # on the runs of a graph's nodes, by LangGraph itself


@dataclass(frozen=True, slots=True)
class RunTypeLook:
    """`icon` is a glyph of the sprite, `tone` the `data-type` that colours it, `word` its accessible name."""

    icon: str
    tone: str
    word: str


CHAIN = RunTypeLook("chain", "chain", "Chain")
AGENT = RunTypeLook("agent", "agent", "Agent")
GRAPH = RunTypeLook("agent", "agent", "Graph")
CHAT = RunTypeLook("chat", "llm", "Chat model")
LOOKS = {
    "chain": CHAIN,
    "agent": AGENT,
    "llm": RunTypeLook("llm", "llm", "Model"),
    "tool": RunTypeLook("tool", "tool", "Tool"),
    "retriever": RunTypeLook("retriever", "retriever", "Retriever"),
    "embedding": RunTypeLook("embedding", "embedding", "Embedding"),
    "prompt": RunTypeLook("prompt", "prompt", "Prompt"),
    "parser": RunTypeLook("parser", "parser", "Parser"),
}


def find_graphs(nodes: Iterable[RunNode]) -> frozenset[UUID]:
    """Return the runs that are LangGraph's graphs, whatever they are named: only these have steps below them."""
    graphs: set[UUID] = set()
    path: list[RunNode] = []
    for node in nodes:
        while path and path[-1].depth >= node.depth:
            path.pop()
        # an orphan stands under the root, but who made it is not known
        if path and not node.is_orphan and any(tag.startswith(STEP_TAG) for tag in node.run.tags):
            graphs.add(path[-1].run.id)
        path.append(node)
    return frozenset(graphs)


def describe_run_type(run_type: str, name: str = "", *, is_graph: bool = False) -> RunTypeLook:
    """Return the look of a run.

    The type says too little of some: LangGraph types its graphs chain, and calls them "LangGraph" where
    nobody names them; chat models and plain-text models are both typed llm.
    """
    if run_type == "chain" and (is_graph or name == "LangGraph"):
        return GRAPH
    if run_type == "llm" and "chat" in name.lower():
        return CHAT
    return LOOKS.get(run_type, CHAIN)
