"""What the inputs or outputs of a run are: a conversation, documents, words, or just JSON.

The picture never hides anything: what is not in it is `rest`, and the JSON is one click away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from viewer.present.content import Text
from viewer.present.documents import Document, parse_documents
from viewer.present.messages import Message, parse_message, parse_messages

# Keys under which a lone text is prose and not an argument.
TEXT_KEYS = (
    "input",
    "output",
    "question",
    "text",
    "query",
    "answer",
    "prompt",
    "content",
    "result",
    "response",
    "completion",
    "summary",
    "outputs",
    "inputs",
    "__raw__",
)
# Keys that wrap something which may be a picture itself.
WRAPPERS = (
    "output",
    "input",
    "outputs",
    "inputs",
    "message",
    "response",
    "result",
    "value",
    "return_value",
)
# Parts of a model's answer that say nothing beside the messages.
LLM_RESULT_KEYS = {"generations", "llm_output", "llmOutput", "run", "type"}
MAX_DEPTH = 4  # of wrappers


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, and the keys beside them (a graph's state has more than messages)."""

    messages: tuple[Message, ...]
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Documents:
    """What a retriever or a reranker found, in its order."""

    documents: tuple[Document, ...]
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prose:
    """Words: usually one text, several where a model got several prompts."""

    texts: tuple[str, ...]
    rest: Mapping[str, Any]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Json:
    """Anything else."""

    value: Any


@dataclass(frozen=True, slots=True)
class Nothing:
    """`{}`, null, or not there."""


Payload = Conversation | Documents | Prose | Json | Nothing
Picture = Conversation | Documents | Prose


def read_payload(value: Any) -> Payload:
    """Return the best picture of a run's inputs or outputs."""
    if value is None or value in ({}, [], ""):
        return Nothing()
    return _picture(value, MAX_DEPTH) or Json(value)


def _picture(value: Any, depth: int) -> Picture | None:
    if depth == 0:
        return None
    if isinstance(value, str):
        return Prose((value,), {})
    if isinstance(value, list):
        return _picture_of_list(value)
    if not isinstance(value, dict):
        return None
    message = parse_message(value)
    if message is not None:
        return Conversation((message,), {})
    for reader in _READERS:
        picture = reader(value)
        if picture is not None:
            return picture
    return _unwrap(value, depth) or _prose(value)


def _picture_of_list(value: list[Any]) -> Picture | None:
    messages = parse_messages(value)
    if messages:
        return Conversation(tuple(messages), {})
    if len(value) == 1 and isinstance(
        value[0], list
    ):  # LangChain hands a chat model a batch of one
        return _picture_of_list(value[0])
    documents = parse_documents(value)
    return Documents(tuple(documents), {}) if documents else None


# --- One reader a shape ---------------------------------------------------------------------------


def _state(value: dict[str, Any]) -> Picture | None:
    """`messages` and what else a graph's state or a request to a model holds."""
    for key in ("messages", "contents"):  # Gemini says contents
        picture = _picture_of_list(value[key]) if isinstance(value.get(key), list) else None
        if isinstance(picture, Conversation):
            rest = _without(value, key)
            system = rest.pop("system", None) or rest.pop("instructions", None)
            first = _system_message(system)
            return Conversation((*first, *picture.messages), rest)
    return None


def _responses_request(value: dict[str, Any]) -> Picture | None:
    """OpenAI's Responses API: `instructions` and `input`, a text or a list of items."""
    if not isinstance(value.get("instructions"), str) or "input" not in value:
        return None
    given = value["input"]
    messages = (
        [Message("human", "Human", _words(given))]
        if isinstance(given, str)
        else parse_messages(given)
    )
    if messages is None:
        return None
    first = _system_message(value["instructions"])
    return Conversation((*first, *messages), _without(value, "instructions", "input"))


def _generations(value: dict[str, Any]) -> Picture | None:
    """LangChain's LLMResult: a list of answers for each prompt."""
    batches = value.get("generations")
    if not isinstance(batches, list) or not batches:
        return None
    flat = [item for batch in batches for item in (batch if isinstance(batch, list) else [batch])]
    messages = [_generation(item) for item in flat]
    if not messages or any(message is None for message in messages):
        return None
    rest = {key: item for key, item in value.items() if key not in LLM_RESULT_KEYS}
    return Conversation(tuple(message for message in messages if message), rest)


