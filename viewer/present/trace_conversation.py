"""A trace as what was said in it: each message once, though every call of a model repeats those before.

A call whose messages go on from an earlier call's adds only what is new. One that begins otherwise (another agent's)
begins a part of its own, named by the run that it stands below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from collector.reads.types import RunDetail, RunSummary, TraceTree
from viewer.present.budget import Budget
from viewer.present.content import Text
from viewer.present.conversation import MessageView, view_conversation
from viewer.present.durations import format_duration
from viewer.present.messages import WORDS, Message, pair_results
from viewer.present.numbers import format_cost, format_count
from viewer.present.payload import Conversation, Payload, Prose, read_payload
from viewer.present.tool_runs import ToolRuns
from viewer.present.trace_query import TraceQuery

MAX_CALLS = 80  # of models that are read for one page


@dataclass(slots=True)
class Said:
    """What one agent was told and said, each message once."""

    title: str
    messages: list[Message]
    runs: list[RunSummary | None]  # which call said each; None: it was given to the first


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """One message, and the call that answered with it."""

    message: MessageView
    run_url: str = ""
    figures: str = ""


@dataclass(frozen=True, slots=True)
class SaidPart:
    """What one agent was told and said."""

    title: str
    messages: tuple[SaidMessage, ...]


@dataclass(frozen=True, slots=True)
class TraceConversation:
    """All parts, in the order of their first calls. `left_out` are calls that were not read."""

    parts: tuple[SaidPart, ...]
    left_out: int


def model_calls(tree: TraceTree) -> list[RunSummary]:
    """Return the calls of models, in order of time."""
    calls = [node.run for node in tree.nodes if node.run.run_type == "llm"]
    return sorted(calls, key=lambda run: (run.start_time, run.id))


def view_trace_conversation(
    tree: TraceTree, details: Iterable[RunDetail], query: TraceQuery
) -> TraceConversation:
    """Return the conversation of a trace. `details` are its first MAX_CALLS model calls; where it has none, its root."""
    tools = {run.id: ToolRuns(tree, run) for run in model_calls(tree)}
    budget = Budget()
    shown = tuple(_view(part, tools, budget, query) for part in read_parts(tree, details))
    return TraceConversation(shown, max(len(tools) - MAX_CALLS, 0))


def read_parts(tree: TraceTree, details: Iterable[RunDetail]) -> list[Said]:
    """Return what each agent was told and said, in the order of their first calls."""
    names = _names_above(tree)
    parts: list[Said] = []
    for detail in details:
        given = _messages(read_payload(detail.inputs), "human")
        answered = _messages(read_payload(detail.outputs), "ai")
        part, known = _find_part(parts, given)
        if part is None:
            part = Said(names.get(detail.run.id, ""), [], [])
            parts.append(part)
        part.messages += given[known:] + answered
        part.runs += [None] * len(given[known:]) + [detail.run] * len(answered)
    parts = [part for part in parts if part.messages]
    if len(parts) == 1:
        parts[0].title = ""
    return parts


def _find_part(parts: Sequence[Said], given: Sequence[Message]) -> tuple[Said | None, int]:
    """Return the part that these messages go on from, and how many of them it has; the longest wins."""
    keys = [_key(message) for message in given]
    best: tuple[Said | None, int] = (None, 0)
    for part in parts:
        have = [_key(message) for message in part.messages]
        common = 0
        while common < min(len(have), len(keys)) and have[common] == keys[common]:
            common += 1
        if common > best[1] and common >= min(len(have), len(keys)) - 1:
            best = (part, common)
    return best


def _key(message: Message) -> tuple[object, ...]:
    calls = tuple(call.id or call.name for call in message.calls)
    texts = tuple(part.text for part in message.parts if isinstance(part, Text))
    return (message.role, texts, calls, tuple(id_ for id_, _ in message.results))


def _messages(payload: Payload, role: str) -> list[Message]:
    if isinstance(payload, Conversation):
        return list(payload.messages)
    if isinstance(payload, Prose):
        return [Message(role, WORDS[role], (Text(text),)) for text in payload.texts]
    return []


def _view(
    part: Said, tools: Mapping[UUID, ToolRuns], budget: Budget, query: TraceQuery
) -> SaidPart:
    paired = pair_results(
        [replace(item, id=str(number)) for number, item in enumerate(part.messages)]
    )
    said: list[SaidMessage] = []
    for message in paired:
        run = part.runs[int(message.id)]
        found = tools.get(run.id) if run is not None else None
        (view,) = view_conversation(
            [message],
            budget,
            is_output=message.role != "system",
            find_runs=found.answers_after if found else lambda names: [None] * len(names),
            run_link=lambda tool: query.url_of_run(tool.id, tab="run"),
        ).messages or (None,)
        if view is None:
            continue
        if run is None:
            said.append(SaidMessage(view))
        else:
            said.append(SaidMessage(view, query.url_of_run(run.id, tab="run"), _figures(run)))
    return SaidPart(part.title, tuple(said))


def _figures(run: RunSummary) -> str:
    figures = [run.model or run.name]
    if run.latency_seconds is not None:
        figures.append(format_duration(run.latency_seconds))
    if run.total_tokens:
        figures.append(f"{format_count(run.total_tokens)} tokens")
    if run.total_cost is not None:
        figures.append(format_cost(run.total_cost))
    return ", ".join(figures)


def _names_above(tree: TraceTree) -> dict[UUID, str]:
    """Return for each run the name of the run that it stands below."""
    names = {node.run.id: node.run.name for node in tree.nodes}
    return {
        node.run.id: names.get(node.run.parent_run_id, "") if node.run.parent_run_id else ""
        for node in tree.nodes
    }
