"""Deleting runs so that nothing of them stays: rows, payloads, files, feedback.

Each function is one bounded step: call it inside a transaction. As every writer does, it locks the rows of the
traces first, in key order; so nobody writes, rolls up or seals a trace of which something is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from collector.storage import payload
from collector.storage.blocks import PayloadLayer, make_blocks, read_block
from collector.storage.copy import copy_rows, raw_connection
from collector.storage.errors import UnreadableBlock
from collector.storage.rollup import roll_up
from collector.storage.text_index import forget_traces
from collector.storage.write import TraceKey, recount_trace

logger = logging.getLogger(__name__)

MAX_TRACES = 200  # a step; and of these so many that they hold
MAX_RUNS = 5_000
MAX_ROWS = 1_000  # of anything else

NEXT_TRACES = """
SELECT day, id, run_count FROM trace WHERE project_id = %s ORDER BY day, id LIMIT %s
"""
TRACES_BY_ID = """
SELECT day, id, run_count FROM trace WHERE project_id = %s AND id = ANY(%s::uuid[]) ORDER BY day, id LIMIT %s
"""
LOCK_TRACES = """
SELECT 1 FROM trace WHERE project_id = %s AND day = ANY(%s) AND id = ANY(%s::uuid[]) ORDER BY day, id FOR UPDATE
"""
DELETE_RUNS_OF_TRACES = """
DELETE FROM run WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s::uuid[]) RETURNING id
"""
OF_TRACES = (
    "payload",
    "trace_terms",
    "follow_up",
    "provisional_trace",
)  # have a trace_id in their key

PLACES = """
SELECT day, trace_id, id FROM run WHERE project_id = %s AND id = ANY(%s::uuid[]) ORDER BY day, trace_id LIMIT %s
"""
TREE = "SELECT id, parent_run_id FROM run WHERE project_id = %s AND day = %s AND trace_id = %s"
BLOCKS = """
SELECT id, run_ids, data FROM payload
 WHERE project_id = %s AND day = %s AND trace_id = %s AND run_ids && %s::uuid[] FOR UPDATE
