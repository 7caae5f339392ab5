"""Traces that are a guess: of runs whose parent, root or own beginning had not come when patience ended.

Such a trace has the id of the run that would know (`placing.place_by_themselves`), and a row in the table
`provisional_trace`. When that run comes and lies elsewhere, the trace is moved there (`move.py`). Its row stays and
says where to: operations that were placed before are on their way still.

A project without such traces, nearly every one, pays one look into an empty table a drain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from collector.storage.copy import raw_connection
from collector.storage.write import TraceKey

HAS_ANY = "SELECT 1 FROM provisional_trace WHERE project_id = %s LIMIT 1"
FIND = """
SELECT day, trace_id, moved_to_day, moved_to_trace_id FROM provisional_trace
 WHERE project_id = %s AND trace_id = ANY(%s) ORDER BY day, trace_id
"""
NOTE = """
INSERT INTO provisional_trace (project_id, trace_id, day)
SELECT %s, trace_id, day FROM unnest(%s::uuid[], %s::date[]) AS s (trace_id, day) ORDER BY trace_id, day
ON CONFLICT (project_id, trace_id, day) DO NOTHING
"""
FORGET = "DELETE FROM provisional_trace WHERE project_id = %s AND trace_id = %s AND day = %s"
NOTE_MOVED = """
UPDATE provisional_trace SET moved_to_trace_id = %s, moved_to_day = %s
 WHERE project_id = %s AND trace_id = %s AND day = %s
"""


def has_provisional(project_id: UUID) -> bool:
    """Return whether anything in a project was ever placed by a guess."""
    return raw_connection().execute(HAS_ANY, [project_id]).fetchone() is not None


def find_provisional(
    project_id: UUID, trace_ids: Collection[UUID]
) -> dict[TraceKey, TraceKey | None]:
    """Return which of these ids are or were provisional traces, and where to those have moved that did."""
    rows = raw_connection().execute(FIND, [project_id, list(trace_ids)], binary=True).fetchall()
    return {
        (day, trace_id): None if moved_day is None else (moved_day, moved_trace_id)
        for day, trace_id, moved_day, moved_trace_id in rows
    }


def note_provisional(project_id: UUID, keys: Iterable[TraceKey]) -> None:
    """Note that the places of these traces are guesses. Call with their rows locked."""
    days, trace_ids = zip(*keys, strict=True)
    raw_connection().execute(NOTE, [project_id, list(trace_ids), list(days)])


def forget_provisional(project_id: UUID, key: TraceKey) -> None:
    """Note that a guess was right."""
    day, trace_id = key
    raw_connection().execute(FORGET, [project_id, trace_id, day])


def note_moved(project_id: UUID, source: TraceKey, target: TraceKey) -> None:
    """Note where a provisional trace is now."""
    raw_connection().execute(NOTE_MOVED, [target[1], target[0], project_id, source[1], source[0]])
