"""Messages ready for a template: words as markup, calls with their results and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from collector.reads.types import RunSummary
from viewer.present.budget import Budget
from viewer.present.content import (
    Attached,
    Call,
    CallResult,
    Other,
    Part,
    Text,
    Thinking,
    read_content,
)
from viewer.present.document_views import DocumentView, view_documents
from viewer.present.documents import parse_documents
from viewer.present.durations import format_duration
from viewer.present.failure import first_words
from viewer.present.html import EMPTY, Html
from viewer.present.images import InlineImage
from viewer.present.jsonview import render_json
from viewer.present.messages import Message, pair_results
from viewer.present.numbers import format_bytes, format_count
from viewer.present.words import Words, parse_json_text, read_words

MAX_MESSAGES = 60  # older ones wait behind a link
MAX_MESSAGES_ASKED = 600
MAX_SIGNATURE_CHARS = 160  # on the line, which a narrow pane clips further
FULL_SIGNATURE_CHARS = 72  # longer arguments can be unfolded
MAX_LINE_CHARS = 300  # a result up to here is written as one line
MAX_NAME_CHARS = 200

RunLink = Callable[[RunSummary], str]
FindRuns = Callable[[Sequence[str]], Sequence[RunSummary | None]]


@dataclass(frozen=True, slots=True)
class PartView:
    """One part of a message; `kind` says which of the other fields holds it."""

    kind: str  # words, thinking, image, attached, json
    words: Words | None = None
    html: Html = EMPTY
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class ResultView:
    """What a call gave back: a line, a longer text behind its first line, or documents."""

    word: str  # Result or Error
    line: str = ""
    words: Words | None = None
    documents: tuple[DocumentView, ...] = ()
    parts: tuple[PartView, ...] = ()


@dataclass(frozen=True, slots=True)
class CallView:
    """A tool call and its result, one object."""

    name: str
    arguments: tuple[tuple[str, str], ...]  # name and JSON, for the line
    arguments_html: Html  # all of them, where the line has no room
    result: ResultView | None
    status: str
    latency: str
    run_url: str
    id: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of the ledger."""

    role: str
    word: str
    name: str
    meta: str
    parts: tuple[PartView, ...]
    calls: tuple[CallView, ...]

    @property
    def is_silent(self) -> bool:
        """Whether the message only calls tools."""
        return bool(self.calls) and not self.parts


@dataclass(frozen=True, slots=True)
class ConversationView:
    """The messages that are shown, and how many older ones are not."""

    messages: tuple[MessageView, ...]
    total_count: int
    earlier_count: int


def view_conversation(
    messages: Sequence[Message],
    budget: Budget,
    *,
    is_output: bool,
    find_runs: FindRuns,
    run_link: RunLink,
    show_all: bool = False,
) -> ConversationView:
    """Return the messages of a block. What is at the centre (an output, the last question) folds late."""
    paired = pair_results(messages)
    limit = MAX_MESSAGES_ASKED if show_all else MAX_MESSAGES
    shown = paired[-limit:]
    runs = iter(find_runs([call.name for message in shown for call in message.calls]))
    writer = _Writer(budget, run_link)
    views = []
    for number, message in enumerate(shown):
        is_central = message.role != "system" and (is_output or number == len(shown) - 1)
        views.append(writer.view(message, runs, folds="tall" if is_central else "short"))
    return ConversationView(tuple(views), len(messages), len(paired) - len(shown))


