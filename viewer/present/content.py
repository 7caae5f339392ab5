"""What a message consists of: content blocks and tool calls, in one form for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from viewer.present.images import InlineImage, parse_image

MAX_ARGUMENTS_CHARS = 1 << 20  # arguments longer than this stay the text that they are


@dataclass(frozen=True, slots=True)
class Text:
    """Words of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a model thought before it spoke. Empty text: the provider encrypted it."""

    text: str


@dataclass(frozen=True, slots=True)
class Attached:
    """Something that is named but not shown: a remote image, a file, audio."""

    kind: str
    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A content block of a kind that has no picture of its own."""

    value: Any


Part = Text | Thinking | InlineImage | Attached | Other


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a tool gave back. `value` is the content as it came: text, content blocks or JSON."""

    value: Any
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `arguments` is parsed where it is JSON, else the text that the model wrote."""

    id: str
    name: str
    arguments: Any
    result: CallResult | None = None
    error: str = ""


@dataclass(slots=True)
class Content:
    """What the content blocks of one message come to."""

    parts: list[Part] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[tuple[str, CallResult]] = field(default_factory=list)


def read_content(value: Any) -> Content:
    """Return what a message's content, in whatever form, comes to."""
    content = Content()
    if value is None or value == "":
        return content
    for block in value if isinstance(value, list) else [value]:
        _read_block(block, content)
    return content


def _read_block(block: Any, content: Content) -> None:
    if isinstance(block, str):
        content.parts.append(Text(block))
        return
    if not isinstance(block, dict):
        content.parts.append(Other(block))
        return
    kind = block.get("type")
    reader = _BLOCKS.get(kind) if isinstance(kind, str) else None
    if reader is not None:
        reader(block, content)
        return
    image = parse_image(block)
    if image is not None:
        content.parts.append(image)
    elif kind is None and isinstance(block.get("text"), str):
        _read_text_block(block, content)
    elif kind is None and isinstance(block.get("functionCall") or block.get("function_call"), dict):
        content.calls.append(read_call(block.get("functionCall") or block["function_call"]))
    else:
        content.parts.append(Other(block))


def _read_text_block(block: Mapping[str, Any], content: Content) -> None:
    for key in ("text", "refusal", "content", "input_text", "output_text"):
        if isinstance(block.get(key), str):
            thought = block.get("thought") is True  # Gemini marks its thoughts so
            content.parts.append(Thinking(block[key]) if thought else Text(block[key]))
            return
    content.parts.append(Other(dict(block)))


def read_thinking(block: Mapping[str, Any], content: Content) -> None:
    for key in ("thinking", "reasoning", "text", "reasoning_content", "content"):
        if isinstance(block.get(key), str):
            content.parts.append(Thinking(block[key]))
            return
    summary = block.get("summary")
    texts = (
        [item.get("text") for item in summary if isinstance(item, dict)]
        if isinstance(summary, list)
        else []
    )
    content.parts.append(Thinking("\n\n".join(text for text in texts if isinstance(text, str))))


def _read_call_block(block: Mapping[str, Any], content: Content) -> None:
    content.calls.append(read_call(block))


def _read_result(block: Mapping[str, Any], content: Content) -> None:
    call_id = as_text(block.get("tool_use_id") or block.get("toolCallId") or block.get("call_id"))
    for key in ("content", "output", "result"):
        if key in block:
            failed = block.get("is_error") is True or block.get("isError") is True
            content.results.append((call_id, CallResult(block[key], is_error=failed)))
            return
    content.parts.append(Other(dict(block)))


def _read_picture(block: Mapping[str, Any], content: Content) -> None:
    image = parse_image(block)
    if image is not None:
        content.parts.append(image)
        return
    url = block.get("image_url") or block.get("url") or block.get("image")
    if isinstance(url, dict):
        url = url.get("url")
    source = block.get("source")
    if url is None and isinstance(source, dict):
        url = source.get("url")
    content.parts.append(
        Attached("image", url=url if isinstance(url, str) and len(url) < 2_000 else "")
    )


def _read_file(block: Mapping[str, Any], content: Content) -> None:
    holder = block.get("file") or block.get("source") or block
    holder = holder if isinstance(holder, dict) else {}
    name = (
        block.get("filename")
        or holder.get("filename")
        or block.get("title")
        or block.get("mime_type")
        or holder.get("media_type")
    )
    content.parts.append(Attached(str(block["type"]).removeprefix("input_"), name=as_text(name)))


_BLOCKS = {
    "text": _read_text_block,
    "input_text": _read_text_block,
    "output_text": _read_text_block,
    "refusal": _read_text_block,
    "thinking": read_thinking,
    "reasoning": read_thinking,
    "reasoning_content": read_thinking,
    "redacted_thinking": read_thinking,
    "tool_use": _read_call_block,
    "tool_call": _read_call_block,
    "tool-call": _read_call_block,
    "function_call": _read_call_block,
    "server_tool_use": _read_call_block,
    "tool_result": _read_result,
    "tool-result": _read_result,
    "web_search_tool_result": _read_result,
    "image": _read_picture,
    "image_url": _read_picture,
    "input_image": _read_picture,
    "file": _read_file,
    "input_file": _read_file,
    "document": _read_file,
    "audio": _read_file,
    "input_audio": _read_file,
    "video": _read_file,
}


# --- Calls --------------------------------------------------------------------------------------


def read_call(item: Mapping[str, Any]) -> Call:
    """One call of `tool_calls`, LangChain's or OpenAI's, or a block that is one."""
    function = item.get("function")
    body: Mapping[str, Any] = function if isinstance(function, dict) else item
    arguments: Any = {}
    for key in ("args", "arguments", "input", "parameters"):
        if key in body:
            arguments = body[key]
            break
    return Call(
        id=as_text(item.get("id") or item.get("call_id") or item.get("toolCallId")),
        name=as_text(body.get("name") or item.get("toolName")) or "tool",
        arguments=_parse_arguments(arguments),
        error=as_text(item.get("error")),
    )


def _parse_arguments(arguments: Any) -> Any:
    if not isinstance(arguments, str) or len(arguments) > MAX_ARGUMENTS_CHARS:
        return arguments
    try:
        return orjson.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""
