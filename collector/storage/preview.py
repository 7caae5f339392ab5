"""One line that tells a reader what went in or came out of a run.

Not a renderer: it looks for the words (a message's text, a tool call, documents) in the shapes that
LangChain, OpenAI and Anthropic payloads have (LangSmith protocol 4.5), and falls back to compact JSON.
"""

from __future__ import annotations

from typing import Any

import orjson

PREVIEW_CHARACTERS = 160  # previews are the largest part of a run's row
_TEXT_KEYS = (
    "input",
    "output",
    "question",
    "query",
    "text",
    "answer",
    "content",
    "result",
    "prompt",
    "messages",
    "update",  # of a LangGraph Command
)


def preview(value: Any, *, is_growing: bool = False) -> str | None:
    """Return the preview, at most PREVIEW_CHARACTERS long, or None where there is nothing to show.

    Of what is still growing it is the end.
    """
    text = _words(value, 0)
    if text is None:
        text = _compact(value)
    return _one_line(text, is_growing=is_growing) or None


def _one_line(text: str, *, is_growing: bool) -> str:
    # Cut before splitting: a 10 MB string must not be split into words for 160 characters.
    most = PREVIEW_CHARACTERS * 4
    part = text[-most:] if is_growing else text[:most]
    line = " ".join(part.replace("\0", "\ufffd").split())
    if len(line) > PREVIEW_CHARACTERS:
        kept = PREVIEW_CHARACTERS - 1
        line = f"…{line[-kept:]}" if is_growing else f"{line[:kept]}…"
    return line.encode("utf-8", "replace").decode()


def _words(value: Any, depth: int) -> str | None:
    if depth > 6:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _object_words(value, depth)
    if isinstance(value, list):
        return _list_words(value, depth)
    return None


def _object_words(value: dict[str, Any], depth: int) -> str | None:
    if not value:
        return ""
    message = _message_words(value, depth)
    if message is not None:
        return message
    for key in ("generations", "choices"):
        if isinstance(value.get(key), list):
            return _words(value[key], depth + 1)
    documents = value.get("documents")
    if isinstance(documents, list):
        return _documents_words(documents)
    for key in _TEXT_KEYS:
        if value.get(key):
            return _words(value[key], depth + 1)
    if len(value) == 1:
        only = next(iter(value.values()))
        return _words(only, depth + 1) if isinstance(only, (dict, list, str)) else None
    return None


def _message_words(value: dict[str, Any], depth: int) -> str | None:
    """Return the words of a message in any of its shapes, or None where `value` is none."""
    if value.get("lc") == 1 and isinstance(value.get("kwargs"), dict):
        kwargs = value["kwargs"]
        return (
            _message_words({"type": "", **kwargs}, depth)
            if "content" in kwargs
            else _words(kwargs, depth + 1)
        )
    if isinstance(value.get("message"), dict):  # a generation or an OpenAI choice
        return _message_words(value["message"], depth + 1)
    inner = value.get("data")
    if (
        "content" not in value
        and "type" in value
        and isinstance(inner, dict)
        and "content" in inner
    ):
        return _message_words({"type": "", **inner}, depth + 1)  # LangChain's message_to_dict
    if "content" not in value or not ({"role", "type", "tool_calls"} & value.keys()):
        return None
    text = _content_words(value["content"])
    if text:
        return text
    calls = value.get("tool_calls")
    more = value.get("additional_kwargs")
    if not calls and isinstance(more, dict):
        calls = more.get("tool_calls")
    return _calls_words(calls) if isinstance(calls, list) and calls else ""


def _content_words(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    words = []
    for block in content[:20]:
        if isinstance(block, str):
            words.append(block)
        elif isinstance(block, dict):
            if isinstance(block.get("text"), str):
                words.append(block["text"])
            elif block.get("type") == "tool_use":
                words.append(f"{block.get('name')}(…)")
            elif isinstance(block.get("content"), str):
                words.append(block["content"])
    return " ".join(words)


def _calls_words(calls: list[Any]) -> str:
    words = []
    for call in calls[:5]:
        if not isinstance(call, dict):
            continue
        inner = call.get("function")
        function = inner if isinstance(inner, dict) else call
        arguments = _arguments(function.get("args", function.get("arguments", {})))
        if isinstance(arguments, dict):
            arguments = ", ".join(
                f"{key}={_short(item)}" for key, item in list(arguments.items())[:4]
            )
        words.append(f"{function.get('name')}({str(arguments)[:80]})")
    return ", ".join(words)


def _arguments(value: Any) -> Any:
    """Return what OpenAI's text of arguments says; text that is long, or says no object, as it is."""
    if not isinstance(value, str) or len(value) > PREVIEW_CHARACTERS * 4:
        return value
    try:
        arguments = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return arguments if isinstance(arguments, dict) else value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else _compact(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _documents_words(documents: list[Any]) -> str:
    count = f"{len(documents)} document{'' if len(documents) == 1 else 's'}"
    first = documents[0] if documents else None
    if isinstance(first, dict):
        if isinstance(first.get("kwargs"), dict):
            first = first["kwargs"]
        text = first.get("page_content") or first.get("content")
        if isinstance(text, str):
            return f"{count}: {text}"
    return count


def _list_words(value: list[Any], depth: int) -> str | None:
    """Return the words of the last item that has any: the newest message of a conversation."""
    for item in reversed(value[-8:]):
        if (
            isinstance(item, list)
            and len(item) == 2
            and all(isinstance(part, str) for part in item)
        ):
            return str(item[1])  # ["human", "text"]
        words = _words(item, depth + 1)
        if words:
            return words
    return None if value else ""


def _compact(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and len(value) > 20:
        value = value[:20]
    try:
        return orjson.dumps(value, default=str)[: PREVIEW_CHARACTERS * 8].decode("utf-8", "ignore")
    except (orjson.JSONEncodeError, RecursionError):
        return str(type(value).__name__)
