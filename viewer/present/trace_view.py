"""The left side of the trace page and its head, ready for a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from collector.reads.types import TraceSummary, TraceTree
from viewer.present.durations import format_duration
from viewer.present.html import EMPTY, Html
from viewer.present.log import describe_rest, write_log
from viewer.present.numbers import format_count, pluralize
from viewer.present.run_types import RunTypeLook, describe_run_type
from viewer.present.times import format_age
from viewer.present.trace_query import TraceQuery
from viewer.present.tree import MAX_ROWS, TreeOptions, lay_out_tree
from viewer.present.tree_rows import RowWriter
from viewer.present.waterfall import WaterfallWriter, write_axis, write_grid, write_minimap

HEARD_LATELY_SECONDS = 60  # younger than this, the age ticks


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of the trace has arrived: `status` gives tone and icon of the line."""

    status: str
    counts: str  # "51 of 54"
    words: str  # behind the counts
    heard: str  # "" when the trace has ended
    ticks: str  # seconds, where the page counts on


@dataclass(frozen=True, slots=True)
class TraceView:
    """`rows` is markup; the waterfall has `axis`, `grid` and `minimap` too. The log has `log` in their place."""

    rows: Html
    log: Html
    log_rest: str  # "" unless lines were left out
    axis: Html
    grid: Html
    minimap: Html
    duration: str
    plumbing_count: int
    plumbing_url: str
    error_count: int
    error_url: str
    match_words: str  # "" unless a text is looked for
    more_words: str  # "" unless rows were left out
    more_url: str
    has_slow: bool
    ticks: str  # age of a running trace in seconds, else ""
    completeness: Completeness
    look: RunTypeLook  # of the root


def view_trace(
    tree: TraceTree, query: TraceQuery, *, selected: UUID | None, now: datetime, sprite: str
) -> TraceView:
    """Return everything left of the run pane."""
    options = TreeOptions(
        show_plumbing=query.show_plumbing,
        open_groups=query.open_groups,
        selected=selected,
        max_rows=query.rows,
        text=query.text,
    )
    layout = lay_out_tree(tree, options, now=now)
    is_waterfall = query.view == "waterfall"
    log, log_left_out = EMPTY, 0
    if query.view == "log":
        rows = EMPTY
        log, log_left_out = write_log(layout, query, selected=selected, sprite=sprite)
    elif query.view == "chat":
        rows = EMPTY
    else:
        writer_class = WaterfallWriter if is_waterfall else RowWriter
        rows = writer_class(layout, query, selected=selected, sprite=sprite).write()
    running_for = (now - tree.trace.start_time).total_seconds()
    return TraceView(
        rows=rows,
        log=log,
        log_rest=describe_rest(log_left_out),
        axis=write_axis(layout) if is_waterfall else EMPTY,
        grid=write_grid(layout) if is_waterfall else EMPTY,
        minimap=write_minimap(layout) if is_waterfall else EMPTY,
        duration=format_duration(layout.duration),
        plumbing_count=layout.plumbing_count,
        plumbing_url=query.url(show_plumbing=not query.show_plumbing),
        error_count=tree.trace.error_count,
        error_url=_first_error(tree, query),
        match_words=f"{pluralize(layout.match_count, 'run')} found" if query.text else "",
        more_words=f"{pluralize(layout.more_count, 'more run')}" if layout.more_count else "",
        more_url=query.url(rows=query.rows + MAX_ROWS),
        has_slow=" data-slow" in (rows or log),
        ticks=f"{max(0.0, running_for):.1f}" if tree.trace.status == "running" else "",
        completeness=describe_completeness(tree.trace, now=now),
        look=describe_run_type(
            tree.trace.run_type, tree.trace.name, is_graph=tree.trace.id in layout.graphs
        ),
    )


def _first_error(tree: TraceTree, query: TraceQuery) -> str:
    """Return a link to the first run that failed by itself, not because a run below it did."""
    failed = [node for node in tree.nodes if node.run.status == "error"]
    first = next((node for node in failed if not node.error_count), failed[0] if failed else None)
    return query.url_of_run(first.run.id) if first else ""


def describe_completeness(trace: TraceSummary, *, now: datetime) -> Completeness:
    """Say whether everything has arrived, and if not, when something last did."""
    open_count = trace.run_count - trace.ended_count
    noun = "run" if trace.run_count == 1 else "runs"
    counts = f"{format_count(trace.ended_count)} of {format_count(trace.run_count)}"
    if not open_count and trace.status not in ("running", "incomplete"):
        return Completeness("success", counts, f"{noun} ended", "", "")
    age = max(0.0, (now - trace.last_heard_at).total_seconds())
    ago = format_age(trace.last_heard_at, now=now).removesuffix(" ago")
    if trace.status == "running":
        words = (
            f"{noun} ended, {format_count(open_count)} running" if open_count else f"{noun} ended"
        )
        if age < HEARD_LATELY_SECONDS:
            return Completeness(
                "running", counts, words, f"{age:.1f} s", f"{age:.3f}"
            )  # exact: the same age twice would be one clock
        return Completeness("running", counts, words, ago, "")
    words = f"{noun} ended. No word for {ago}, the process has probably died"
    return Completeness("incomplete", counts, words, "", "")
