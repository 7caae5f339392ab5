"""A conversation as Markdown, to be kept or handed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import orjson

from viewer.present.content import Text, Thinking
from viewer.present.messages import Message

MAX_RESULT_CHARS = 4_000


def write_heading(level: int, text: str) -> str:
    return f"{'#' * level} {' '.join(text.split()) or 'without a name'}\n\n"


def write_facts(facts: Sequence[tuple[str, str]]) -> str:
    """Return a list of facts; those without a value are left out."""
    return "".join(f"- {name}: {value}\n" for name, value in facts if value) + "\n"


def write_messages(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the messages in order. Calls of tools and their results are blocks of code."""
    for message in messages:
        name = f" ({message.name})" if message.name else ""
        yield f"**{message.word}{name}**\n\n"
        for part in message.parts:
            if isinstance(part, Text):
                yield f"{part.text.strip()}\n\n"
            elif isinstance(part, Thinking) and part.text:
                yield "".join(f"> {line}\n" for line in part.text.splitlines()) + "\n"
            else:
                yield "*(not a text)*\n\n"
        for call in message.calls:
            yield f"Calls `{call.name}`:\n\n{_fenced(_json(call.arguments))}"
        for _, result in message.results:
            yield f"Result:\n\n{_fenced(_json(result.value)[:MAX_RESULT_CHARS])}"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in text.split() if set(run) == {"`"}), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.strip()}\n{fence}\n\n"


def _json(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        return str(value)


def format_day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
