"""Icon, colour and word of a run type (design: viewer.md, section 5). `run_type` is an open string."""

from __future__ import annotations

from dataclasses import dataclass


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


def describe_run_type(run_type: str, name: str = "") -> RunTypeLook:
    """Return the look of a run.

    The name helps where the type says too little: LangGraph calls its root "LangGraph" and types it
    chain; chat models and plain-text models are both typed llm.
    """
    if run_type == "chain" and name == "LangGraph":
        return GRAPH
    if run_type == "llm" and "chat" in name.lower():
        return CHAT
    return LOOKS.get(run_type, CHAIN)
