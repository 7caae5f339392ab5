"""A turn of a thread: what was asked in it and what was answered, without the turns that it repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.reads.types import RunDetail, RunSummary, TraceSummary
from viewer.present.budget import Budget
from viewer.present.content import Text
from viewer.present.conversation import MessageView, view_conversation
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.messages import WORDS, Message
from viewer.present.payload import Conversation, Json, Payload, Prose, read_payload

PREVIEW_CHARS = 120
MAX_ERROR_CHARS = 400


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn. What is no conversation is shown as JSON."""

    number: int
    trace: TraceSummary
    question: str  # its first words, for the list at the side
    messages: tuple[MessageView, ...]
    input_json: Html = EMPTY
    output_json: Html = EMPTY
    error: str = ""


def view_turn(number: int, trace: TraceSummary, root: RunDetail | None, budget: Budget) -> TurnView:
    """Return a turn. `root` is its root run with its payload; None: it cannot be read now."""
    if root is None:
        return TurnView(number, trace, trace.inputs_preview[:PREVIEW_CHARS], ())
    given, answered = read_payload(root.inputs), read_payload(root.outputs)
    messages = _messages_of_turn(given, answered)
    return TurnView(
        number=number,
        trace=trace,
        question=_question(messages) or trace.inputs_preview[:PREVIEW_CHARS],
        messages=view_conversation(
            messages, budget, is_output=True, find_runs=_no_runs, run_link=_no_link
        ).messages,
        input_json=render_json(given.value, budget) if isinstance(given, Json) else EMPTY,
        output_json=render_json(answered.value, budget) if isinstance(answered, Json) else EMPTY,
        error=(root.error or "").strip().partition("\n")[0][:MAX_ERROR_CHARS],
    )


def messages_of_run(root: RunDetail) -> list[Message]:
    """Return what was asked and answered in a turn, of which this is the root run."""
    return _messages_of_turn(read_payload(root.inputs), read_payload(root.outputs))


def _messages_of_turn(given: Payload, answered: Payload) -> list[Message]:
    """Return the last question and what followed: a graph's state begins with all the turns before."""
    before, after = _as_messages(given, "human"), _as_messages(answered, "ai")
    last = _last_question(after)
    if last is not None:
        return after[last:]
    asked = _last_question(before)
    return [*(before[asked:] if asked is not None else before[-1:]), *after]


def _last_question(messages: Sequence[Message]) -> int | None:
    places = (place for place, message in enumerate(messages) if message.role == "human")
    return max(places, default=None)


def _as_messages(payload: Payload, role: str) -> list[Message]:
    if isinstance(payload, Conversation):
        return list(payload.messages)
    if isinstance(payload, Prose):
        return [Message(role, WORDS[role], (Text(text),)) for text in payload.texts]
    return []


def _question(messages: Sequence[Message]) -> str:
    texts = (
        part.text
        for message in messages
        if message.role == "human"
        for part in message.parts
        if isinstance(part, Text)
    )
    return " ".join(next(texts, "")[: 2 * PREVIEW_CHARS].split())[:PREVIEW_CHARS]


def _no_runs(names: Sequence[str]) -> Sequence[RunSummary | None]:
    return [None] * len(names)


def _no_link(_: RunSummary) -> str:
    return ""
