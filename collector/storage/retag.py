"""Tags that a reader puts on stored runs, or takes off: written as if said by the highest version there is.

A client's later word on the same run then changes all but its tags, in whatever order the two arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from psycopg import sql

from collector.storage import trace as trace_row
from collector.storage.copy import names, raw_connection
from collector.storage.row import RunRow
from collector.storage.terms import Terms
from collector.storage.trace import TraceRow
from collector.storage.trace_terms import add_terms
from collector.storage.write import READ_RUNS, set_traces, upsert_runs

READERS_VERSION = (1 << 63) - 1  # above all that `operation_version` gives

LOCK_STORED = sql.SQL(
    "SELECT {} FROM trace WHERE project_id = %s AND day = ANY(%s) AND id = ANY(%s) ORDER BY day, id FOR UPDATE"
).format(names(trace_row.COLUMNS))


def change_tags(
    project_id: UUID,
    runs: Sequence[tuple[date, UUID, UUID]],
    add: Sequence[str],
    remove: Sequence[str],
) -> int:
    """Change the tags of runs, (day, trace id, run id) each, and return how many there are. In a transaction."""
    raw = raw_connection()
    days = sorted({day for day, _, _ in runs})
    locked = raw.execute(
        LOCK_STORED, [project_id, days, [trace for _, trace, _ in runs]]
    ).fetchall()
    traces = {(row.day, row.id): row for row in map(TraceRow.from_database, locked)}
    found = raw.execute(READ_RUNS, [project_id, days, [id_ for _, _, id_ in runs]], binary=True)
    changed = []
    for old in map(RunRow.from_database, found.fetchall()):
        trace = traces.get((old.day, old.trace_id))
        if trace is None:
            continue  # deleted meanwhile
        new = RunRow.from_database(old.to_database())
        kept = [tag for tag in old.tags or () if tag not in remove]
        new.set("tags", READERS_VERSION, list(dict.fromkeys([*kept, *add])))
        trace.count(old, new)
        changed.append(new)
    if changed:
        upsert_runs(raw, changed)
        set_traces(raw, traces.values())
        terms = Terms(project_id)
        added = {terms.term("tag", tag) for tag in add}
        add_terms(raw, project_id, {(row.day, row.trace_id): added for row in changed})
    return len(changed)
