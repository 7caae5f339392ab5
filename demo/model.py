"""A chat model that follows a script: a demo needs no key, no network, and the same answers each time.

Everything else is real: LangChain's base class around it, streaming, tool calls, token counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

# What the customer says → the tools to call first, and the answer after their results.
SCRIPT: dict[str, tuple[list[tuple[str, dict[str, Any]]], str]] = {
    "Can I still return order 4471? I bought the kettle in August and it leaks at the spout.": (
        [
            ("lookup_order", {"order_id": "4471"}),
            ("search_docs", {"query": "return window for defective goods"}),
        ],
        "Yes, you can still return the kettle. A leak at the spout is a **defect**, and defective goods may "
        "come back for 90 days after delivery:\n\n1. Empty the kettle and let it dry.\n2. Print the label "
        "that I can make for you.\n3. Hand it in at any post office.\n\nShall I make the label?",
    ),
    "Yes please, make the label.": (
        [("create_label", {"order_id": "4471", "weight_grams": 1400})],
        "Done. Your label is **RL-4471-A**; the link in your mail works for 14 days.",
    ),
    "Thank you! Sum it up in one sentence for my notes.": (
        [],
        "Order 4471, an enamel kettle that leaks at the spout, goes back free of charge with label RL-4471-A, "
        "and the refund follows within five working days of its arrival.",
    ),
    "Cancel 4498 please, I ordered the wrong size.": ([("lookup_order", {"order_id": "4498"})], ""),
    "ケトルの注ぎ口から水が漏れます。返金は日本のカードに戻りますか？": (
        [("search_docs", {"query": "international shipping and refunds"})],
        "はい、交換または返金ができます。返金は元のカードに戻り、最大10営業日かかる場合があります。",
    ),
}


class ScriptedChatModel(BaseChatModel):
    """Answers by `SCRIPT`, word by word, with the usage that a provider would report."""

    model_name: str = "scripted-1"
    seconds_per_word: float = 0.01

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(
            ls_provider="demo", ls_model_name=self.model_name, ls_model_type="chat"
        )

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ScriptedChatModel:
        """Tools need not be bound: the script knows them."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self._answer(messages)
        time.sleep(self.seconds_per_word * 5)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        message = self._answer(messages)
        words = str(message.content).split(" ")
        for number, word in enumerate(words):
            time.sleep(self.seconds_per_word)
            text = word if number == 0 else f" {word}"
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text, id=message.id))
            if run_manager is not None:
                run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk
        calls = [
            {
                "name": call["name"],
                "args": json.dumps(call["args"]),
                "id": call["id"],
                "index": index,
            }
            for index, call in enumerate(message.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                id=message.id,
                tool_call_chunks=calls,
                usage_metadata=message.usage_metadata,
                response_metadata=message.response_metadata,
            )
        )

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        asked = next(message for message in reversed(messages) if isinstance(message, HumanMessage))
        calls, answer = SCRIPT[str(asked.content)]
        tool_calls = [
            {"name": name, "args": args, "id": f"call_{name}_{number}", "type": "tool_call"}
            for number, (name, args) in enumerate(calls)
        ]
        has_results = isinstance(messages[-1], ToolMessage)
        text = answer if has_results or not calls else ""
        prompt = sum(len(str(message.content)) for message in messages) // 4
        completion = len(text) // 4 + 12 * len(tool_calls) * (not has_results)
        return AIMessage(
            content=text,
            tool_calls=[] if has_results else tool_calls,
            usage_metadata={
                "input_tokens": prompt,
                "output_tokens": completion,
                "total_tokens": prompt + completion,
            },
            response_metadata={"model_name": self.model_name, "finish_reason": "stop"},
        )
