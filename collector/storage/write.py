"""Merged runs → rows, in the caller's transaction, which also settles the inbox rows they came from.

Order, and why it is safe with any number of workers:
1. the trace rows are locked in key order, so two workers never wait for each other in a circle;
2. then the runs that exist are read: no other worker can change a run of a locked trace;
3. everything is written from what was read: run rows and trace totals are set, not incremented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.utils import timezone
from psycopg import sql

from collector.storage import jsonvalue, payload
from collector.storage import row as run_row
from collector.storage import trace as trace_row
from collector.storage.blocks import make_blocks
from collector.storage.copy import copy_rows, names, raw_connection
from collector.storage.cost import apply_costs
from collector.storage.errors import RunInAnotherTrace
from collector.storage.merge import MergedRun
from collector.storage.rollup import link_spans, roll_up_rows
from collector.storage.row import RunRow
from collector.storage.text_index import forget_traces, index_later
from collector.storage.trace import TraceRow
from collector.storage.trace_terms import write_terms
from collector.wire.fields import storable
from collector.wire.operations import AttachmentOperation, FeedbackOperation

TraceKey = tuple[date, UUID]
MAX_SOURCE_CHARACTERS = 100


def _set_excluded(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in columns
    )


# Locks the rows (made where missing) and returns them. ORDER BY is what keeps two workers from a deadlock.
LOCK_TRACES = sql.SQL(
    """
    INSERT INTO trace (project_id, id, day, start_time, last_heard_at)
    SELECT %s, id, day, start_time, heard_at
      FROM unnest(%s::uuid[], %s::date[], %s::timestamptz[], %s::timestamptz[]) AS s (id, day, start_time, heard_at)
     ORDER BY day, id
    ON CONFLICT (project_id, id, day)
    DO UPDATE SET last_heard_at = greatest(trace.last_heard_at, excluded.last_heard_at)
    RETURNING {}
    """
).format(names(trace_row.COLUMNS, "trace."))

READ_RUNS = sql.SQL(
    "SELECT {} FROM run WHERE project_id = %s AND day = ANY(%s) AND id = ANY(%s)"
).format(names(run_row.COLUMNS))

READ_TRACE = sql.SQL(
    "SELECT {} FROM run WHERE project_id = %s AND day = %s AND trace_id = %s"
).format(names(run_row.COLUMNS))

DROP_TRACE = (
    "DELETE FROM trace WHERE project_id = %s AND day = %s AND id = %s RETURNING last_heard_at"
)

# The WHERE holds a run in its trace: a stranger's operation changes nothing and is found by the count.
UPSERT_RUNS = sql.SQL(
    """
    INSERT INTO run ({columns}) SELECT {columns} FROM run_stage ORDER BY day, id
    ON CONFLICT (project_id, id, day) DO UPDATE SET {assignments} WHERE run.trace_id = excluded.trace_id
    """
).format(
    columns=names(run_row.COLUMNS),
    assignments=_set_excluded(run_row.COLUMNS[3:8] + run_row.COLUMNS[9:]),
)

SET_TRACES = sql.SQL(
    """
    UPDATE trace t SET {assignments} FROM trace_stage s
     WHERE t.project_id = s.project_id AND t.id = s.id AND t.day = s.day
    """
).format(
    assignments=sql.SQL(", ").join(
        sql.SQL("{0} = s.{0}").format(sql.Identifier(column)) for column in trace_row.COLUMNS[3:]
    )
)

UPSERT_FEEDBACK = """
INSERT INTO feedback (project_id, id, run_id, trace_id, created_at, modified_at, score, key, comment,
                      value, correction, feedback_source, other, source_type)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (project_id, id) DO UPDATE SET
  modified_at = excluded.modified_at, score = excluded.score, key = excluded.key, comment = excluded.comment,
  value = excluded.value, correction = excluded.correction, feedback_source = excluded.feedback_source,
  other = excluded.other, source_type = excluded.source_type
WHERE (feedback.modified_at, feedback.key, feedback.score, feedback.value)
   <= (excluded.modified_at, excluded.key, excluded.score, excluded.value)
"""

UPSERT_ATTACHMENT = """
INSERT INTO attachment (project_id, run_id, trace_id, day, size_bytes, name, mime_type, data)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (project_id, run_id, name, day) DO NOTHING
"""

# Of a trace without its root, whose start is that of its first run.
FIRST_STARTS = """
SELECT day, trace_id, min(start_time) FROM run
 WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s) GROUP BY day, trace_id