"""

# The tables of what belongs to no trace (any more), and what tells their rows apart within a project.
REST = {
    "run": "id", "payload": "id", "attachment": "run_id", "trace_terms": "trace_id",
    "text_queue": "trace_id", "trace_text": "trace_id",
    "follow_up": "trace_id", "provisional_trace": "trace_id", "feedback": "id", "dead_letter": "id",
}  # fmt: skip


def delete_next_traces(project_id: UUID) -> list[UUID]:
    """Delete some traces of a project, and return the ids of their runs; none when there are none left."""
    return _delete_some(project_id, _fetch(NEXT_TRACES, project_id, MAX_TRACES))


def delete_traces_by_id(project_id: UUID, trace_ids: Sequence[UUID]) -> list[UUID]:
    """Delete some of these traces, and return the ids of their runs; none when there are none left."""
    if not trace_ids:
        return []
    return _delete_some(project_id, _fetch(TRACES_BY_ID, project_id, list(trace_ids), MAX_TRACES))


def _delete_some(project_id: UUID, traces: Iterable[Sequence[Any]]) -> list[UUID]:
    keys: list[TraceKey] = []
    runs = 0
    for day, trace_id, run_count in traces:
        runs += run_count
        if keys and runs > MAX_RUNS:
            break
        keys.append((day, trace_id))
    return delete_traces(project_id, keys)


def delete_traces(project_id: UUID, keys: Sequence[TraceKey]) -> list[UUID]:
    """Delete whole traces, and return the ids of their runs (and of roots that never came)."""
    if not keys:
        return []
    days, trace_ids = sorted({day for day, _ in keys}), sorted({trace_id for _, trace_id in keys})
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TRACES, [project_id, days, trace_ids])
        cursor.execute(DELETE_RUNS_OF_TRACES, [project_id, days, trace_ids])
        run_ids = sorted({*trace_ids, *(run_id for (run_id,) in cursor.fetchall())})
        for table in OF_TRACES:
            cursor.execute(
                f"DELETE FROM {table} WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s::uuid[])",  # noqa: S608 (our own words)
                [project_id, days, trace_ids],
            )
        cursor.execute(
            "DELETE FROM trace WHERE project_id = %s AND day = ANY(%s) AND id = ANY(%s::uuid[])",
            [project_id, days, trace_ids],
        )
    forget_traces(project_id, keys)
    _delete_belongings(project_id, days, run_ids)
    return run_ids


def delete_runs_by_id(project_id: UUID, run_ids: Sequence[UUID]) -> list[UUID]:
    """Delete some of these runs, each with all below it, and return what was deleted; none when none are left."""
    places = _fetch(PLACES, project_id, list(run_ids), MAX_TRACES) if run_ids else []
    tops: dict[TraceKey, set[UUID]] = {}
    for day, trace_id, run_id in places:
        tops.setdefault((day, trace_id), set()).add(run_id)
    if not tops:
        return []
    key = min(tops)  # one trace a step
    return _delete_subtrees(project_id, *key, tops[key])


def _delete_subtrees(
    project_id: UUID, day: date, trace_id: UUID, tops: Collection[UUID]
) -> list[UUID]:
    _fetch(LOCK_TRACES, project_id, [day], [trace_id])
    tree = _fetch(TREE, project_id, day, trace_id)
    gone = _below(tops, tree)
    if trace_id in gone or len(gone) == len(tree):
        return delete_traces(project_id, [(day, trace_id)])
    run_ids = sorted(gone)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM run WHERE project_id = %s AND day = %s AND id = ANY(%s::uuid[])",
            [project_id, day, run_ids],
        )
    _delete_belongings(project_id, [day], run_ids)
    _cut_blocks(project_id, day, trace_id, gone)
    recount_trace(project_id, day, trace_id)
    roll_up(project_id, trace_id, day)
    # trace_terms keeps its hashes: they only say "perhaps", and a reader looks
    return run_ids


def _below(tops: Collection[UUID], tree: Iterable[Sequence[Any]]) -> set[UUID]:
    """Return the tops that are in the tree, and all runs below them."""
    children: dict[UUID | None, list[UUID]] = {}
    waiting: list[UUID] = []
    for run_id, parent_id in tree:
        children.setdefault(parent_id, []).append(run_id)
        if run_id in tops:
            waiting.append(run_id)
    gone: set[UUID] = set()
    while waiting:
        run_id = waiting.pop()
        gone.add(run_id)
        waiting += children.pop(run_id, ())
    return gone


def _delete_belongings(project_id: UUID, days: Sequence[date], run_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM attachment WHERE project_id = %s AND day = ANY(%s) AND run_id = ANY(%s::uuid[])",
            [project_id, list(days), list(run_ids)],
        )
        cursor.execute(
            "DELETE FROM feedback WHERE project_id = %s AND run_id = ANY(%s::uuid[])",
            [project_id, list(run_ids)],
        )


def _cut_blocks(project_id: UUID, day: date, trace_id: UUID, gone: Collection[UUID]) -> None:
    """Write the blocks that hold deleted runs anew, without them."""
    rows = _fetch(BLOCKS, project_id, day, trace_id, sorted(gone))
    pieces = list(_kept_pieces(rows, gone))
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM payload WHERE project_id = %s AND day = %s AND trace_id = %s AND id = ANY(%s::uuid[])",
            [project_id, day, trace_id, [block_id for block_id, _, _ in rows]],
        )
    with raw_connection().cursor() as raw_cursor:
        copy_rows(
            raw_cursor,
            "payload",
            payload.COLUMNS,
            payload.TYPES,
            (payload.block_row(project_id, trace_id, day, block) for block in make_blocks(pieces)),
        )


def _kept_pieces(
    rows: Iterable[Sequence[Any]], gone: Collection[UUID]
) -> Iterator[tuple[UUID, list[PayloadLayer]]]:
    for block_id, run_ids, data in rows:
        kept = set(run_ids).difference(gone)
        try:
            yield from list(read_block(run_ids, bytes(data), kept))
        except UnreadableBlock:  # whatever may be in it has to go, and nobody could read the rest
            logger.warning("deleted the damaged block %s with what was to be deleted", block_id)


def delete_rest(project_id: UUID) -> int:
    """Delete some of what a project has beside its traces, and return how many rows; 0 when all is gone."""
    with connection.cursor() as cursor:
        for table, key in REST.items():
            cursor.execute(
                f"SELECT {key} FROM {table} WHERE project_id = %s LIMIT %s",  # noqa: S608
                [project_id, MAX_ROWS],
            )
            ids = [id_ for (id_,) in cursor.fetchall()]
            if ids:
                cursor.execute(
                    f"DELETE FROM {table} WHERE project_id = %s AND {key} = ANY(%s::uuid[])",  # noqa: S608
                    [project_id, ids],
                )
                return len(ids)
    return 0


def delete_feedback(project_id: UUID, feedback_ids: Sequence[UUID]) -> None:
    """Delete single judgements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM feedback WHERE project_id = %s AND id = ANY(%s::uuid[])",
            [project_id, list(feedback_ids)],
        )


def _fetch(query: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
