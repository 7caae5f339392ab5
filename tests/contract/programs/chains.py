"""A user's program: LangChain runnables with a prompt, a chat model, a retriever and a tool. No callbacks: the environment traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

USAGE: Any = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "total_tokens": 1200,
    "input_token_details": {"cache_read": 600},
    "output_token_details": {"reasoning": 50},
}


class Scripted(BaseChatModel):
    """Says the same whatever it is asked, and counts as a model of OpenAI's."""

    model_name: str = "gpt-4o-mini"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {**super()._get_ls_params(stop, **kwargs), "ls_provider": "openai"}

    def _generate(self, messages: list[BaseMessage], *rest: Any, **kwargs: Any) -> ChatResult:
        message = AIMessage("Wait for the label.", usage_metadata=USAGE)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for word in ("Wait ", "for ", "it."):
            chunk = ChatGenerationChunk(message=AIMessageChunk(word))
            if run_manager:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=USAGE))


class Policies(BaseRetriever):
    """Finds one policy."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document("Ninety days.", metadata={"source": "returns.md", "score": 0.9})]


@tool
def label(order: int) -> dict[str, Any]:
    """Make a return label."""
    if order < 0:
        raise ValueError("no such order")
    return {"label": f"RL-{order}"}


prompt = ChatPromptTemplate.from_messages([("system", "You help."), ("human", "{question}")])
chain = prompt | Scripted() | StrOutputParser()

chain.invoke(
    {"question": "Where is it?"},
    {"run_name": "invoked", "tags": ["shop"], "metadata": {"thread_id": "c-1"}},
)
for _ in chain.stream({"question": "And now?"}, {"run_name": "streamed"}):
    pass
chain.batch([{"question": "a"}, {"question": "b"}], {"run_name": "batched"})
Policies().invoke("returns", {"run_name": "retrieved"})
label.invoke({"order": 7}, {"run_name": "called"})
with suppress(ValueError):
    RunnableLambda(lambda order: label.invoke({"order": order})).invoke(-1, {"run_name": "broken"})
