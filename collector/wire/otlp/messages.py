"""Messages in the forms that conventions have for them → OpenAI's form of a chat message.

{"role": "assistant", "content": "…" or […blocks], "tool_calls": [{"id", "type", "function": {…}}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collector.wire.otlp.attributes import Groups, decoded

Message = dict[str, Any]

MAX_NAME_LEVELS = 16  # of one attribute's name: what is deeper keeps its dots
_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE = "gen_ai.choice"
_NOT_SAID = ("gen_ai.", "event.")  # of an event's attributes: what is no part of the message


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Undo dotted names: `{"a.0.b": 1}` → `{"a": [{"b": 1}]}`."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".", MAX_NAME_LEVELS)
        holder = root
        for key in path:
            below = holder.setdefault(key, {})
            if not isinstance(below, dict):
                break
            holder = below
        else:
            if not isinstance(holder.get(last), dict):
                holder[last] = value
                continue
        root[name] = value  # where `a` and `a.b` are both given
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {key: _listed(item) for key, item in value.items()}
    if items and all(key.isascii() and key.isdecimal() and len(key) < 10 for key in items):
        return [item for _, item in sorted(items.items(), key=lambda pair: int(pair[0]))]
    return items


def read_groups(groups: Groups, role: str) -> list[Message]:
    """Return messages of numbered attributes: `0.role`, `0.message.contents.1.message_content.text` …."""
    return [
        read_message(_unwrapped(nested(group), "message"), role)
        for _, group in sorted(groups.items())
    ]


def read_list(values: list[Any], role: str) -> list[Any] | None:
    """Return a list of messages in OpenAI's form, or None where an item is no message."""
    messages: list[Any] = []
    for value in values:
        if not isinstance(value, dict) or not isinstance(value.get("role"), str):
            return None
        if isinstance(value.get("parts"), list):
            messages += _read_parts(value, role)
        elif "content" in value or "tool_calls" in value:
            messages.append(value)
        else:
            return None
    return messages or None


def read_message(value: Mapping[str, Any], role: str) -> Message:
    """Return one message of traceloop's or OpenInference's attributes, or of an event."""
    message = dict(value)
    message["role"] = str(message.get("role") or role).lower()
    contents = message.pop("contents", None)
    if isinstance(contents, list):
        message["content"] = _blocks(contents)
    else:
        message["content"] = _content(message.get("content"))
    calls = read_calls(message.pop("tool_calls", None))
    name = message.pop("function_call_name", None)
    if name:
        arguments = message.pop("function_call_arguments_json", None)
        calls.append(function_call(None, name, arguments))
    if calls:
        message["tool_calls"] = calls
    return message


def read_event(name: str, fields: Mapping[str, Any]) -> Message | None:
    """Return the message of a span event (or of an item of Logfire's list), or None where it is none."""
    role = _EVENT_ROLES.get(name, "assistant" if name == CHOICE else "")
    if not role:
        return None
    inner = decoded(fields.get("gen_ai.event.content"))
    body = nested({key: item for key, item in fields.items() if not key.startswith(_NOT_SAID)})
    if isinstance(inner, dict):
        body.update(inner)
    if name == CHOICE:
        said = decoded(body.pop("message", None))
        body.pop("index", None)
        body.update(said if isinstance(said, dict) else {"content": said} if said else {})
    if role == "tool" and "id" in body:
        body["tool_call_id"] = body.pop("id")
    return read_message(body, role)


