"""The log of a trace: starts, first tokens and ends in the order of time, and the silences between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from viewer.present.durations import format_duration
from viewer.present.events import format_offset
from viewer.present.failure import first_words
from viewer.present.html import EMPTY, Html, escape
from viewer.present.numbers import pluralize
from viewer.present.run_types import describe_run_type
from viewer.present.trace_query import TraceQuery
from viewer.present.tree import TreeLayout, VisibleRun, walk

MAX_LINES = 4_000
MAX_TEXT_CHARS = 160
GAP_SECONDS, GAP_SHARE = (
    1.0,
    0.1,
)  # a silence is told if it is both longer than this and this part of the trace


@dataclass(frozen=True, slots=True)
class _Line:
    at: float  # seconds from the start of the trace
    order: int  # of what happens at one time: ends before starts
    kind: str
    item: VisibleRun
    text: str
    figure: str = ""
    is_error: bool = False


def write_log(
    layout: TreeLayout, query: TraceQuery, *, selected: UUID | None, sprite: str
) -> tuple[Html, int]:
    """Return the lines as markup, and how many were left out."""
    lines = sorted(_lines(layout.roots), key=_place)
    url = escape(query.url_of_run("RUN"))
    pieces: list[str] = []
    last = 0.0
    for line in lines[:MAX_LINES]:
        silence = line.at - last
        if silence > GAP_SECONDS and silence > GAP_SHARE * layout.duration:
            pieces.append(f'<p class="log-gap">{format_duration(silence)} without an event</p>\n')
        last = line.at
        pieces.append(_write(line, layout, url, selected, sprite))
    return (Html("".join(pieces)) if pieces else EMPTY), max(len(lines) - MAX_LINES, 0)


def _place(line: _Line) -> tuple[float, int, int]:
    """Return where a line stands: of what ends at one time the innermost comes first, of starts the outermost."""
    depth = line.item.node.depth
    return line.at, line.order, -depth if line.order == 0 else depth


def _lines(roots: Sequence[VisibleRun]) -> Iterator[_Line]:
    for item in walk(roots):
        run = item.run
        yield _Line(item.start, 2, "start", item, run.inputs_preview)
        if run.first_token_time is not None:
            waited = max((run.first_token_time - run.start_time).total_seconds(), 0.0)
            text = f"after {format_duration(waited)}"
            yield _Line(item.start + waited, 1, "first token", item, text)
        if run.end_time is None:
            continue
        figure = "" if run.latency_seconds is None else format_duration(run.latency_seconds)
        if run.status == "error":
            yield _Line(item.end, 0, "error", item, first_words(run.error), figure, is_error=True)
        else:
            kind = "end" if run.status == "success" else run.status
            yield _Line(item.end, 0, kind, item, run.outputs_preview, figure)


def _write(line: _Line, layout: TreeLayout, url: str, selected: UUID | None, sprite: str) -> str:
    run = line.item.run
    look = describe_run_type(run.run_type, run.name, is_graph=run.id in layout.graphs)
    current = ' aria-current="true"' if run.id == selected else ""
    status = ' data-status="error"' if line.is_error else ""
    is_slow = (
        line.order == 0
        and not line.item.children
        and line.item.end - line.item.start >= 0.2 * layout.duration
    )
    slow = " data-slow" if is_slow else ""
    return (
        f'<a class="log-row" href="{url.replace("RUN", str(run.id))}" data-run-link data-run="{run.id}"{status}{slow}{current}>'
        f"<time>{format_offset(line.at)}</time>"
        f'<svg class="icon icon--s run-type" data-type="{look.tone}" role="img" aria-label="{look.word}">'
        f'<use href="{sprite}#{look.icon}"/></svg>'
        f'<span class="log-row__kind">{escape(line.kind)}</span>'
        f'<span class="log-row__text clip"><b dir="auto">{escape(run.name[:MAX_TEXT_CHARS])}</b> '
        f'<span dir="auto">{escape(line.text[:MAX_TEXT_CHARS])}</span></span>'
        f'<span class="num muted">{line.figure}</span></a>\n'
    )


def describe_rest(left_out: int) -> str:
    return f"{pluralize(left_out, 'later line')} not shown" if left_out else ""
