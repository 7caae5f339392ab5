"""Every shape of a message that clients send comes to one form."""

from __future__ import annotations

from typing import Any

import pytest

from viewer.present.content import Attached, Call, CallResult, Other, Text, Thinking
from viewer.present.images import InlineImage
from viewer.present.messages import Message, pair_results, parse_message, parse_messages

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def lc(class_name: str, **kwargs: Any) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", class_name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": kwargs}


SHAPES = {
    "openai": ({"role": "user", "content": "hi"}, ("human", "hi")),
    "openai developer": ({"role": "developer", "content": "be brief"}, ("system", "be brief")),
    "tuple": (["human", "hi"], ("human", "hi")),
    "tuple of the wire": (["ai", [{"type": "text", "text": "hi"}]], ("ai", "hi")),
    "constructor": (lc("HumanMessage", content="hi", type="human"), ("human", "hi")),
    "constructor of JS": (lc("AIMessageChunk", content="hi"), ("ai", "hi")),
    "flat": ({"type": "system", "content": "be brief"}, ("system", "be brief")),
    "flat chunk": ({"type": "AIMessageChunk", "content": "hi"}, ("ai", "hi")),
    "data": ({"type": "human", "data": {"content": "hi"}}, ("human", "hi")),
    "anthropic": ({"role": "assistant", "content": [{"type": "text", "text": "hi"}]}, ("ai", "hi")),
    "responses": (
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hi"}],
        },
        ("ai", "hi"),
    ),
    "gemini": ({"role": "model", "parts": [{"text": "hi"}]}, ("ai", "hi")),
    "a role of one's own": ({"role": "judge", "content": "fine"}, ("other", "fine")),
}


@pytest.mark.parametrize(("value", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_message_is_known_in_every_shape(value: Any, expected: tuple[str, str]) -> None:
    message = parse_message(value)
    assert message is not None
    assert (message.role, message.parts) == (expected[0], (Text(expected[1]),))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "human",
        7,
        {},
        [],
        ["human"],
        ["colour", "red"],
        {"role": "admin"},
        {"content": "hi"},
        {"type": "human"},
        {"type": "function", "name": "f", "parameters": {}},
        lc("ChatPromptTemplate", messages=[]),
        lc("HumanMessage") | {"id": "HumanMessage"},
    ],
    ids=repr,
)
def test_what_is_not_clearly_a_message_is_none(value: Any) -> None:
    assert parse_message(value) is None


CALLS = {
    "langchain": {
        "role": "assistant",
        "tool_calls": [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}],
    },
    "openai": {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
        ],
    },
    "additional_kwargs": lc(
        "AIMessage",
        content="",
        additional_kwargs={
            "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": '{"a":1}'}}]
        },
    ),
    "anthropic": {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}],
    },
    "anthropic, listed twice": {
        "type": "ai",
        "content": [{"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}],
        "tool_calls": [{"name": "add", "args": {"a": 1}, "id": "c1"}],
    },
    "responses": {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "add",
        "arguments": '{"a": 1}',
    },
    "ai sdk": {
        "role": "assistant",
        "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "add", "args": {"a": 1}}],
    },
}


@pytest.mark.parametrize("value", CALLS.values(), ids=CALLS)
def test_a_tool_call_is_known_in_every_shape(value: Any) -> None:
    message = parse_message(value)
    assert message is not None
    assert (message.role, message.parts, message.calls) == (
        "ai",
        (),
        (Call("c1", "add", {"a": 1}),),
    )


def test_arguments_that_are_no_json_stay_text() -> None:
    message = parse_message(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": '{"a": '}}],
        }
    )
    assert message is not None
    assert message.calls[0].arguments == '{"a": '


def test_an_invalid_call_keeps_what_was_wrong_with_it() -> None:
    message = parse_message(
        {
            "type": "ai",
            "content": "",
            "invalid_tool_calls": [{"name": "add", "args": "{", "id": "c1", "error": "not JSON"}],
        }
    )
    assert message is not None
    assert message.calls == (Call("c1", "add", "{", error="not JSON"),)