def function_call(id_: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """Return one call of a tool. `arguments` may be JSON text or the value itself."""
    function = {"name": name, "arguments": {} if arguments is None else arguments}
    call = {"type": "function", "function": function}
    return call if id_ is None else {"id": id_, **call}


def system_message(instructions: Any) -> list[Message]:
    """Return `gen_ai.system_instructions` (a list of parts, or text) as a message."""
    value = decoded(instructions)
    if isinstance(value, str) and value:
        return [{"role": "system", "content": value}]
    if isinstance(value, list) and value:
        return _read_parts({"role": "system", "parts": value}, "system")
    return []


def _content(content: Any) -> Any:
    """Return text as it is, and blocks where the text is JSON of them."""
    value = decoded(content)
    if isinstance(value, list) and all(isinstance(item, dict) and "type" in item for item in value):
        return value
    return content


def _call(value: Mapping[str, Any]) -> dict[str, Any]:
    call = _unwrapped(value, "tool_call")
    function = call.get("function")
    body = function if isinstance(function, dict) else call
    name = body.get("name") or call.get("toolName")
    id_ = call.get("id") or call.get("toolCallId")
    arguments = body.get("arguments", body.get("args", body.get("input")))
    return function_call(id_, name, arguments)


def read_calls(values: Any) -> list[dict[str, Any]]:
    """Return the calls of a list, or of JSON text of one: OpenAI's, LangChain's or the AI SDK's."""
    values = decoded(values)
    if not isinstance(values, list):
        return []
    return [_call(item) for item in map(decoded, values) if isinstance(item, dict)]


def _blocks(contents: Iterable[Any]) -> list[Any]:
    """Return OpenInference's `message.contents` as content blocks."""
    blocks = []
    for item in contents:
        block = _unwrapped(item, "message_content") if isinstance(item, dict) else item
        if not isinstance(block, dict):
            blocks.append(block)
            continue
        kind = block.get("type")
        media = block.get(kind) if isinstance(kind, str) else None
        media = _unwrapped(media, str(kind)) if isinstance(media, dict) else None
        if media is None:
            blocks.append(block)
        elif kind == "image":
            blocks.append({"type": "image_url", "image_url": {"url": media.get("url")}})
        else:
            blocks.append({"type": kind, **media})
    return blocks


def _read_parts(value: Mapping[str, Any], role: str) -> list[Message]:
    """Return a message of semconv's `parts`: a tool's answers in it are messages of their own."""
    blocks: list[Any] = []
    calls: list[dict[str, Any]] = []
    answers: list[Message] = []
    for part in value["parts"]:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "tool_call":
            calls.append(function_call(part.get("id"), part.get("name"), part.get("arguments")))
        elif kind == "tool_call_response":
            answers.append(_tool_answer(part))
        else:
            blocks.append(_part_block(part) if isinstance(part, dict) else part)
    if answers and not (blocks or calls):
        return answers
    message = {key: item for key, item in value.items() if key != "parts"}
    message["role"] = str(value.get("role") or role).lower()
    message["content"] = _simplest(blocks)
    if calls:
        message["tool_calls"] = calls
    return [message, *answers]


def _simplest(blocks: list[Any]) -> Any:
    if len(blocks) == 1 and isinstance(blocks[0], dict) and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks or ""


def _tool_answer(part: Mapping[str, Any]) -> Message:
    answer = part.get("response", part.get("result"))
    if not isinstance(answer, str | list):
        answer = msgspec.json.encode(answer).decode()
    return {"role": "tool", "tool_call_id": part.get("id"), "content": answer}


def _part_block(part: dict[str, Any]) -> dict[str, Any]:
    kind, content = part.get("type"), part.get("content")
    if kind == "text" and content is not None:
        return {"type": "text", "text": content}
    if kind == "reasoning" and content is not None:
        return {"type": "reasoning", "reasoning": content}
    if kind in ("blob", "uri"):
        modality = part.get("modality") or "file"
        url = part.get("uri") if kind == "uri" else f"data:{part.get('mime_type')};base64,{content}"
        if modality == "image":
            return {"type": "image_url", "image_url": {"url": url}}
        return {"type": modality, "url": url, "mime_type": part.get("mime_type")}
    return part


def _unwrapped(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return `value[key]`, where conventions put an object into one of its own kind's name."""
    inner = value.get(key)
    return inner if isinstance(inner, dict) else value
