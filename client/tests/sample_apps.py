"""Small real LangChain and LangGraph apps for the tests."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any, TypedDict

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, FakeListChatModel, FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

USAGE = {"input_tokens": 11, "output_tokens": 3, "total_tokens": 14}


class State(TypedDict, total=False):
    messages: list[Any]
    text: str


def chain(answer: str = "hello there"):
    """prompt | chat model | parser"""
    prompt = ChatPromptTemplate.from_messages([("system", "be terse"), ("human", "{q}")])
    return prompt | FakeListChatModel(responses=[answer]) | StrOutputParser()


def text_model(answer: str = "hello"):
    return FakeListLLM(responses=[answer])


class ScriptedModel(BaseChatModel):
    """Answers with the given messages in turn; streams words, may wait or fail in the middle."""

    answers: Any
    wait_seconds: float = 0.0
    fail_after: int | None = None

    def __init__(self, answers: list[AIMessage], **kwargs: Any) -> None:
        super().__init__(answers=itertools.cycle(answers), **kwargs)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        time.sleep(self.wait_seconds)
        return ChatResult(generations=[ChatGeneration(message=next(self.answers))])

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(self.wait_seconds)
        return ChatResult(generations=[ChatGeneration(message=next(self.answers))])

    def _chunks(self) -> Any:
        answer = next(self.answers)
        words = str(answer.content).split(" ")
        for number, word in enumerate(words):
            if number == self.fail_after:
                raise ConnectionError("the stream broke")
            yield ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", usage_metadata=answer.usage_metadata)
        )

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        for chunk in self._chunks():
            time.sleep(self.wait_seconds)
            yield chunk

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        for chunk in self._chunks():
            await asyncio.sleep(self.wait_seconds)
            yield chunk


def says(text: str) -> AIMessage:
    return AIMessage(text, usage_metadata=USAGE, response_metadata={"model_name": "scripted-1"})


def calls(name: str, **args: Any) -> AIMessage:
    call = {"name": name, "args": args, "id": f"call_{name}", "type": "tool_call"}
    return AIMessage("", tool_calls=[call], usage_metadata=USAGE)


@tool
def order_status(order_id: int) -> str:
    """Tell where an order is."""
    return f"order {order_id} is on its way"


@tool
def broken(order_id: int) -> str:
    """Always fail."""
    raise LookupError(f"no order {order_id}")


class Shelf(BaseRetriever):
    documents: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [item for item in self.documents if query in item.page_content]


SHELF = Shelf(documents=[Document("glazes are fired twice", metadata={"source": "faq.md"})])


def wait_for(condition: Any, seconds: float = 5.0) -> bool:
    """Poll until the condition holds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def sender_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "runwood-sender"]
