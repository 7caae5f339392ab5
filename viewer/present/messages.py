"""Messages of a conversation, in one form, from all the shapes that clients send.

`parse_message` knows LangChain (constructor, flat, `data`, tuple), OpenAI (chat and Responses),
Anthropic, Gemini and the Vercel AI SDK. It refuses to guess: what is not clearly a message is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from viewer.present.content import (
    Call,
    CallResult,
    Content,
    Part,
    Text,
    Thinking,
    as_text,
    read_call,
    read_content,
    read_thinking,
)

ROLES = {
    "human": "human",
    "user": "human",
    "humanmessage": "human",
    "humanmessagechunk": "human",
    "ai": "ai",
    "assistant": "ai",
    "model": "ai",
    "aimessage": "ai",
    "aimessagechunk": "ai",
    "system": "system",
    "developer": "system",
    "systemmessage": "system",
    "systemmessagechunk": "system",
    "tool": "tool",
    "toolmessage": "tool",
    "toolmessagechunk": "tool",
    "function": "tool",
    "functionmessage": "tool",
    "functionmessagechunk": "tool",
    "chat": "other",
    "chatmessage": "other",
    "chatmessagechunk": "other",
    "remove": "remove",
    "removemessage": "remove",
}
WORDS = {"human": "Human", "ai": "AI", "system": "System", "tool": "Tool", "remove": "Removed"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `results` are answers to calls of earlier messages (Anthropic puts them in a user's)."""

    role: str  # human, ai, system, tool, remove or other
    word: str  # what the margin says
    parts: tuple[Part, ...] = ()
    calls: tuple[Call, ...] = ()
    results: tuple[tuple[str, CallResult], ...] = ()
    name: str = ""
    id: str = ""
    output_tokens: int | None = None
    finish_reason: str = ""


def parse_message(value: Any) -> Message | None:
    """Return the message that `value` is, or None."""
    if isinstance(value, (list, tuple)):
        return _parse_pair(value)
    if not isinstance(value, dict):
        return None
    if value.get("type") == "constructor" and "kwargs" in value:
        return _parse_constructor(value)
    kind = value.get("type")
    if isinstance(kind, str):
        inner = value.get("data")
        if kind in ROLES and isinstance(inner, dict) and "content" in inner:
            return _build(ROLES[kind], {"type": kind, **inner})
        if kind in _RESPONSE_ITEMS:
            return _RESPONSE_ITEMS[kind](value)
    role = value.get("role")
    if isinstance(role, str) and ("content" in value or "parts" in value or "tool_calls" in value):
        return _build(ROLES.get(role.lower(), "other"), value)
    if isinstance(kind, str) and kind.lower() in ROLES and ("content" in value or kind == "remove"):
        return _build(ROLES[kind.lower()], value)
    return None


def parse_messages(values: Any) -> list[Message] | None:
    """Return the messages of a list in which every item is one, else None."""
    if not isinstance(values, (list, tuple)) or not values:
        return None
    messages = []
    for value in values:
        message = parse_message(value)
        if message is None:
            return None
        messages.append(message)
    return messages


def pair_results(messages: Sequence[Message]) -> list[Message]:
    """Give each result to the call that it answers; a message that held nothing else disappears.

    A result whose call is not among the messages stays where it is.
    """
    wanted = {call.id for message in messages for call in message.calls if call.id}
    answers: dict[str, CallResult] = {}
    for message in messages:
        for call_id, result in message.results:
            if call_id in wanted:
                answers.setdefault(call_id, result)
    paired = []
    for message in messages:
        left = tuple(item for item in message.results if item[0] not in wanted)
        if message.results and not (left or message.parts or message.calls):
            continue
        calls = tuple(replace(call, result=answers.get(call.id)) for call in message.calls)
        paired.append(replace(message, calls=calls, results=left))
    return paired


# --- Whole messages -------------------------------------------------------------------------------


def _parse_pair(value: Sequence[Any]) -> Message | None:
    """`["human", "Hello"]`, as LangChain lets people write messages."""
    if len(value) != 2 or not isinstance(value[0], str) or value[0].lower() not in ROLES:
        return None
    if not isinstance(value[1], (str, list)):
        return None
    return _build(ROLES[value[0].lower()], {"content": value[1]})


def _parse_constructor(value: Mapping[str, Any]) -> Message | None:
    """LangChain's serialised object: the class says the role (JS leaves `type` out)."""
    path, kwargs = value.get("id"), value.get("kwargs")
    if not isinstance(path, list) or not path or not isinstance(kwargs, dict):
        return None
    role = ROLES.get(str(path[-1]).lower())
    return _build(role, kwargs) if role and str(path[-1]).lower().startswith(_CLASSES) else None