def _generation(item: Any) -> Message | None:
    if not isinstance(item, dict):
        return None
    message = parse_message(item.get("message"))
    if message is None and isinstance(item.get("text"), str):
        message = Message("ai", "AI", _words(item["text"]))
    generation = item.get("generation_info") or item.get("generationInfo")
    reason = generation.get("finish_reason") if isinstance(generation, dict) else None
    return message and _with_finish_reason(message, reason)


def _choices(value: dict[str, Any]) -> Picture | None:
    """OpenAI's chat completion, or Gemini's candidates."""
    for key, inner in (("choices", "message"), ("choices", "delta"), ("candidates", "content")):
        items = value.get(key)
        if not isinstance(items, list) or not items:
            continue
        messages = []
        for item in items:
            held = item.get(inner) if isinstance(item, dict) else None
            message = parse_message(held)
            if message is None:
                break
            reason = item.get("finish_reason") or item.get("finishReason")
            messages.append(_with_finish_reason(message, reason))
        else:
            return Conversation(tuple(messages), _without(value, key))
    return None


def _prompt_value(value: dict[str, Any]) -> Picture | None:
    """LangChain's ChatPromptValue and StringPromptValue, as constructors."""
    kwargs = value.get("kwargs")
    if value.get("type") != "constructor" or not isinstance(kwargs, dict):
        return None
    if "messages" in kwargs:
        return _state({"messages": kwargs["messages"]})
    documents = parse_documents([value])
    if documents:
        return Documents(tuple(documents), {})
    return Prose((kwargs["text"],), {}) if isinstance(kwargs.get("text"), str) else None


def _command(value: dict[str, Any]) -> Picture | None:
    """LangGraph's Command: an update of the state and where to go."""
    update = value.get("update")
    if not isinstance(update, dict) or not ("goto" in value or "graph" in value):
        return None
    picture = _state(update)
    if not isinstance(picture, Conversation):
        return None
    return Conversation(picture.messages, {**picture.rest, **_without(value, "update")})


def _found_documents(value: dict[str, Any]) -> Picture | None:
    for key in ("documents", "docs", "source_documents", "retrieval.documents"):
        documents = parse_documents(value.get(key))
        if documents:
            return Documents(tuple(documents), _without(value, key))
    return None


def _prompts(value: dict[str, Any]) -> Picture | None:
    """What a plain-text model got: one text for each answer that is wanted."""
    prompts = value.get("prompts")
    if (
        not isinstance(prompts, list)
        or not prompts
        or not all(isinstance(prompt, str) for prompt in prompts)
    ):
        return None
    return Prose(tuple(prompts), _without(value, "prompts"))


_READERS: tuple[Callable[[dict[str, Any]], Picture | None], ...] = (
    _responses_request,
    _state,
    _generations,
    _choices,
    _prompt_value,
    _command,
    _found_documents,
    _prompts,
)


# --- Wrappers and words ---------------------------------------------------------------------------


def _unwrap(value: dict[str, Any], depth: int) -> Picture | None:
    """`{"output": {…}}`: a picture in a wrapper; other keys stay beside it."""
    for key in WRAPPERS:
        inner = value.get(key)
        if not isinstance(inner, (dict, list)):
            continue
        picture = _picture(inner, depth - 1)
        if picture is None or (isinstance(picture, Prose) and picture.rest):
            continue
        return _with_rest(picture, _without(value, key))
    return None


def _prose(value: dict[str, Any]) -> Picture | None:
    for key in TEXT_KEYS:
        if isinstance(value.get(key), str):
            return Prose((value[key],), _without(value, key), label=key)
    return None


def _with_rest(picture: Picture, rest: Mapping[str, Any]) -> Picture:
    return replace(picture, rest={**picture.rest, **rest})


# --- Small pieces ---------------------------------------------------------------------------------


def _words(text: str) -> tuple[Text, ...]:
    return (Text(text),) if text else ()


def _with_finish_reason(message: Message, reason: Any) -> Message:
    known = message.finish_reason or not isinstance(reason, str)
    return message if known else replace(message, finish_reason=reason)


def _system_message(value: Any) -> tuple[Message, ...]:
    if not value:
        return ()
    message = parse_message({"role": "system", "content": value})
    return (message,) if message else ()


def _without(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in keys}
