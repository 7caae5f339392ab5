"""Runs of one trace → a tree in display order. Pure, and linear in the number of runs but for sorting.

It never recurses (traces 5,000 levels deep exist), loses no run, and ends on any input: a run whose
parent is not there hangs under the root, and so does the first run of a circle of parents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from collector.reads.types import RunNode, RunSummary

HIDDEN_TAG = "langsmith:hidden"  # LangGraph's own mark for its writers and routers
PLUMBING_NAMES = frozenset({"RunnableCallable", "__start__", "__end__", "_write"})
PLUMBING_NAME_STARTS = ("ChannelWrite", "ChannelRead", "Branch<")


def order_tree(runs: Sequence[RunSummary], trace_id: UUID) -> tuple[RunNode, ...]:
    """Return all runs depth first, siblings by (position, id).

    Where the root was not received there is none: what would hang below it has depth 0.
    """
    by_id = {run.id: run for run in runs}
    in_order = sorted(by_id.values(), key=_position)
    root = by_id.get(trace_id)
    children, top = _children(in_order, by_id, root)
    places = _walk(root, top, children)
    if len(places) < len(by_id):
        top = sorted([*top, *_first_of_circles(in_order, children, places)], key=_position)
        places = _walk(root, top, children)
    return _nodes(places)


def is_plumbing_name(run: RunSummary) -> bool:
    """Return whether a framework made this run for itself, by its name and tags."""
    return (
        run.name in PLUMBING_NAMES
        or run.name.startswith(PLUMBING_NAME_STARTS)
        or HIDDEN_TAG in run.tags
    )


def _position(run: RunSummary) -> tuple[datetime, UUID]:
    return run.position, run.id


class _Place:
    """A run where it stands, with what is counted from below."""

    __slots__ = ("depth", "is_last", "parent", "run")

    def __init__(self, run: RunSummary, parent: int, depth: int, *, is_last: bool) -> None:
        self.run, self.parent, self.depth, self.is_last = run, parent, depth, is_last


def _children(
    in_order: Iterable[RunSummary], by_id: dict[UUID, RunSummary], root: RunSummary | None
) -> tuple[dict[UUID, list[RunSummary]], list[RunSummary]]:
    """Return the children of each run but the root, and what stands directly below the root."""
    children: dict[UUID, list[RunSummary]] = {}
    top: list[RunSummary] = []
    root_id = root.id if root else None
    for run in in_order:
        if run.id == root_id:
            continue
        parent_id = run.parent_run_id
        if parent_id is None or parent_id == root_id or parent_id not in by_id:
            top.append(run)
        else:
            children.setdefault(parent_id, []).append(run)
    return children, top


def _walk(
    root: RunSummary | None, top: Sequence[RunSummary], children: dict[UUID, list[RunSummary]]
) -> list[_Place]:
    """Return the places of all runs that are reached, depth first."""
    places: list[_Place] = []
    if root is not None:
        places.append(_Place(root, -1, 0, is_last=True))
    parent, depth = (0, 1) if root is not None else (-1, 0)
    taken = {run.id for run in top}
    waiting = _level(top, parent, depth)
    while waiting:
        place = waiting.pop()
        places.append(place)
        below = [run for run in children.get(place.run.id, ()) if run.id not in taken]
        waiting += _level(below, len(places) - 1, place.depth + 1)
    return places


def _level(runs: Sequence[RunSummary], parent: int, depth: int) -> list[_Place]:
    """Return the places of siblings, last one first: they are taken from the end."""
    last = len(runs) - 1
    return [
        _Place(runs[number], parent, depth, is_last=number == last)
        for number in range(last, -1, -1)
    ]


def _first_of_circles(
    in_order: Iterable[RunSummary],
    children: dict[UUID, list[RunSummary]],
    places: Iterable[_Place],
) -> list[RunSummary]:
    """Return the first run of each circle of parents: from these all that is left is reached."""
    reached = {place.run.id for place in places}
    firsts: list[RunSummary] = []
    for run in in_order:
        if run.id in reached:
            continue
        firsts.append(run)
        waiting = [run.id]
        while waiting:
            run_id = waiting.pop()
            if run_id not in reached:
                reached.add(run_id)
                waiting += [child.id for child in children.get(run_id, ())]
    return firsts


def _nodes(places: Sequence[_Place]) -> tuple[RunNode, ...]:
    """Count from the last place to the first: everything below a run stands after it."""
    count = len(places)
    child_count, descendant_count, error_count = [0] * count, [0] * count, [0] * count
    is_plumbing = [
        place.depth > 0 and place.run.status != "error" and is_plumbing_name(place.run)
        for place in places
    ]
    for number in range(count - 1, -1, -1):
        place = places[number]
        if place.parent < 0:
            continue
        parent = place.parent
        child_count[parent] += 1
        descendant_count[parent] += 1 + descendant_count[number]
        error_count[parent] += error_count[number] + (place.run.status == "error")
        if not is_plumbing[number]:
            is_plumbing[parent] = False  # it leads to what a reader wants to see
    return tuple(
        RunNode(
            run=place.run,
            depth=place.depth,
            child_count=child_count[number],
            descendant_count=descendant_count[number],
            error_count=error_count[number],
            is_orphan=_is_orphan(place, places),
            is_last_child=place.is_last,
            is_plumbing=is_plumbing[number],
        )
        for number, place in enumerate(places)
    )


def _is_orphan(place: _Place, places: Sequence[_Place]) -> bool:
    """Return whether the run has a parent, but stands elsewhere."""
    parent_id = place.run.parent_run_id
    if parent_id is None or place.run.id == place.run.trace_id:
        return False
    return place.parent < 0 or places[place.parent].run.id != parent_id
