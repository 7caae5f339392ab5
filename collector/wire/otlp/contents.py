"""Attributes and events → a run's inputs and outputs. Of several that say them, the first wins, by protocol 7.2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from collector.wire.otlp.attributes import Sorted, decoded, embed, is_json_like
from collector.wire.otlp.messages import (
    CHOICE,
    Message,
    nested,
    read_calls,
    read_event,
    read_groups,
    read_list,
    system_message,
)
from collector.wire.otlp.spans import Event

# One event that holds what the attributes of the newest convention may also hold.
_DETAILS_EVENT = "gen_ai.client.inference.operation.details"
_DETAILS = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
_CONTENT_EVENTS = {
    "gen_ai.content.prompt": "gen_ai.prompt",
    "gen_ai.content.completion": "gen_ai.completion",
}


class Side(NamedTuple):
    """The names by which conventions know the inputs, or the outputs."""

    role: str  # of a message that names none
    key: str  # what a value that is no object is wrapped in
    groups: tuple[str, ...]
    whole: tuple[str, ...]


INPUTS = Side(
    role="user",
    key="input",
    groups=("gen_ai.prompt", "llm.input_messages"),
    whole=(
        "input.value", "traceloop.entity.input", "gen_ai.prompt", "prompt", "tool_arguments",
        "gen_ai.input.messages", "ai.prompt.messages", "ai.prompt",
        "gen_ai.tool.call.arguments", "ai.toolCall.args", "gen_ai.retrieval.query.text",
        "ai.value", "ai.values",
    ),
)  # fmt: skip
OUTPUTS = Side(
    role="assistant",
    key="output",
    groups=("gen_ai.completion", "llm.output_messages"),
    whole=(
        "output.value", "traceloop.entity.output", "gen_ai.completion", "all_messages_events",
        "gen_ai.output.messages", "ai.response.text", "ai.response.object", "ai.toolCall.result",
        "gen_ai.tool.call.result", "final_result", "tool_response", "ai.embedding", "ai.embeddings",
    ),
)  # fmt: skip
_MIME_TYPES = {"input.value": "input.mime_type", "output.value": "output.mime_type"}

Payload = dict[str, Any] | msgspec.Raw  # an object


class Contents(NamedTuple):
    """What went in and came out, None where nobody says, and the events that said nothing of it."""

    inputs: Payload | None
    outputs: Payload | None
    events: list[Event]


def find_contents(found: Sorted, events: list[Event]) -> Contents:
    """Take out what says inputs and outputs."""
    events = _take_content_events(found, events)
    inputs = _find(found, INPUTS)
    outputs = _documents(found) or _ai_answer(found) or _find(found, OUTPUTS)
    if inputs is None or outputs is None:
        said, answered, events = _from_messages(found, events, inputs, outputs)
        inputs, outputs = inputs or said, outputs or answered
    return Contents(inputs, outputs, events)


def _find(found: Sorted, side: Side) -> Payload | None:
    for prefix in side.groups:
        groups = found.groups.pop(prefix, None)
        if groups:
            return {"messages": read_groups(groups, side.role)}
    for name in side.whole:
        value = found.take(name)
        if value is None:
            continue
        reader = _READERS.get(name)
        if reader is not None:
            return reader(found, value)
        return _object(value, side, found.take(_MIME_TYPES.get(name, "")))
    return None


def _object(value: Any, side: Side, mime_type: Any = None) -> Payload:
    """Return the object that `value` is, or one that holds it."""
    raw = value
    if isinstance(value, str):
        if mime_type == "application/json" and not is_json_like(value):
            raw = value = _scalar(value)
        elif mime_type != "text/plain":
            raw = embed(value)
            if isinstance(raw, msgspec.Raw) and value.lstrip().startswith("{"):
                return raw
            value = decoded(value)
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and (messages := read_list(value, side.role)):
        return {"messages": messages}
    return {side.key: raw}


def _scalar(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _input_messages(found: Sorted, value: Any) -> Payload:
    """Read `gen_ai.input.messages`, and the instructions that stand before them."""
    payload = _object(decoded(value), INPUTS)
    system = system_message(found.take("gen_ai.system_instructions"))
    if system and isinstance(payload, dict) and isinstance(payload.get("messages"), list):
        return {**payload, "messages": [*system, *payload["messages"]]}
    return payload


def _output_messages(found: Sorted, value: Any) -> Payload:
    return _object(decoded(value), OUTPUTS)


def _logfire_messages(found: Sorted, value: Any) -> Payload:
    """Read `all_messages_events`: a whole conversation, as events."""
    value = decoded(value)
    messages = _event_messages(value)
    return {"messages": [message for _, message in messages]} if messages else {"output": value}


_READERS: dict[str, Callable[[Sorted, Any], Payload]] = {
    "gen_ai.input.messages": _input_messages,
    "gen_ai.output.messages": _output_messages,
    "all_messages_events": _logfire_messages,
}


def _documents(found: Sorted) -> Payload | None:
    """Return what a retriever or reranker found, in LangChain's form of documents."""
    groups = found.groups.pop("retrieval.documents", None) or found.groups.pop(
        "reranker.output_documents", None
    )
    if not groups:
        listed = decoded(found.take("gen_ai.retrieval.documents"))
        return None if listed is None else {"documents": listed}
    documents = []
    for _, group in sorted(groups.items()):
        fields = nested(group).get("document")
        if not isinstance(fields, dict):
            continue
        document: dict[str, Any] = {
            "type": "Document",
            "page_content": fields.pop("content", ""),
            "metadata": decoded(fields.pop("metadata", None)) or {},
        }
        documents.append({**document, **fields})
    return {"documents": documents}


