"""The waterfall: the rows of the tree with bars on one time axis."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from viewer.present.durations import format_duration
from viewer.present.html import Html
from viewer.present.numbers import format_count
from viewer.present.timeline import find_critical_path, make_ticks
from viewer.present.trace_query import TraceQuery
from viewer.present.tree import GroupRow, RunRow, TreeLayout, VisibleRun
from viewer.present.tree_rows import RowWriter, format_span, thin_out

PLOT = 87.0  # percent of the width for bars; the rest is for the figures behind them
LABEL_TURNS_AT = 74.0  # a bar that ends after this has its figures in front of it
LABEL_NEEDS = 20.0  # where there is room for them
MIN_BAR = 0.35
MINIMAP_ROWS = 240
MINIMAP_HEIGHT = 36.0


class WaterfallWriter(RowWriter):
    """Rows whose figures stand on the bars. The critical path is drawn at full strength."""

    max_guides = 6

    def __init__(
        self,
        layout: TreeLayout,
        query: TraceQuery,
        *,
        selected: UUID | None,
        sprite: str,
    ) -> None:
        super().__init__(layout, query, selected=selected, sprite=sprite)
        self.critical = find_critical_path(layout.roots)

    def write_head(self, lead: str, text: str) -> str:
        return f'<span class="tree-row__head">{lead}{text}</span>'

    def write_marks(self, item: VisibleRun) -> str:
        return self.write_status(item)

    def describe_group(self, row: GroupRow) -> str:
        return ""

    def figures(self, item: VisibleRun) -> str:
        seconds = item.run.latency_seconds
        words = format_duration(item.end - item.start if seconds is None else seconds)
        if item.run.status == "running":
            words += " so far"
        return self.write_bars([item], words, item.tokens)

    def group_figures(self, row: GroupRow) -> str:
        tokens = sum(item.tokens for item in row.items)
        return self.write_bars(row.items, format_span(row.items), tokens)

    def write_bars(self, items: Collection[VisibleRun], words: str, tokens: int) -> str:
        is_critical = any(item in self.critical for item in items)
        pieces, left, right = [], 100.0, 0.0
        for item in thin_out(items):
            x, width = self.place(item, PLOT, least=MIN_BAR)
            left, right = min(left, x), max(right, x + width)
            box = f'x="{x:.2f}%" width="{width:.2f}%"'
            pieces.append(f'<rect class="wf__bar" {box} y="8" height="12" rx="2"/>')
            if item in self.critical:
                pieces.append(f'<rect class="wf__critical" {box} y="21" height="1.5"/>')
            pieces.append(self.write_first_token(item))
        turned = right > LABEL_TURNS_AT and left > LABEL_NEEDS
        has_room = turned or right <= LABEL_TURNS_AT
        note = _token_note(tokens) if tokens and has_room else ""
        at = f'x="{left:.2f}%" dx="-6" text-anchor="end"' if turned else f'x="{right:.2f}%" dx="6"'
        if not has_room:
            at += " data-tight"  # a narrow pane has no room for it at all
        strength = " data-critical" if is_critical else ""
        return (
            f'<svg class="wf"{strength} aria-hidden="true">{"".join(pieces)}'
            f'<text {at} y="18">{words}{note}</text></svg><span class="sr">{words}</span>'
        )

    def write_first_token(self, item: VisibleRun) -> str:
        if item.run.first_token_time is None:
            return ""
        at = (item.run.first_token_time - self.layout.start_time).total_seconds()
        if not item.start < at <= item.end:
            return ""
        x = f"{at / self.layout.duration * PLOT:.2f}%"
        return f'<line class="wf__first" x1="{x}" x2="{x}" y1="8" y2="20"/>'


def _token_note(tokens: int) -> str:
    return f'<tspan class="wf__note" dx="6">{format_count(tokens)} tok</tspan>'


def write_axis(layout: TreeLayout) -> Html:
    """Return the labelled ticks, and the whole length at the end of the axis."""
    marks = []
    for tick in make_ticks(layout.duration):
        x = f"{tick.fraction * PLOT:.2f}%"
        anchor = ' text-anchor="middle"' if tick.fraction else ""
        marks.append(f'<line x1="{x}" x2="{x}" y1="18" y2="25"/>')
        if tick.fraction < 0.9:  # else it would run into the length of the trace
            late = ' class="axis__late"' if tick.fraction > 0.75 else ""
            marks.append(f'<text x="{x}" y="14"{anchor}{late}>{tick.label}</text>')
    whole = f'<text x="{PLOT}%" y="14" text-anchor="end">{format_duration(layout.duration)}</text>'
    return Html(f'<svg class="axis__plot">{"".join(marks)}{whole}</svg>')


def write_grid(layout: TreeLayout) -> Html:
    """Return the lines behind all rows: one drawing, not one a row."""
    places = [f"{tick.fraction * PLOT:.2f}%" for tick in make_ticks(layout.duration)]
    return Html("".join(f'<line x1="{x}" x2="{x}" y2="100%"/>' for x in places))


def write_minimap(layout: TreeLayout) -> Html:
    """Return all rows as hairlines; a long trace is sampled."""
    items = [row.item for row in layout.rows if isinstance(row, RunRow)]
    step = -(-len(items) // MINIMAP_ROWS)
    items = items[:: step or 1]
    writer = RowWriter(layout, TraceQuery(), selected=None, sprite="")
    height = MINIMAP_HEIGHT / max(len(items), 12)
    bars = []
    for number, item in enumerate(items):
        x, width = writer.place(item, 100.0, least=0.3)
        failed = ' data-status="error"' if item.run.status == "error" else ""
        bars.append(
            f'<rect{failed} data-type="{writer.look_of(item.run).tone}" x="{x:.2f}%" width="{width:.2f}%"'
            f' y="{2 + number * height:.2f}" height="{min(2.0, max(0.6, height * 0.7)):.2f}"/>'
        )
    return Html("".join(bars))
