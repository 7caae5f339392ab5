"""A whole trace, its runs seen together: spans are linked to their parents, and totals rolled up.

A trace that comes whole in one drain is finished there, in memory. One that comes in parts is finished
by the follow-up, when it has gone quiet: doing it with each part would read all of it each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from collector.storage.copy import raw_connection
from collector.storage.row import COUNTED_RUN_TYPES

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
COSTS = ("prompt_cost", "completion_cost", "total_cost")
MEASURES = TOKENS + COSTS
SUBTREE = tuple(f"subtree_{name}" for name in MEASURES)
NOTHING = (None,) * len(MEASURES)
SPAN_BITS = 64

Measures = tuple[Any, ...]  # int or Decimal or None, in the order of MEASURES

READ = """
SELECT id, parent_run_id, span_id, run_type, prompt_tokens, completion_tokens, total_tokens,
       prompt_cost, completion_cost, total_cost, subtree_prompt_tokens, subtree_completion_tokens,
       subtree_total_tokens, subtree_prompt_cost, subtree_completion_cost, subtree_total_cost
  FROM run WHERE project_id = %s AND day = %s AND trace_id = %s
"""

LOCK = "SELECT 1 FROM trace WHERE project_id = %s AND day = %s AND id = %s FOR UPDATE"

WRITE = """
UPDATE run SET parent_run_id = s.parent_run_id,
       subtree_prompt_tokens = s.prompt_tokens, subtree_completion_tokens = s.completion_tokens,
       subtree_total_tokens = s.total_tokens, subtree_prompt_cost = s.prompt_cost,
       subtree_completion_cost = s.completion_cost, subtree_total_cost = s.total_cost
  FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[],
              %s::numeric[])
    AS s (id, parent_run_id, prompt_tokens, completion_tokens, total_tokens, prompt_cost, completion_cost,
          total_cost)
 WHERE run.project_id = %s AND run.day = %s AND run.id = s.id
"""


class Linked(Protocol):
    """What linking and rolling up need of a run: `RunRow` has it."""

    id: UUID
    parent_run_id: UUID | None
    span_id: int | None
    run_type: str | None


class _Row:
    """A stored run, with its measures and those of its sub-tree."""

    __slots__ = ("id", "parent_run_id", "span_id", "run_type", *MEASURES, *SUBTREE)

    id: UUID
    parent_run_id: UUID | None
    span_id: int | None
    run_type: str | None

    def __init__(self, values: Sequence[Any]) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            setattr(self, name, value)

    def state(self) -> tuple[Any, ...]:
        """Return what linking and rolling up may change."""
        return (self.id, self.parent_run_id, *(getattr(self, name) for name in SUBTREE))


def roll_up(project_id: UUID, trace_id: UUID, day: date) -> int:
    """Link and roll up a stored trace; return how many rows changed. Call inside a transaction.

    Locks the row of the trace first, as every writer of its runs does.
    """
    raw = raw_connection()
    raw.execute(LOCK, [project_id, day, trace_id])
    rows = [
        _Row(values)
        for values in raw.execute(READ, [project_id, day, trace_id], binary=True).fetchall()
    ]
    before = [row.state() for row in rows]
    link_spans(rows)
    roll_up_rows(rows)
    changed = [
        state for row, old in zip(rows, before, strict=True) if (state := row.state()) != old
    ]
    if changed:
        columns = [list(column) for column in zip(*changed, strict=True)]
        raw.execute(WRITE, [*columns, project_id, day])
    return len(changed)


def link_spans(rows: Sequence[Linked]) -> None:
    """Give runs whose parent is named by a span's id the parent that has it.

    OpenTelemetry names a parent by 8 bytes. A span has them as its `span_id`; a run of a LangSmith client
    in which spans were opened, as the first half of its own id (protocol 7.2).
    """
    ids = {row.id for row in rows}
    if all(row.parent_run_id is None or row.parent_run_id in ids for row in rows):
        return
    by_span: dict[int, UUID] = {}
    for row in rows:
        if row.span_id is None:
            by_span.setdefault(row.id.int >> SPAN_BITS, row.id)
    for row in rows:
        if row.span_id is not None:
            by_span[row.span_id % (1 << SPAN_BITS)] = row.id
    for row in rows:
        parent = row.parent_run_id
        if parent is not None and parent not in ids and 0 < parent.int < (1 << SPAN_BITS):
            found = by_span.get(parent.int, parent)
            row.parent_run_id = found if found != row.id else parent


def roll_up_rows(rows: Sequence[Any]) -> None:
    """Set the sub-tree sums of every run that has runs below it; None where nothing below was counted.

    `rows` are all runs of one trace, RunRow or like it. Each counted run goes once into each of its ancestors;
    what hangs in a circle of parents is left out.
    """
    below: dict[UUID, Measures] = {}
    for row in _bottom_up(rows):
        own = (
            tuple(getattr(row, name) for name in MEASURES)
            if row.run_type in COUNTED_RUN_TYPES
            else None
        )
        under = below.pop(row.id, None)
        total = _added(under, own)
        if total is not None and row.parent_run_id is not None:
            below[row.parent_run_id] = _added(below.get(row.parent_run_id), total) or total
        if under is not None or row.subtree_total_tokens is not None:
            sums = total if under is not None else None
            for name, value in zip(SUBTREE, sums or NOTHING, strict=True):
                setattr(row, name, value)


def _added(left: Measures | None, right: Measures | None) -> Measures | None:
    if left is None or right is None:
        return left if right is None else right
    return tuple(
        b if a is None else a if b is None else a + b for a, b in zip(left, right, strict=True)
    )


def _bottom_up(rows: Sequence[Any]) -> list[Any]:
    """Return the runs, each behind all runs below it, without those in a circle of parents."""
    waiting = {row.id: 0 for row in rows}
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.parent_run_id in waiting:
            waiting[row.parent_run_id] += 1
    ready = [row for row in rows if not waiting[row.id]]
    for row in ready:  # grows while it is walked
        parent = by_id.get(row.parent_run_id)
        if parent is not None:
            waiting[parent.id] -= 1
            if not waiting[parent.id]:
                ready.append(parent)
    return ready
