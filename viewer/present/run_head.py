"""The head of the run pane: where the run stands, what it is, its figures, its tabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from collector.reads.types import RunDetail, RunSummary, Standing, TraceTree
from viewer.present.durations import format_duration
from viewer.present.events import format_offset
from viewer.present.numbers import format_bytes, format_cost, format_count
from viewer.present.run_types import RunTypeLook, describe_run_type, find_graphs
from viewer.present.trace_query import TraceQuery

MAX_PATH = 5  # more steps of the path fold into an ellipsis


@dataclass(frozen=True, slots=True)
class Step:
    """A run above this one; `url` is "" for the steps left out."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure. `word` is read aloud, and shown where the figure needs it; `ticks` makes it a clock."""

    icon: str
    word: str
    value: str
    shows_word: bool = False
    form: str = ""  # pill or mono
    ticks: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """One part of the run pane."""

    name: str
    word: str
    count: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class RunHead:
    """All of it."""

    look: RunTypeLook
    path: tuple[Step, ...]
    facts: tuple[Fact, ...]
    tabs: tuple[Tab, ...]


def view_run_head(
    detail: RunDetail, tree: TraceTree, query: TraceQuery, *, now: datetime
) -> RunHead:
    """Return the head of a run. `now` is where a running clock stands."""
    run = detail.run
    return RunHead(
        look=describe_run_type(run.run_type, run.name, is_graph=run.id in find_graphs(tree.nodes)),
        path=tuple(_path(detail, tree, query)),
        facts=tuple(_facts(detail, tree, now)),
        tabs=tuple(_tabs(detail, query)),
    )


def _path(detail: RunDetail, tree: TraceTree, query: TraceQuery) -> list[Step]:
    known = {node.run.id: node.run for node in tree.nodes}
    steps = [
        Step(known[run_id].name, query.url_of_run(run_id)) for run_id in _ancestors(detail, known)
    ]
    if len(steps) <= MAX_PATH:
        return steps
    return [steps[0], Step("…", ""), *steps[-(MAX_PATH - 2) :]]


def _ancestors(detail: RunDetail, known: Mapping[UUID, RunSummary]) -> list[UUID]:
    """Root first. The tree says it for runs that it holds; a run past its limit knows its own."""
    above: list[UUID] = []
    seen = {detail.run.id}
    parent_id = detail.run.parent_run_id
    while parent_id is not None and parent_id in known and parent_id not in seen:
        above.append(parent_id)
        seen.add(parent_id)
        parent_id = known[parent_id].parent_run_id
    return above[::-1] or [run_id for run_id in detail.parent_run_ids if run_id in known]


def _facts(detail: RunDetail, tree: TraceTree, now: datetime) -> list[Fact]:
    run = detail.run
    facts = [_latency(run, now)]
    if run.first_token_time is not None:
        waited = (run.first_token_time - run.start_time).total_seconds()
        facts.append(Fact("running", "first token", format_duration(waited), shows_word=True))
    tokens = _tokens(run)
    if tokens:
        facts.append(Fact("token", "Tokens", tokens))
    if run.total_cost is not None:
        facts.append(Fact("cost", "Cost", format_cost(run.total_cost)))
    if run.model:
        facts.append(Fact("chat", "Model", run.model[:60], form="pill"))
    call_id = detail.extra.get("tool_call_id")
    if isinstance(call_id, str) and call_id:
        facts.append(Fact("tool", "Tool call", call_id[:60], form="mono"))
    if run.id != tree.trace.id:
        start = (run.start_time - tree.trace.start_time).total_seconds()
        facts.append(Fact("calendar", "Start", format_offset(start)))
    return facts


def _latency(run: RunSummary, now: datetime) -> Fact:
    if run.status == "running":
        age = max(0.0, (now - run.start_time).total_seconds())
        return Fact("clock", "Latency", format_duration(age), ticks=f"{age:.1f}")
    return Fact("clock", "Latency", format_duration(run.latency_seconds))


def _tokens(run: RunSummary) -> str:
    if run.prompt_tokens is not None and run.completion_tokens is not None:
        return f"{format_count(run.prompt_tokens)} in, {format_count(run.completion_tokens)} out"
    return f"{format_count(run.total_tokens)} tokens" if run.total_tokens else ""


def _tabs(detail: RunDetail, query: TraceQuery) -> list[Tab]:
    size = sum(detail.raw_sizes.values())
    entries: Sequence[tuple[str, str, str]] = (
        ("run", "Run", ""),
        ("feedback", "Feedback", _count(len(detail.feedback))),
        ("metadata", "Metadata", _count(len(detail.metadata))),
        ("events", "Events", _count(len(detail.events))),
        ("raw", "Raw", format_bytes(size) if size else ""),
    )
    return [
        Tab(name, word, count, query.url(tab=name), query.tab == name)
        for name, word, count in entries
    ]


def _count(count: int) -> str:
    return format_count(count) if count else ""


def describe_standing(run: RunSummary, standing: Standing | None) -> str:
    """Say how slow a run is among its peers, where that is worth saying."""
    if standing is None:
        return ""
    share = standing.slower_than
    if share >= 0.5:
        words = f"slower than {min(share, 0.99):.0%}"
    else:
        words = f"quicker than {min(1 - share, 0.99):.0%}"
    return f"{words} of the last {format_count(standing.count)} {run.name[:60]}"