RESULTS = {
    "langchain": ({"type": "tool", "content": "3", "tool_call_id": "c1"}, CallResult("3")),
    "langchain, failed": (
        {"type": "tool", "content": "no", "tool_call_id": "c1", "status": "error"},
        CallResult("no", is_error=True),
    ),
    "openai": ({"role": "tool", "content": "3", "tool_call_id": "c1"}, CallResult("3")),
    "anthropic": (
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "no", "is_error": True}
            ],
        },
        CallResult("no", is_error=True),
    ),
    "responses": (
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        CallResult("3"),
    ),
    "ai sdk": (
        {
            "role": "tool",
            "content": [
                {
                    "type": "tool-result",
                    "toolCallId": "c1",
                    "output": {"type": "text", "value": "3"},
                }
            ],
        },
        CallResult({"type": "text", "value": "3"}),
    ),
}


@pytest.mark.parametrize(("answer", "expected"), RESULTS.values(), ids=RESULTS)
def test_a_call_and_its_result_become_one(answer: Any, expected: CallResult) -> None:
    messages = parse_messages([CALLS["openai"], answer])
    assert messages is not None
    (paired,) = pair_results(messages)
    assert paired.calls == (Call("c1", "add", {"a": 1}, expected),)


def test_a_result_without_its_call_stays_a_message() -> None:
    messages = parse_messages([{"role": "tool", "content": "3", "tool_call_id": "gone"}])
    assert messages is not None
    assert pair_results(messages) == messages


def test_words_beside_a_result_stay() -> None:
    answer = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "3"},
            {"type": "text", "text": "and now?"},
        ],
    }
    messages = parse_messages([CALLS["anthropic"], answer])
    assert messages is not None
    assert pair_results(messages)[1].parts == (Text("and now?"),)


PARTS = {
    "thinking": ({"type": "thinking", "thinking": "hm", "signature": "x"}, Thinking("hm")),
    "redacted": ({"type": "redacted_thinking", "data": "x"}, Thinking("")),
    "reasoning of LangChain": ({"type": "reasoning", "reasoning": "hm"}, Thinking("hm")),
    "reasoning summary": (
        {
            "type": "reasoning",
            "summary": [
                {"type": "summary_text", "text": "a"},
                {"type": "summary_text", "text": "b"},
            ],
        },
        Thinking("a\n\nb"),
    ),
    "thought of Gemini": ({"text": "hm", "thought": True, "type": "text"}, Thinking("hm")),
    "refusal": ({"type": "refusal", "refusal": "no"}, Text("no")),
    "image of OpenAI": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        InlineImage(f"data:image/png;base64,{PNG}", "image/png", 70),
    ),
    "image of Anthropic, called by a wrong name": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/svg+xml", "data": PNG}},
        InlineImage(f"data:image/png;base64,{PNG}", "image/png", 70),
    ),
    "image of LangChain": (
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": PNG},
        InlineImage(f"data:image/png;base64,{PNG}", "image/png", 70),
    ),
    "remote image": (
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        Attached("image", url="https://example.com/a.png"),
    ),
    "svg is no image": (
        {
            "type": "image_url",
            "image_url": {"url": "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+PC9zdmc+"},
        },
        Attached("image", url="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+PC9zdmc+"),
    ),
    "file": (
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "x"}},
        Attached("file", name="a.pdf"),
    ),
    "unknown": ({"type": "quantum", "spin": 1}, Other({"type": "quantum", "spin": 1})),
}


@pytest.mark.parametrize(("block", "part"), PARTS.values(), ids=PARTS)
def test_a_content_block_becomes_a_part(block: Any, part: Any) -> None:
    message = parse_message({"role": "assistant", "content": [block]})
    assert message is not None
    assert message.parts == (part,)


def test_tokens_name_and_finish_reason_are_read() -> None:
    message = parse_message(
        lc(
            "AIMessage",
            content="hi",
            name="bob",
            id="m1",
            usage_metadata={"input_tokens": 3, "output_tokens": 4},
            response_metadata={"finish_reason": "stop"},
        )
    )
    assert message == Message(
        "ai", "AI", (Text("hi"),), name="bob", id="m1", output_tokens=4, finish_reason="stop"
    )


def test_one_item_that_is_no_message_makes_no_conversation() -> None:
    assert parse_messages([{"role": "user", "content": "hi"}, {"a": 1}]) is None
