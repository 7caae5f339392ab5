"""What a share opens: one run and all below it. Nothing here reads by any other id than it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from collector.models import SharedRun
from collector.reads.runs import find_run, get_run, list_runs
from collector.reads.sql import fetch_all
from collector.reads.traces import MAX_TREE_RUNS, get_tree
from collector.reads.types import Page, RunDetail, RunFilter, RunNode, RunSummary, TraceTree

SEGMENT_SEPARATOR = "."  # of a dotted_order

PARENTS = """
SELECT id, parent_run_id FROM run
 WHERE project_id = %(project_id)s AND day = %(day)s AND trace_id = %(trace_id)s
"""


def is_whole_trace(shared: SharedRun) -> bool:
    """Return whether the shared run is the root: orphans, which hang below it, are then open too."""
    return shared.run_id == shared.trace_id


def shared_run_ids(shared: SharedRun) -> frozenset[UUID]:
    """Return the ids of the runs that are open."""
    params = {"project_id": shared.project_id, "day": shared.day, "trace_id": shared.trace_id}
    rows = fetch_all(PARENTS, params)
    if is_whole_trace(shared):
        return frozenset(run_id for run_id, _ in rows)
    children: dict[UUID | None, list[UUID]] = {}
    for run_id, parent_id in rows:
        children.setdefault(parent_id, []).append(run_id)
    found = {shared.run_id}
    waiting = [shared.run_id]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found.update(below)
        waiting += below
    return frozenset(found)


def find_shared_run(shared: SharedRun, run_id: UUID) -> RunSummary | None:
    """Return an open run, or None for any other."""
    run = find_run([shared.project_id], run_id, shared.day)
    if run is None or (run.trace_id, run.day) != (shared.trace_id, shared.day):
        return None
    is_open = is_whole_trace(shared) or run_id == shared.run_id
    return run if is_open or run_id in shared_run_ids(shared) else None


def get_shared_run(shared: SharedRun, run_id: UUID) -> RunDetail | None:
    """Return an open run with its payload, as if the shared run were a root: what lies above it stays hidden."""
    run = find_shared_run(shared, run_id)
    detail = get_run([shared.project_id], run_id, shared.day) if run is not None else None
    if detail is None or is_whole_trace(shared):
        return detail
    parents = detail.parent_run_ids
    depth = parents.index(shared.run_id) if shared.run_id in parents else len(parents)
    segments = detail.dotted_order.split(SEGMENT_SEPARATOR)
    return dataclasses.replace(
        detail,
        run=below_top(detail.run, shared.run_id),
        parent_run_ids=parents[depth:],
        dotted_order=SEGMENT_SEPARATOR.join(segments[depth:]),
    )


def below_top(run: RunSummary, top_id: UUID) -> RunSummary:
    """Return a run as it looks from a share: the shared run is the root of its trace."""
    parent_run_id = None if run.id == top_id else run.parent_run_id
    return dataclasses.replace(run, trace_id=top_id, parent_run_id=parent_run_id)


def list_shared_runs(
    shared: SharedRun,
    wanted: Collection[UUID] | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[RunSummary]:
    """Return a page of the open runs, oldest first; of those wanted only.

    Raises:
        BadCursor, ReadTimeout: as `list_runs` does.
    """
    ids = frozenset(wanted or ())
    if not is_whole_trace(shared):
        open_ids = shared_run_ids(shared)
        ids = ids & open_ids if wanted else open_ids
        if not ids:
            return Page(items=(), next_cursor=None)
    filter_ = RunFilter(trace_id=shared.trace_id, ids=tuple(ids))
    return list_runs([shared.project_id], filter_, cursor, limit, is_descending=False)


def get_shared_tree(shared: SharedRun, limit: int = MAX_TREE_RUNS) -> TraceTree | None:
    """Return the open runs as a tree whose trace has the face of the shared run; None where that is not stored.

    Raises:
        ReadTimeout: the database took too long.
    """
    is_trace = is_whole_trace(shared)
    tree = get_tree([shared.project_id], shared.trace_id, limit if is_trace else MAX_TREE_RUNS)
    if tree is None or is_trace:
        return tree
    below = _subtree(tree.nodes, shared.run_id)
    if not below:
        return None
    top, runs = below[0].run, [node.run for node in below]
    counted = [run for run in runs if run.run_type in ("llm", "embedding")]
    trace = dataclasses.replace(
        tree.trace,
        id=top.id,
        has_root=True,
        name=top.name,
        run_type=top.run_type,
        status=top.status,
        start_time=top.start_time,
        end_time=top.end_time,
        latency_seconds=top.latency_seconds,
        first_token_time=top.first_token_time,
        inputs_preview=top.inputs_preview,
        outputs_preview=top.outputs_preview,
        error=top.error,
        tags=top.tags,
        thread_id=top.thread_id,
        user_id=top.user_id,
        run_count=len(runs),
        ended_count=sum(run.end_time is not None for run in runs),
        error_count=sum(run.status == "error" for run in runs),
        prompt_tokens=sum(run.prompt_tokens or 0 for run in counted),
        completion_tokens=sum(run.completion_tokens or 0 for run in counted),
        total_tokens=sum(run.total_tokens or 0 for run in counted),
        prompt_cost=_first_known(top.subtree_prompt_cost, top.prompt_cost),
        completion_cost=_first_known(top.subtree_completion_cost, top.completion_cost),
        total_cost=_first_known(top.subtree_total_cost, top.total_cost),
    )
    return TraceTree(
        trace=trace,
        nodes=below[:limit],
        orphan_count=0,
        truncated_count=max(len(below) - limit, 0),
    )


def _first_known(*costs: Decimal | None) -> Decimal | None:
    return next((cost for cost in costs if cost is not None), None)


def _subtree(nodes: tuple[RunNode, ...], run_id: UUID) -> tuple[RunNode, ...]:
    """Return a run's node and those below it: they follow it, deeper than itself."""
    start = next((number for number, node in enumerate(nodes) if node.run.id == run_id), None)
    if start is None:
        return ()
    depth = nodes[start].depth
    end = start + 1
    while end < len(nodes) and nodes[end].depth > depth:
        end += 1
    return tuple(
        dataclasses.replace(
            node,
            run=below_top(node.run, run_id),
            depth=node.depth - depth,
            is_last_child=number == 0 or node.is_last_child,
            is_orphan=number > 0 and node.is_orphan,
        )
        for number, node in enumerate(nodes[start:end])
    )  # fmt: skip