def _ai_answer(found: Sorted) -> Payload | None:
    """Return the answer of a model that the Vercel AI SDK called with tools."""
    calls = read_calls(found.plain.get("ai.response.toolCalls"))
    text = found.plain.get("ai.response.text")
    if not calls and not (isinstance(text, str) and text):
        return None
    found.take("ai.response.toolCalls")
    found.take("ai.response.text")
    message: Message = {"role": "assistant", "content": text or ""}
    if calls:
        message["tool_calls"] = calls
    return {"messages": [message]}


def _take_content_events(found: Sorted, events: list[Event]) -> list[Event]:
    """Read events that hold what others hold in attributes, as those; return the rest."""
    if not events:
        return events
    left = []
    for event in events:
        attributes = event.attributes
        name = _CONTENT_EVENTS.get(event.name)
        if event.name == _DETAILS_EVENT and not attributes.keys().isdisjoint(_DETAILS):
            for key, value in attributes.items():
                found.plain.setdefault(key, value)
        elif name is not None and name in attributes and name not in found.plain:
            found.plain[name] = attributes[name]
        else:
            left.append(event)
    return left


def _from_messages(
    found: Sorted, events: list[Event], inputs: Payload | None, outputs: Payload | None
) -> tuple[Payload | None, Payload | None, list[Event]]:
    """Return what message events say, of the span or in Logfire's attribute `events`; and other events."""
    said: list[Message] = []
    answered: list[Message] = []
    left = []
    for event in events:
        message = read_event(event.name, event.attributes)
        is_answer = event.name == CHOICE
        if message is None or (outputs if is_answer else inputs) is not None:
            left.append(event)
        else:
            (answered if is_answer else said).append(message)
    if not (said or answered):
        for name, message in _event_messages(decoded(found.plain.get("events"))):
            (answered if name == CHOICE else said).append(message)
        if said or answered:
            found.take("events")
    return (
        {"messages": said} if said else None,
        {"messages": answered} if answered else None,
        left,
    )


def _event_messages(values: Any) -> list[tuple[str, Message]]:
    if not isinstance(values, list):
        return []
    named: Iterable[tuple[str, dict[str, Any]]] = (
        (str(value.get("event.name")), value) for value in values if isinstance(value, dict)
    )
    return [
        (name, message) for name, value in named if (message := read_event(name, value)) is not None
    ]
