"""The rows of a tree as markup. `waterfall.py` has the same rows with bars on a time axis.

Written here and not in a template: a thousand rows take 15 ms so, and ten times as long there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from uuid import UUID

from collector.reads.types import RunSummary
from viewer.present.durations import format_duration
from viewer.present.failure import first_words
from viewer.present.html import Html, escape
from viewer.present.numbers import format_count, pluralize
from viewer.present.run_types import RunTypeLook, describe_run_type
from viewer.present.status import describe_status
from viewer.present.trace_query import TraceQuery
from viewer.present.tree import (
    SHARE_OF_TRACE,
    GroupRow,
    PlumbingRow,
    Row,
    RunRow,
    TreeLayout,
    VisibleRun,
)

MAX_PREVIEW_CHARS = 120
MAX_NAME_CHARS = 160
MAX_MODEL_CHARS = 28
MAX_BARS = 60  # of a group: more than that melt into one another anyway

_GUIDE_WORDS = {"|": "line", " ": "none", "+": "tee", "L": "elbow"}
_GUIDES = {
    sign: f'<i class="guide" data-guide="{word}"></i>' for sign, word in _GUIDE_WORDS.items()
}
_RUN_MARK = (
    "RUN"  # stands in a link for the id, so that a link is made once and not a thousand times
)
_TWIST = '<i class="twist"></i>'
_LEAF = '<i class="twist" data-leaf></i>'


class RowWriter:
    """Writes the rows of one layout. `selected` is the run in the pane, `sprite` the URL of the icons."""

    max_guides = 14  # deeper rows indent no further: they say their depth instead

    def __init__(
        self,
        layout: TreeLayout,
        query: TraceQuery,
        *,
        selected: UUID | None,
        sprite: str,
    ) -> None:
        self.layout = layout
        self.query = query
        self.selected = selected
        self.sprite = sprite
        self.run_url = escape(query.url_of_run(_RUN_MARK))
        self.wanted = (
            re.compile(f"({re.escape(query.text)})", re.IGNORECASE) if query.text else None
        )
        self.next_takes_focus = False

    def write(self) -> Html:
        """Return all rows. One of them takes the tab key: the selected one, else the first."""
        shown = {row.item.run.id for row in self.layout.rows if isinstance(row, RunRow)}
        self.next_takes_focus = self.selected not in shown
        return Html("".join(map(self.write_row, self.layout.rows)))

    def write_row(self, row: Row) -> str:
        if isinstance(row, RunRow):
            return self.write_run(row)
        return self.write_group(row) if isinstance(row, GroupRow) else self.write_plumbing(row)

    def write_run(self, row: RunRow) -> str:
        item, run = row.item, row.item.run
        look = self.look_of(run)
        is_selected = run.id == self.selected
        tab_index = "0" if is_selected or self.next_takes_focus else "-1"
        self.next_takes_focus = False
        expanded = ' aria-expanded="true"' if item.children else ""
        attributes = (
            f' id="r-{run.id}" href="{self.run_url.replace(_RUN_MARK, str(run.id))}"{expanded}'
            f' aria-selected="{"true" if is_selected else "false"}" tabindex="{tab_index}"'
            f' data-status="{run.status}" data-type="{look.tone}"{self.slow_mark(item)}'
        )
        name = self.write_name(look, run.name)
        return self.frame(row.guides, attributes, name + self.write_marks(item), self.figures(item))

    def write_group(self, row: GroupRow) -> str:
        first = row.items[0].run
        look = self.look_of(first)
        groups = self.query.open_groups
        groups = groups - {row.id} if row.is_open else groups | {row.id}
        attributes = (
            f' id="g-{row.id}" href="{escape(self.query.url(open_groups=groups))}"'
            f' aria-expanded="{"true" if row.is_open else "false"}" aria-selected="false"'
            f' tabindex="-1" data-kind="group" data-type="{look.tone}"'
        )
        times = f'<span class="tree-row__times">&times;{format_count(len(row.items))}</span>'
        failed = sum(item.run.status == "error" for item in row.items)
        text = self.write_name(look, first.name) + times + self.write_flag(failed, "failed")
        return self.frame(
            row.guides, attributes, text + self.describe_group(row), self.group_figures(row)
        )

    def look_of(self, run: RunSummary) -> RunTypeLook:
        return describe_run_type(run.run_type, run.name, is_graph=run.id in self.layout.graphs)

    def write_plumbing(self, row: PlumbingRow) -> str:
        attributes = (
            f' id="plumbing" href="{escape(self.query.url(show_plumbing=True))}" aria-selected="false"'
            ' tabindex="-1" data-kind="hidden"'
        )
        words = f"{pluralize(row.count, 'plumbing run')} hidden"
        text = self.icon("hidden", css="icon run-type")
        return self.frame(
            row.guides, attributes, f'{text}<span class="tree-row__name">{words}</span>', ""
        )

    def icon(self, name: str, label: str = "", css: str = "icon") -> str:
        named = f'role="img" aria-label="{label}"' if label else 'aria-hidden="true"'
        return f'<svg class="{css}" {named}><use href="{self.sprite}#{name}"/></svg>'

    # --- Pieces -----------------------------------------------------------------------------------

    def frame(self, guides: str, attributes: str, text: str, figures: str) -> str:
        lead = self.write_lead(guides, attributes)
        depth = len(guides)
        mark = f'<span class="tree-row__depth">{depth}</span>' if depth > self.max_guides else ""
        words = f'<span class="tree-row__text">{mark}{text}</span>'
        return (
            f'<a class="tree-row" role="treeitem" aria-level="{depth + 1}"{attributes}>'
            f"{self.write_head(lead, words)}{figures}</a>\n"
        )

    def write_head(self, lead: str, text: str) -> str:
        return lead + text

    def write_lead(self, guides: str, attributes: str) -> str:
        limit = self.max_guides
        drawn = guides if len(guides) <= limit else guides[: limit - 1] + guides[-1]
        twist = _TWIST if "aria-expanded" in attributes else _LEAF
        return (
            f'<span class="tree-row__lead">{"".join(map(_GUIDES.__getitem__, drawn))}{twist}</span>'
        )

    def write_name(self, look: RunTypeLook, name: str) -> str:
        return (
            self.icon(look.icon, look.word, "icon run-type")
            + f'<span class="tree-row__name" dir="auto">{self.mark(name[:MAX_NAME_CHARS])}</span>'
        )

    def write_marks(self, item: VisibleRun) -> str:
        """What stands behind the name: model, status if it is not success, errors below, preview."""
        run = item.run
        model = (
            f'<span class="pill">{escape(run.model[:MAX_MODEL_CHARS])}</span>' if run.model else ""
        )
        orphan = '<span class="tag">orphan</span>' if item.node.is_orphan else ""
        return model + orphan + self.write_status(item) + self.write_preview(item)

    def write_status(self, item: VisibleRun) -> str:
        """Success is silent. An error with errors below is one mark with their count."""
        below = item.node.error_count
        if item.run.status == "error" and below:
            return self.write_flag(below, "failed below", "Error, ")
        flag = self.write_flag(below, "failed below")
        if item.run.status == "success":
            return flag
        look = describe_status(item.run.status)
        icon = self.icon(look.icon, css="icon icon--s")
        return f'<span class="status">{icon}<span class="sr">{look.word}</span></span>{flag}'

    def write_flag(self, count: int, words: str, before: str = "") -> str:
        if not count:
            return ""
        icon = self.icon("error", css="icon icon--s")
        spoken = f'<span class="sr">{before}</span>' if before else ""
        return (
            f'<span class="tree-row__flag" data-status="error">{icon}{spoken}{format_count(count)}'
            f'<span class="sr"> {words}</span></span>'
        )

    def figures(self, item: VisibleRun) -> str:
        """The columns at the right: bar, tokens, latency."""
        tokens = format_count(item.tokens) if item.tokens else ""
        column = f'<span class="tree-row__num" data-col="tokens">{tokens}</span>'
        return self.write_mini([item]) + column + self.write_latency(item)

    def write_preview(self, item: VisibleRun) -> str:
        text = _preview_of(item)[:MAX_PREVIEW_CHARS]
        return (
            f'<span class="tree-row__preview clip" dir="auto">{self.mark(text)}</span>'
            if text
            else ""
        )

    def mark(self, text: str) -> str:
        """Escape a text and mark in it what is looked for."""
        if self.wanted is None:
            return escape(text)
        pieces = self.wanted.split(text)  # every second one is a hit
        return "".join(
            f"<mark>{escape(piece)}</mark>" if number % 2 else escape(piece)
            for number, piece in enumerate(pieces)
        )

    def write_latency(self, item: VisibleRun) -> str:
        length = item.end - item.start
        share = ' data-share="high"' if self.is_large(length) else ""
        if item.run.status == "running":
            ticks = f' data-live data-ticks="{length:.1f}"'
            return f'<span class="tree-row__num"{share}{ticks}>{format_duration(length)}</span>'
        seconds = item.run.latency_seconds
        shown = "" if seconds is None else format_duration(seconds)
        return f'<span class="tree-row__num"{share}>{shown}</span>'

    def describe_group(self, row: GroupRow) -> str:
        latencies = (item.run.latency_seconds for item in row.items)
        ended = sorted(seconds for seconds in latencies if seconds is not None)
        if not ended:
            return ""
        median = format_duration(ended[(len(ended) - 1) // 2])
        words = f"p50 {median}, max {format_duration(ended[-1])}"
        return f'<span class="tree-row__preview clip">{words}</span>'

    def group_figures(self, row: GroupRow) -> str:
        tokens = sum(item.tokens for item in row.items)
        return (
            self.write_mini(row.items)
            + f'<span class="tree-row__num" data-col="tokens">{format_count(tokens) if tokens else ""}</span>'
            + f'<span class="tree-row__num">{format_span(row.items)}</span>'
        )

    def write_mini(self, items: Collection[VisibleRun]) -> str:
        bars = "".join(
            f'<rect x="{x:.2f}%" y="4" width="{width:.2f}%" height="6" rx="1"/>'
            for x, width in (self.place(item, 100.0, least=0.7) for item in thin_out(items))
        )
        return f'<svg class="tree-row__mini" aria-hidden="true"><line x2="100%" y1="7" y2="7"/>{bars}</svg>'

    def place(self, item: VisibleRun, width: float, *, least: float) -> tuple[float, float]:
        """Return where a bar begins and how wide it is, in percent; it never leaves the plot."""
        scale = width / self.layout.duration
        length = min(max(least, (item.end - item.start) * scale), width)
        return max(0.0, min(item.start * scale, width - length)), length

    def is_large(self, seconds: float) -> bool:
        return seconds >= SHARE_OF_TRACE * self.layout.duration

    def slow_mark(self, item: VisibleRun) -> str:
        """Mark leaves that took long: what the key for the next slow run walks through."""
        is_slow = not item.children and self.is_large(item.end - item.start)
        return " data-slow" if is_slow else ""


def thin_out(items: Collection[VisibleRun]) -> list[VisibleRun]:
    listed = list(items)
    return listed[:: -(-len(listed) // MAX_BARS)] if len(listed) > MAX_BARS else listed


def format_span(items: Collection[VisibleRun]) -> str:
    return format_duration(max(item.end for item in items) - min(item.start for item in items))


def _preview_of(item: VisibleRun) -> str:
    """One line of the run: its error, for a root what was asked, else what came out."""
    run = item.run
    if run.status == "error" and run.error:
        return first_words(run.error)
    if item.parent is None:
        return run.inputs_preview or run.outputs_preview
    if run.status == "running":
        return "streaming" if run.first_token_time else run.outputs_preview
    return run.outputs_preview or run.inputs_preview
