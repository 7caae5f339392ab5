"""Moving a trace into another one of its project: its runs were stored before anybody knew where they belong.

All that carries the trace's id or day goes along: runs, payloads, files, terms, feedback, shares. Rows are deleted
and inserted, as their keys never change. The rows of both traces are locked first, in key order, as every writer does.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import transaction
from django.utils import timezone

from collector.models import SharedRun
from collector.storage.copy import raw_connection
from collector.storage.cost import apply_costs
from collector.storage.errors import RunInAnotherTrace
from collector.storage.partitions import ensure_partitions
from collector.storage.provisional import find_provisional, note_moved, note_provisional
from collector.storage.rollup import roll_up
from collector.storage.row import RunRow
from collector.storage.terms import bounded
from collector.storage.trace_terms import READ_TERMS, UPSERT_TERMS
from collector.storage.write import (
    READ_RUNS,
    READ_TRACE,
    TraceKey,
    combine_rows,
    follow_up_later,
    lock_traces,
    recount_trace,
    upsert_runs,
)

logger = logging.getLogger(__name__)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # says nothing of when a trace was heard of

HEARD_AT = "SELECT last_heard_at FROM trace WHERE project_id = %s AND day = %s AND id = %s"
PLACES = "SELECT day, trace_id FROM run WHERE project_id = %s AND id = %s ORDER BY day"

MOVE_PAYLOADS = """
WITH moved AS (
  DELETE FROM payload WHERE project_id = %(project)s AND day = %(day)s AND trace_id = %(trace)s
  RETURNING project_id, id, run_ids, data
)
INSERT INTO payload (project_id, trace_id, id, day, run_ids, data)
SELECT project_id, %(new_trace)s, id, %(new_day)s, run_ids, data FROM moved
"""
MOVE_ATTACHMENTS = """
WITH moved AS (
  DELETE FROM attachment WHERE project_id = %(project)s AND day = %(day)s AND run_id = ANY(%(runs)s)
  RETURNING project_id, run_id, size_bytes, name, mime_type, data
)
INSERT INTO attachment (project_id, run_id, trace_id, day, size_bytes, name, mime_type, data)
SELECT project_id, run_id, %(new_trace)s, %(new_day)s, size_bytes, name, mime_type, data FROM moved
ON CONFLICT (project_id, run_id, name, day) DO NOTHING
"""
MOVE_FEEDBACK = """
UPDATE feedback SET trace_id = %(new_trace)s
 WHERE project_id = %(project)s AND run_id = ANY(%(runs)s) AND trace_id = %(trace)s
"""
DROP_FOLLOW_UP = "DELETE FROM follow_up WHERE project_id = %(project)s AND day = %(day)s AND trace_id = %(trace)s"


def move_traces(
    project_id: UUID, moves: Mapping[TraceKey, TraceKey], guesses: Collection[TraceKey] = ()
) -> None:
    """Move provisional traces, each in a transaction.

    One that has moved stays there, and one whose target has moved stays where it is: look again, then ask again.

    Those targets that are `guesses` are provisional, too.

    Raises:
        RunInAnotherTrace: one of the runs is stored in a third trace as well.
    """
    ensure_partitions({day for day, _ in moves.values()})
    for source, target in sorted(moves.items()):
        with transaction.atomic():
            _move(project_id, source, target)
            if target in guesses:
                note_provisional(project_id, [target])


def move_if_late(project_id: UUID, trace_id: UUID, day: date) -> bool:
    """Move a provisional trace whose run came while it was being stored; return whether it moved.

    Two transactions that see nothing of each other, one with the parent and one with the child, leave this to do.
    """
    source = (day, trace_id)
    found = find_provisional(project_id, [trace_id])
    if found.get(source, source) is not None:
        return False  # is none, or has moved
    places = raw_connection().execute(PLACES, [project_id, trace_id]).fetchall()
    # a guess at the same run in another day knows no better
    target = next((place for place in places if place not in found), None)
    if target is None:
        return False
    try:
        move_traces(project_id, {source: target})
    except RunInAnotherTrace as error:
        logger.warning("trace %s stays apart from trace %s: %s", trace_id, target[1], error)
        return False
    return True


def _move(project_id: UUID, source: TraceKey, target: TraceKey) -> None:
    raw = raw_connection()
    nothing = dict.fromkeys((source, target), LONG_AGO)
    lock_traces(raw, project_id, nothing, nothing)
    found = find_provisional(project_id, [source[1], target[1]])
    # not to where nothing is any more: who asks again knows where that has gone, and nothing goes in a circle
    if found.get(source, source) is None and found.get(target) is None:
        heard = raw.execute(HEARD_AT, [project_id, *source]).fetchone()
        assert heard is not None  # it is locked
        lock_traces(raw, project_id, {target: LONG_AGO}, {target: heard[0]})
        _move_rows(raw, project_id, source, target)
        note_moved(project_id, source, target)
    for day, trace_id in (source, target):
        recount_trace(project_id, day, trace_id)  # one that is empty goes
    roll_up(project_id, target[1], target[0])


def _move_rows(
    raw: psycopg.Connection[Any], project_id: UUID, source: TraceKey, target: TraceKey
) -> None:
    run_ids = _move_runs(raw, project_id, source, target)
    (day, trace_id), (new_day, new_trace_id) = source, target
    words = {
        "project": project_id, "day": day, "trace": trace_id, "runs": run_ids,
        "new_day": new_day, "new_trace": new_trace_id,
    }  # fmt: skip
    for statement in (MOVE_PAYLOADS, MOVE_ATTACHMENTS, MOVE_FEEDBACK, DROP_FOLLOW_UP):
        raw.execute(statement, words)
    _move_terms(raw, project_id, source, target)
    follow_up_later(project_id, [target], timezone.now())
    SharedRun.objects.filter(project_id=project_id, run_id__in=run_ids).update(
        trace_id=new_trace_id, day=new_day
    )


def _move_runs(
    raw: psycopg.Connection[Any], project_id: UUID, source: TraceKey, target: TraceKey
) -> list[UUID]:
    """Move the rows and return the ids; a run that is in the target too becomes one of both."""
    found = raw.execute(READ_TRACE, [project_id, *source], binary=True).fetchall()
    rows = [RunRow.from_database(values) for values in found]
    run_ids = [row.id for row in rows]
    raw.execute(
        "DELETE FROM run WHERE project_id = %s AND day = %s AND trace_id = %s",
        [project_id, *source],
    )
    found = raw.execute(READ_RUNS, [project_id, [target[0]], run_ids], binary=True).fetchall()
    present = {row.id: row for row in map(RunRow.from_database, found)}
    for number, row in enumerate(rows):
        if row.id in present:
            row = rows[number] = combine_rows(present[row.id], row)
        row.day, row.trace_id = target
    if present:
        apply_costs(project_id, rows)
    upsert_runs(raw, rows)
    return run_ids


def _move_terms(
    raw: psycopg.Connection[Any], project_id: UUID, source: TraceKey, target: TraceKey
) -> None:
    days, trace_ids = zip(source, target, strict=True)
    found = raw.execute(READ_TERMS, [project_id, list(days), list(trace_ids)]).fetchall()
    terms = [set(made) for day, trace_id, made in found if (day, trace_id) in (source, target)]
    raw.execute(
        "DELETE FROM trace_terms WHERE project_id = %s AND day = %s AND trace_id = %s",
        [project_id, *source],
    )
    raw.execute(UPSERT_TERMS, [project_id, target[1], target[0], bounded(set[int]().union(*terms))])
