"""A list of runs: what a trace list's query asks of single runs, and the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from collector.query.fields import make_compare
from collector.query.tree import And, Expression
from collector.reads.types import RunFilter, RunSummary, Status
from viewer.present.durations import format_clock, format_duration
from viewer.present.trace_list_query import TraceListQuery
from viewer.present.trace_rows import SHOWN_TAGS, Pace, bar_percent, is_dated, say_output


def to_run_filter(query: TraceListQuery, now: datetime) -> RunFilter:
    """Return the query as a condition on single runs: there, all of it is asked of the run itself."""
    parts: list[Expression] = []
    if query.of == "llm":
        parts.append(make_compare("run_type", "eq", "llm"))
    if query.statuses:
        parts.append(make_compare("state", "in", list(query.statuses)))
    if query.names:
        parts.append(make_compare("name", "in", list(query.names)))
    parts += [make_compare("tags", "has", tag) for tag in query.tags]
    if query.thread:
        parts.append(make_compare("thread_id", "eq", query.thread))
    if query.search is not None and query.search.of_run is not None:
        parts.append(query.search.of_run)
    start_from, start_to = query.times(now)
    return RunFilter(
        start_from=start_from,
        start_to=start_to,
        expression=And(tuple(parts)) if parts else None,
    )


@dataclass(frozen=True, slots=True)
class RunListRow:
    """A run as a row. `elapsed_seconds` is set while it runs."""

    run: RunSummary
    output: str
    output_status: Status | None
    latency: str
    first_token: str
    elapsed_seconds: float | None
    bar_percent: float
    is_slow: bool
    tokens: int | None  # with all below it
    cost: Decimal | None
    tags: tuple[str, ...]
    more_tags: int
    is_dated: bool


def view_run_list(runs: Sequence[RunSummary], pace: Pace, *, now: datetime) -> list[RunListRow]:
    return [_view_row(run, pace, now) for run in runs]


def _view_row(run: RunSummary, pace: Pace, now: datetime) -> RunListRow:
    elapsed = max((now - run.start_time).total_seconds(), 0.0) if run.status == "running" else None
    seconds = run.latency_seconds if elapsed is None else elapsed
    output, status = say_output(run, None, now)
    first = run.first_token_time
    return RunListRow(
        run=run,
        output=output,
        output_status=status,
        latency=format_duration(seconds) if elapsed is None else format_clock(elapsed),
        first_token=format_duration(max((first - run.start_time).total_seconds(), 0))
        if first
        else "",
        elapsed_seconds=elapsed,
        bar_percent=bar_percent(seconds, pace),
        is_slow=elapsed is None and seconds is not None and seconds > pace.slow_seconds,
        tokens=run.total_tokens if run.subtree_total_tokens is None else run.subtree_total_tokens,
        cost=run.total_cost if run.subtree_total_cost is None else run.subtree_total_cost,
        tags=run.tags[:SHOWN_TAGS],
        more_tags=max(len(run.tags) - SHOWN_TAGS, 0),
        is_dated=is_dated(run.start_time, now),
    )
