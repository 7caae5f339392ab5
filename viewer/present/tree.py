"""A trace as the rows of its tree: what is shown, in which order, how deep, and what is folded away.

Knows nothing of markup; `tree_rows.py` writes it. O(n) in the runs of the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from collector.reads.types import RunNode, RunSummary, TraceTree
from viewer.present.run_types import find_graphs

GROUP_SIZE = 5  # equal siblings from this many on fold into one row
MAX_ROWS = 2_000  # more come by "Show more"
SHARE_OF_TRACE = 0.2  # a latency from here on is written strongly
TOKEN_TYPES = ("llm", "embedding")


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """What the query string says about the tree."""

    show_plumbing: bool = False
    open_groups: frozenset[UUID] = frozenset()
    selected: UUID | None = None
    max_rows: int = MAX_ROWS
    text: str = ""  # only runs that hold it, and the runs above them


@dataclass(slots=True, eq=False)
class VisibleRun:
    """A run that has a place in the shown tree; hidden runs hand their children to it."""

    node: RunNode
    start: float  # seconds from the start of the trace
    end: float
    parent: VisibleRun | None
    children: list[VisibleRun] = field(default_factory=list)
    tokens: int = 0  # of itself and all below

    @property
    def run(self) -> RunSummary:
        return self.node.run


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `guides` has one sign a level: `|` line, ` ` none, `+` tee, `L` elbow."""

    item: VisibleRun
    guides: str
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Equal siblings as one row. Its runs follow it, one level deeper, when it is open."""

    items: tuple[VisibleRun, ...]
    guides: str
    is_open: bool

    @property
    def id(self) -> UUID:
        return self.items[0].run.id


@dataclass(frozen=True, slots=True)
class PlumbingRow:
    """Stands for all plumbing of the trace while that is hidden."""

    count: int
    guides: str


Row = RunRow | GroupRow | PlumbingRow


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """The rows, and the time that they share."""

    rows: tuple[Row, ...]
    roots: tuple[VisibleRun, ...]
    duration: float  # seconds from the first start to the last end, never 0
    start_time: datetime
    plumbing_count: int
    match_count: int  # runs that hold the text looked for
    more_count: int  # rows past the limit, and runs that the call did not read
    graphs: frozenset[UUID]  # runs that are graphs, though they are typed chain


def lay_out_tree(tree: TraceTree, options: TreeOptions, *, now: datetime) -> TreeLayout:
    """Return the rows of a trace. `now` is where runs that have not ended reach to."""
    start_time = min((node.run.start_time for node in tree.nodes), default=tree.trace.start_time)
    horizon = (_horizon(tree, now) - start_time).total_seconds()
    roots, plumbing_count = _place(tree.nodes, options, start_time, horizon)
    duration = max([1e-6, *(item.end for item in walk(roots))])
    _sum_tokens(roots)
    match_count = 0
    if options.text:
        roots, match_count = _narrow(roots, options.text.casefold())
    is_whole = options.show_plumbing or options.text
    rows, more = _write_rows(roots, options, 0 if is_whole else plumbing_count)
    return TreeLayout(
        rows=tuple(rows),
        roots=tuple(roots),
        duration=duration,
        start_time=start_time,
        plumbing_count=plumbing_count,
        match_count=match_count,
        more_count=more + tree.truncated_count,
        graphs=find_graphs(tree.nodes),
    )


def _horizon(tree: TraceTree, now: datetime) -> datetime:
    """Where bars without an end reach to: now, or where a dead trace fell silent."""
    return now if tree.trace.status == "running" else tree.trace.last_heard_at


def _is_hidden(node: RunNode, options: TreeOptions) -> bool:
    """Plumbing hides, but not the selected run, and not where an error has no other row."""
    if not node.is_plumbing or node.depth == 0 or node.run.id == options.selected:
        return False
    return not (node.run.status == "error" and node.error_count == 0)


def _place(
    nodes: Sequence[RunNode], options: TreeOptions, start_time: datetime, horizon: float
) -> tuple[list[VisibleRun], int]:
    """Return the shown roots, and how many runs are plumbing that may hide."""
    roots: list[VisibleRun] = []
    path: list[tuple[int, VisibleRun | None]] = []  # (depth in the trace, nearest shown run)
    plumbing_count = 0
    for node in nodes:
        while path and path[-1][0] >= node.depth:
            path.pop()
        parent = path[-1][1] if path else None
        if _is_hidden(node, options):
            plumbing_count += 1
            if not options.show_plumbing:
                path.append((node.depth, parent))
                continue
        start = (node.run.start_time - start_time).total_seconds()
        ended = node.run.end_time
        end = (ended - start_time).total_seconds() if ended else horizon
        item = VisibleRun(node, start, max(start, end), parent)
        (parent.children if parent else roots).append(item)
        path.append((node.depth, item))
    return roots, plumbing_count


def walk(roots: Sequence[VisibleRun]) -> list[VisibleRun]:
    """Return all shown runs, depth first: parents before their children."""
    found: list[VisibleRun] = []
    waiting = list(reversed(roots))
    while waiting:
        item = waiting.pop()
        found.append(item)
        waiting.extend(reversed(item.children))
    return found


def _sum_tokens(roots: Sequence[VisibleRun]) -> None:
    """Roll tokens up. A parent's own figure repeats what its models used, so it counts only alone."""
    for item in reversed(walk(roots)):
        below = sum(child.tokens for child in item.children)
        item.tokens = below or item.run.total_tokens or 0


