"""The support agent of a pottery shop: a LangGraph agent with tools, a retriever, and a thread of its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from demo.model import SCRIPT, ScriptedChatModel

SYSTEM_PROMPT = (
    "You are the support agent of Kiln & Co., a shop for enamelware and kettles. Answer in the language of the "
    "customer. Never promise a refund before the policy has allowed it. Quote the order number in every answer that "
    "concerns an order. Use the tools: `lookup_order`, `search_docs`, `create_label`."
)
DOCUMENTS = [
    Document(
        "Defective goods may be returned for 90 days from delivery. We pay the return label; the refund goes back to "
        "the card that paid.",
        metadata={"source": "policies/returns.md", "title": "Returns and refunds", "score": 0.91},
    ),
    Document(
        "Enamel kettles carry a two-year warranty against leaks at the spout and handle. Proof of purchase is the order "
        "number.",
        metadata={"source": "policies/warranty.md", "title": "Warranty: enamelware", "score": 0.84},
    ),
    Document(
        "日本で発行されたカードへの返金は、カード会社の処理により最大10営業日かかる場合があります。",
        metadata={"source": "policies/ja/refunds.md", "title": "国際返金について", "score": 0.71},
    ),
]
ORDERS: dict[str, dict[str, Any]] = {
    "4471": {
        "order_id": "4471",
        "placed": "2026-08-19",
        "delivered": "2026-08-24",
        "items": [{"sku": "KTL-09", "name": "Enamel kettle, 1.2 l", "price_eur": 64.0}],
    }
}


class OrderServiceTimeout(Exception):
    """The order service did not answer in time."""


class PolicyRetriever(BaseRetriever):
    """Finds the shop's policies; ranks by words in common."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        time.sleep(0.02)
        wanted = set(query.lower().split())
        return sorted(
            DOCUMENTS,
            key=lambda document: -len(wanted & set(document.page_content.lower().split())),
        )


@tool
def lookup_order(order_id: str) -> dict[str, Any]:
    """Look an order up by its number."""
    time.sleep(0.05)
    if order_id not in ORDERS:
        raise OrderServiceTimeout(f"orders.kiln.internal did not answer for {order_id} in 1000 ms")
    return ORDERS[order_id]


@tool
def search_docs(query: str) -> str:
    """Search the shop's policies."""
    return "\n\n".join(document.page_content for document in PolicyRetriever().invoke(query))


@tool
def create_label(order_id: str, weight_grams: int) -> dict[str, Any]:
    """Make a return label."""
    return {"label": f"RL-{order_id}-A", "carrier": "Bring", "weight_grams": weight_grams}


def run_conversations(callbacks: list[Any], thread_id: str) -> None:
    """Hold the scripted conversations: three turns of one thread, an error, and one in other scripts.

    With no callbacks LangChain traces by its environment (LANGSMITH_TRACING).
    """
    agent = create_agent(
        ScriptedChatModel(),
        tools=[lookup_order, search_docs, create_label],
        system_prompt=SYSTEM_PROMPT,
        checkpointer=InMemorySaver(),
        name="support_agent",
    )
    first, second, third, failing, foreign = SCRIPT

    def config(thread: str, *tags: str) -> Any:
        return {
            "callbacks": callbacks,
            "configurable": {"thread_id": thread},
            "tags": ["web", *tags],
            "metadata": {"user_id": "u_20817"},
        }

    def ask(text: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": text}]}

    agent.invoke(ask(first), config(thread_id))
    agent.invoke(ask(second), config(thread_id))
    for _ in agent.stream(ask(third), config(thread_id, "streamed"), stream_mode="messages"):
        pass
    with suppress(OrderServiceTimeout):
        agent.invoke(ask(failing), config(f"{thread_id}-b"))
    agent.invoke(ask(foreign), config(f"{thread_id}-c", "ja"))