_CLASSES = ("human", "ai", "system", "tool", "function", "chatmessage", "remove")


def _build(role: str, value: Mapping[str, Any]) -> Message:
    content = read_content(value["content"] if "content" in value else value.get("parts"))
    extra = value.get("additional_kwargs")
    extra = extra if isinstance(extra, dict) else {}
    thoughts = (
        value.get("reasoning_content") or extra.get("reasoning_content") or value.get("reasoning")
    )
    if isinstance(thoughts, str) and not any(isinstance(part, Thinking) for part in content.parts):
        content.parts.insert(0, Thinking(thoughts))
    refusal = value.get("refusal") or extra.get("refusal")
    if isinstance(refusal, str):
        content.parts.append(Text(refusal))
    calls = _merge_calls(_read_calls(value, extra), content.calls)
    parts, results = content.parts, content.results
    if role == "tool":
        parts, results = _read_tool_message(value, content)
    return Message(
        role=role,
        word=WORDS.get(role) or as_text(value.get("role")) or "Message",
        parts=tuple(parts),
        calls=tuple(calls),
        results=tuple(results),
        name=as_text(value.get("name")),
        id=as_text(value.get("id")),
        output_tokens=_read_output_tokens(value),
        finish_reason=_read_finish_reason(value),
    )


def _read_tool_message(
    value: Mapping[str, Any], content: Content
) -> tuple[list[Part], list[tuple[str, CallResult]]]:
    """A message that is one result, or, from the AI SDK, that holds several."""
    call_id = as_text(value.get("tool_call_id"))
    if not call_id:
        return content.parts, content.results
    result = CallResult(value.get("content"), is_error=value.get("status") == "error")
    return [], [(call_id, result)]


def _read_output_tokens(value: Mapping[str, Any]) -> int | None:
    for key, name in (
        ("usage_metadata", "output_tokens"),
        ("usage", "output_tokens"),
        ("usage", "completion_tokens"),
    ):
        usage = value.get(key)
        if isinstance(usage, dict):
            count = usage.get(name)
            if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                return count
    return None


def _read_finish_reason(value: Mapping[str, Any]) -> str:
    metadata = value.get("response_metadata")
    for holder in (value, metadata if isinstance(metadata, dict) else {}):
        for key in ("finish_reason", "stop_reason", "finishReason", "done_reason"):
            if isinstance(holder.get(key), str):
                return str(holder[key])
    return ""


def _read_calls(value: Mapping[str, Any], extra: Mapping[str, Any]) -> list[Call]:
    listed = value.get("tool_calls") or extra.get("tool_calls")
    calls = (
        [read_call(item) for item in listed if isinstance(item, dict)]
        if isinstance(listed, list)
        else []
    )
    invalid = value.get("invalid_tool_calls")
    if isinstance(invalid, list):
        calls += [read_call(item) for item in invalid if isinstance(item, dict)]
    old = value.get("function_call") or extra.get("function_call")
    if isinstance(old, dict):
        calls.append(read_call(old))
    return calls


def _merge_calls(listed: list[Call], blocks: list[Call]) -> list[Call]:
    """LangChain lists Anthropic's calls twice: in `tool_calls` and as content blocks."""
    known = {call.id for call in listed if call.id}
    return listed + [call for call in blocks if call.id not in known]


# --- Items of OpenAI's Responses API --------------------------------------------------------------


def _item_message(item: Mapping[str, Any]) -> Message | None:
    role = item.get("role")
    return (
        _build(ROLES.get(role, "other"), item)
        if isinstance(role, str) and "content" in item
        else None
    )


def _item_call(item: Mapping[str, Any]) -> Message | None:
    return Message(
        role="ai",
        word="AI",
        calls=(read_call({**item, "id": item.get("call_id") or item.get("id")}),),
    )


def _item_result(item: Mapping[str, Any]) -> Message | None:
    if "output" not in item:
        return None
    result = CallResult(item["output"])
    return Message(role="tool", word="Tool", results=((as_text(item.get("call_id")), result),))


def _item_reasoning(item: Mapping[str, Any]) -> Message | None:
    if "summary" not in item and "content" not in item and "encrypted_content" not in item:
        return None
    content = Content()
    read_thinking(item, content)
    return Message(role="ai", word="AI", parts=tuple(content.parts))


_RESPONSE_ITEMS = {
    "message": _item_message,
    "function_call": _item_call,
    "function_call_output": _item_result,
    "reasoning": _item_reasoning,
}