def _narrow(roots: Sequence[VisibleRun], text: str) -> tuple[list[VisibleRun], int]:
    """Keep the runs that hold the text and those above them; return the roots left and the matches."""
    kept: set[VisibleRun] = set()
    match_count = 0
    for item in reversed(walk(roots)):  # children before their parents
        is_match = _holds(item.run, text)
        match_count += is_match
        item.children = [child for child in item.children if child in kept]
        if is_match or item.children:
            kept.add(item)
    return [root for root in roots if root in kept], match_count


def _holds(run: RunSummary, text: str) -> bool:
    fields = (run.name, run.model, run.error, run.outputs_preview, run.inputs_preview, run.run_type)
    return any(text in field.casefold() for field in fields if field)


# --- Rows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Todo:
    """Something still to be written, with the guides of its parent's children."""

    what: VisibleRun | tuple[VisibleRun, ...] | int  # a run, a group, a count of plumbing
    stem: str  # guides of all levels above
    is_last: bool
    is_root: bool = False


def _write_rows(
    roots: Sequence[VisibleRun], options: TreeOptions, hidden_count: int
) -> tuple[list[Row], int]:
    rows: list[Row] = []
    waiting = [_Todo(root, "", is_last=True, is_root=True) for root in reversed(roots)]
    while waiting:
        todo = waiting.pop()
        guides = "" if todo.is_root else todo.stem + ("L" if todo.is_last else "+")
        stem = "" if todo.is_root else todo.stem + (" " if todo.is_last else "|")
        below: list[VisibleRun | tuple[VisibleRun, ...] | int] = []
        if isinstance(todo.what, int):
            rows.append(PlumbingRow(todo.what, guides))
        elif isinstance(todo.what, tuple):
            is_open = _is_open(todo.what, options)
            rows.append(GroupRow(todo.what, guides, is_open))
            below = list(todo.what) if is_open else []
        else:
            rows.append(RunRow(todo.what, guides))
            below = list(todo.what.children) if options.text else _group(todo.what.children)
            if todo.is_root and hidden_count and todo.what is roots[-1]:
                below.append(hidden_count)
        waiting.extend(
            _Todo(item, stem, is_last=number == 0) for number, item in enumerate(reversed(below))
        )
        if len(rows) >= options.max_rows:
            return rows, _count_waiting(waiting)
    return rows, 0


def _count_waiting(waiting: Sequence[_Todo]) -> int:
    """Return how many runs are still to be written."""
    count = 0
    for todo in waiting:
        if isinstance(todo.what, tuple):
            count += len(todo.what)
        elif isinstance(todo.what, VisibleRun):
            count += len(walk([todo.what]))
    return count


def _group(children: list[VisibleRun]) -> list[VisibleRun | tuple[VisibleRun, ...] | int]:
    """Put neighbours together that are equal: same name and type, nothing below."""
    if len(children) < GROUP_SIZE:
        return list(children)
    grouped: list[VisibleRun | tuple[VisibleRun, ...] | int] = []
    start = 0
    for index in range(1, len(children) + 1):
        if index < len(children) and _are_equal(children[start], children[index]):
            continue
        same = children[start:index]
        if len(same) >= GROUP_SIZE:
            grouped.append(tuple(same))
        else:
            grouped.extend(same)
        start = index
    return grouped


def _are_equal(first: VisibleRun, second: VisibleRun) -> bool:
    if first.children or second.children:
        return False
    return first.run.name == second.run.name and first.run.run_type == second.run.run_type


def _is_open(items: tuple[VisibleRun, ...], options: TreeOptions) -> bool:
    """Open by the reader's word, or because the selected run is in it."""
    if items[0].run.id in options.open_groups:
        return True
    return options.selected is not None and any(item.run.id == options.selected for item in items)