class _Writer:
    def __init__(self, budget: Budget, run_link: RunLink) -> None:
        self.budget = budget
        self.run_link = run_link

    def view(
        self, message: Message, runs: Iterable[RunSummary | None], *, folds: str
    ) -> MessageView:
        parts = [
            self.view_part(part, folds, is_markdown=message.role != "tool")
            for part in message.parts
        ]
        for _, result in message.results:
            parts.extend(self.view_result_parts(result, folds))
        runs = iter(runs)
        calls = tuple(self.view_call(call, next(runs, None)) for call in message.calls)
        return MessageView(
            role=message.role,
            word=message.word[:MAX_NAME_CHARS],
            name=message.name[:MAX_NAME_CHARS],
            meta=""
            if message.output_tokens is None
            else f"{format_count(message.output_tokens)} tok",
            parts=tuple(parts),
            calls=calls,
        )

    def view_part(self, part: Part, folds: str, *, is_markdown: bool) -> PartView:
        if isinstance(part, Text):
            return PartView(
                "words",
                words=read_words(part.text, self.budget, folds=folds, is_markdown=is_markdown),
            )
        if isinstance(part, Thinking):
            words = read_words(part.text, self.budget, folds="") if part.text else None
            return PartView(
                "thinking", words=words, label=f"{format_count(len(part.text))} characters"
            )
        if isinstance(part, InlineImage):
            return self.view_image(part)
        if isinstance(part, Attached):
            return PartView(
                "attached", url=_web_url(part.url), label=part.name[:MAX_NAME_CHARS] or part.kind
            )
        assert isinstance(part, Other)
        return PartView("json", html=render_json(part.value, self.budget, open_depth=2))

    def view_image(self, image: InlineImage) -> PartView:
        label = (
            f"{image.mime_type.removeprefix('image/').upper()}, {format_bytes(image.size_bytes)}"
        )
        if not self.budget.take_image(len(image.url)):
            return PartView("attached", label=f"image ({label})")
        return PartView("image", url=image.url, label=label)

    def view_result_parts(self, result: CallResult, folds: str) -> list[PartView]:
        """A result that stands alone: its call is not among the messages."""
        return [
            self.view_part(part, folds, is_markdown=False) for part in _result_parts(result.value)
        ]

    def view_call(self, call: Call, run: RunSummary | None) -> CallView:
        arguments, is_cut = _describe_arguments(call.arguments)
        whole = render_json(call.arguments, self.budget) if is_cut else EMPTY
        return CallView(
            name=call.name[:MAX_NAME_CHARS],
            arguments=arguments,
            arguments_html=whole,
            result=self.view_result(call, run),
            status=_call_status(call, run),
            latency=""
            if run is None or run.latency_seconds is None
            else format_duration(run.latency_seconds),
            run_url="" if run is None else self.run_link(run),
            id=call.id,
        )

    def view_result(self, call: Call, run: RunSummary | None) -> ResultView | None:
        if call.error:
            return ResultView("Error", line=call.error[:MAX_LINE_CHARS])
        if call.result is None:
            return None if run is None else _result_of_run(run)
        word = "Error" if call.result.is_error else "Result"
        parts = _result_parts(call.result.value)
        if len(parts) == 1 and isinstance(parts[0], Text):
            return self.view_text_result(word, parts[0].text)
        return ResultView(
            word, parts=tuple(self.view_part(part, "short", is_markdown=False) for part in parts)
        )

    def view_text_result(self, word: str, text: str) -> ResultView:
        documents = parse_documents(parse_json_text(text))
        if documents:
            return ResultView(word, documents=view_documents(documents, self.budget))
        line = " ".join(text[: MAX_LINE_CHARS * 2].split())
        if len(text) <= MAX_LINE_CHARS and "\n" not in text.strip():
            return ResultView(word, line=line)
        words = read_words(text, self.budget, folds="", is_markdown=False)
        return ResultView(word, line=line[:MAX_LINE_CHARS], words=words)


def _result_parts(value: Any) -> Sequence[Part]:
    """The content of a result: text, content blocks, or JSON."""
    if isinstance(value, (str, list)):
        return read_content(value).parts
    if (
        isinstance(value, dict)
        and isinstance(value.get("value"), str)
        and value.get("type") == "text"
    ):
        return [Text(value["value"])]  # the AI SDK's wrapping
    return [] if value is None else [Text(_to_json(value))]


def _result_of_run(run: RunSummary) -> ResultView | None:
    if run.status == "error":
        return ResultView("Error", line=first_words(run.error)[:MAX_LINE_CHARS] or "failed")
    return (
        ResultView("Result", line=run.outputs_preview[:MAX_LINE_CHARS])
        if run.outputs_preview
        else None
    )


def _call_status(call: Call, run: RunSummary | None) -> str:
    if call.error or (call.result is not None and call.result.is_error):
        return "error"
    return "" if run is None or run.status == "success" else run.status


def _describe_arguments(arguments: Any) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return the arguments for one line, and whether the line may not show them all."""
    if not isinstance(arguments, Mapping):
        text = arguments if isinstance(arguments, str) else _to_json(arguments)
        return (("", text[:MAX_SIGNATURE_CHARS]),), len(text) > FULL_SIGNATURE_CHARS
    pieces: list[tuple[str, str]] = []
    length = 0
    for key, value in arguments.items():
        text, room = _to_json(value), MAX_SIGNATURE_CHARS - length
        if room <= 0:
            pieces.append(("", "…"))
            break
        pieces.append((str(key)[:60], text if len(text) <= room else text[:room] + "…"))
        length += len(str(key)) + len(text)
    return tuple(pieces), length > FULL_SIGNATURE_CHARS


def _to_json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # integers of more than 64 bits, depth
        return str(value)


def _web_url(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""