"""

# A trace that got a second block is worth sealing once it is quiet.
FOLLOW_UP = """
INSERT INTO follow_up (project_id, trace_id, day, due_at)
SELECT %s, trace_id, day, %s FROM unnest(%s::uuid[], %s::date[]) AS s (trace_id, day) ORDER BY day, trace_id
ON CONFLICT (project_id, trace_id, day) DO UPDATE SET due_at = excluded.due_at
"""


def write_runs(
    project_id: UUID,
    runs: Sequence[MergedRun],
    heard_at: dict[TraceKey, datetime],
    due_at: datetime,
) -> int:
    """Write merged runs of one project and return how many. Call inside a transaction.

    Raises:
        RunInAnotherTrace: a run is stored in another trace already; nothing of the call may be kept.
    """
    if not runs:
        return 0
    raw = raw_connection()
    first_start: dict[TraceKey, datetime] = {}
    for run in runs:
        key = (run.row.day, run.row.trace_id)
        first_start[key] = min(first_start.get(key, run.row.start_time), run.row.start_time)
    traces = lock_traces(raw, project_id, first_start, heard_at)
    stored = _read_runs(raw, project_id, runs, traces)
    again = [key for key, trace in traces.items() if trace.run_count]
    moved: set[TraceKey] = set()
    for run in runs:
        old = stored.get((run.row.day, run.row.id))
        if old is not None:
            if old.trace_id != run.row.trace_id:
                raise RunInAnotherTrace(run.row.id)
            run.row = combine_rows(old, run.row)
            if run.row.start_time > old.start_time:
                moved.add((old.day, old.trace_id))
    apply_costs(project_id, [run.row for run in runs])
    for run in runs:
        row = run.row
        traces[row.day, row.trace_id].count(stored.get((row.day, row.id)), row)
    _link_and_roll_up(run.row for run in runs if (run.row.day, run.row.trace_id) not in set(again))
    upsert_runs(raw, [run.row for run in runs])
    _move_starts(raw, project_id, [traces[key] for key in moved if not traces[key].has_root])
    set_traces(raw, traces.values())
    _append_blocks(raw, project_id, runs)
    write_terms(raw, project_id, runs, set(again))
    if again:
        follow_up_later(project_id, again, due_at)
    index_later(project_id, {key: trace.start_time for key, trace in traces.items()}, due_at)
    return len(runs)


def follow_up_later(project_id: UUID, keys: Iterable[TraceKey], due_at: datetime) -> None:
    """Have locked traces rolled up and sealed at `due_at`, or at a time that is set later."""
    days, trace_ids = zip(*keys, strict=True)
    raw_connection().execute(FOLLOW_UP, [project_id, due_at, list(trace_ids), list(days)])


def recount_trace(project_id: UUID, day: date, trace_id: UUID) -> None:
    """Make the row of a locked trace anew from its stored runs, after some of them were deleted."""
    raw, key = raw_connection(), (day, trace_id)
    found = raw.execute(READ_TRACE, [project_id, day, trace_id], binary=True).fetchall()
    rows = [RunRow.from_database(values) for values in found]
    dropped = raw.execute(DROP_TRACE, [project_id, day, trace_id]).fetchone()
    forget_traces(project_id, [key])
    if dropped is None or not rows:
        return
    first_start = min(row.start_time for row in rows)
    traces = lock_traces(raw, project_id, {key: first_start}, {key: dropped[0]})
    for row in rows:
        traces[key].count(None, row)
    set_traces(raw, traces.values())
    index_later(project_id, {key: traces[key].start_time}, timezone.now())


def combine_rows(old: RunRow, new: RunRow) -> RunRow:
    """Return what two rows of one run come to: a new row, in the place of `old`."""
    combined = RunRow.from_database(old.to_database())
    combined.absorb(new)
    return combined


def lock_traces(
    raw: psycopg.Connection[Any],
    project_id: UUID,
    first_start: dict[TraceKey, datetime],
    heard_at: dict[TraceKey, datetime],
) -> dict[TraceKey, TraceRow]:
    """Lock the rows of traces in key order, make those that are missing, and return them."""
    keys = sorted(first_start)
    rows = raw.execute(
        LOCK_TRACES,
        [
            project_id,
            [trace_id for _, trace_id in keys],
            [day for day, _ in keys],
            [first_start[key] for key in keys],
            [heard_at[key] for key in keys],
        ],
    ).fetchall()
    traces = (TraceRow.from_database(values) for values in rows)
    return {(trace.day, trace.id): trace for trace in traces}


def _read_runs(
    raw: psycopg.Connection[Any],
    project_id: UUID,
    runs: Sequence[MergedRun],
    traces: dict[TraceKey, TraceRow],
) -> dict[TraceKey, RunRow]:
    """Return the stored rows of these runs; those of a trace that was new a moment ago have none."""
    known = [run.row for run in runs if traces[run.row.day, run.row.trace_id].run_count]
    if not known:
        return {}
    days = sorted({row.day for row in known})
    found = raw.execute(READ_RUNS, [project_id, days, [row.id for row in known]], binary=True)
    rows = (RunRow.from_database(values) for values in found.fetchall())
    return {(row.day, row.id): row for row in rows}


def _link_and_roll_up(rows: Iterable[RunRow]) -> None:
    """Finish the rows of traces that are new and so lie here whole; others are left to the follow-up."""
    by_trace: dict[TraceKey, list[RunRow]] = {}
    for row in rows:
        by_trace.setdefault((row.day, row.trace_id), []).append(row)
    for members in by_trace.values():
        link_spans(members)
        roll_up_rows(members)


def _move_starts(
    raw: psycopg.Connection[Any], project_id: UUID, traces: Sequence[TraceRow]
) -> None:
    """Look for the first start again where a run turned out to have started later."""
    if not traces:
        return
    keys = [project_id, [trace.day for trace in traces], [trace.id for trace in traces]]
    starts = {(day, id_): start for day, id_, start in raw.execute(FIRST_STARTS, keys).fetchall()}
    for trace in traces:
        trace.start_time = starts[trace.day, trace.id]


def upsert_runs(raw: psycopg.Connection[Any], rows: Sequence[RunRow]) -> None:
    """Write rows of runs.

    Raises:
        RunInAnotherTrace: one of them is stored in another trace of the same day.
    """
    with raw.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE run_stage (LIKE run) ON COMMIT DROP")
        copy_rows(
            cursor, "run_stage", run_row.COLUMNS, run_row.TYPES, (row.to_database() for row in rows)
        )
        cursor.execute(UPSERT_RUNS)
        written = cursor.rowcount
        cursor.execute("DROP TABLE run_stage")
    if written != len(rows):
        raise RunInAnotherTrace(rows[0].id)


def set_traces(raw: psycopg.Connection[Any], traces: Iterable[TraceRow]) -> None:
    """Write rows of locked traces."""
    with raw.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE trace_stage (LIKE trace INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        cursor.execute("ALTER TABLE trace_stage ALTER last_heard_at DROP NOT NULL")
        copy_rows(
            cursor,
            "trace_stage",
            trace_row.COLUMNS,
            trace_row.TYPES,
            (trace.to_database() for trace in traces),
        )
        cursor.execute(SET_TRACES)
        cursor.execute("DROP TABLE trace_stage")


def _append_blocks(
    raw: psycopg.Connection[Any], project_id: UUID, runs: Sequence[MergedRun]
) -> None:
    by_trace: dict[TraceKey, list[MergedRun]] = {}
    for run in runs:
        by_trace.setdefault((run.row.day, run.row.trace_id), []).append(run)
    with raw.cursor() as cursor:
        copy_rows(
            cursor,
            "payload",
            payload.COLUMNS,
            payload.TYPES,
            (
                payload.block_row(project_id, trace_id, day, block)
                for (day, trace_id), members in by_trace.items()
                for block in make_blocks((member.row.id, member.layers) for member in members)
            ),
        )


def write_feedback(project_id: UUID, feedback: Sequence[FeedbackOperation]) -> None:
    """Write feedback; of two operations on one id the later modified one stays."""
    with raw_connection().cursor() as cursor:
        for item in sorted(feedback, key=lambda item: item.id):
            created_at = item.created_at or item.received_at
            cursor.execute(
                UPSERT_FEEDBACK,
                [
                    project_id, item.id, item.run_id, item.trace_id, created_at, item.modified_at or created_at,
                    item.score, item.key, item.comment, item.value, item.correction, item.feedback_source, item.other,
                    _source_type(item.feedback_source),
                ],
            )  # fmt: skip


def _source_type(source: bytes) -> str | None:
    """Return who judged, as the client says: api, model, app, auto_eval."""
    kind = jsonvalue.parse_object(source).get("type")
    return storable(kind[:MAX_SOURCE_CHARACTERS]) if isinstance(kind, str) else None


def write_attachments(project_id: UUID, attachments: Sequence[AttachmentOperation]) -> None:
    """Write placed attachments; the same name of the same run again changes nothing."""
    with raw_connection().cursor() as cursor:
        for item in sorted(attachments, key=lambda item: (item.run_id, item.name)):
            cursor.execute(
                UPSERT_ATTACHMENT,
                [
                    project_id, item.run_id, item.trace_id, item.day, len(item.data), item.name, item.mime_type,
                    item.data,
                ],
            )  # fmt: skip
