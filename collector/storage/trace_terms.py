"""The terms by which filters find a trace: written with its runs, and only ever more of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from collector.storage.copy import copy_rows
from collector.storage.merge import MergedRun
from collector.storage.terms import OVERFLOW, bounded

TraceKey = tuple[date, UUID]

READ_TERMS = """
SELECT day, trace_id, terms FROM trace_terms WHERE project_id = %s AND day = ANY(%s) AND trace_id = ANY(%s)
"""

UPSERT_TERMS = """
INSERT INTO trace_terms (project_id, trace_id, day, terms) VALUES (%s, %s, %s, %s)
ON CONFLICT (project_id, trace_id, day) DO UPDATE SET terms = excluded.terms
"""


def write_terms(
    raw: psycopg.Connection[Any],
    project_id: UUID,
    runs: Sequence[MergedRun],
    again: set[TraceKey],
) -> None:
    """Write the terms of merged runs; `again` are the traces that were stored before."""
    terms: dict[TraceKey, set[int]] = {}
    for run in runs:
        terms.setdefault((run.row.day, run.row.trace_id), set()).update(run.terms)
    with raw.cursor() as cursor:
        copy_rows(
            cursor,
            "trace_terms",
            ("project_id", "trace_id", "day", "terms"),
            ("uuid", "uuid", "date", "int4[]"),
            (
                (project_id, trace_id, day, bounded(made))
                for (day, trace_id), made in terms.items()
                if (day, trace_id) not in again
            ),
        )
    add_terms(raw, project_id, {key: terms[key] for key in again})


def add_terms(
    raw: psycopg.Connection[Any], project_id: UUID, terms: dict[TraceKey, set[int]]
) -> None:
    """Add terms to those of stored traces, which are locked."""
    changed = _with_stored_terms(raw, project_id, {key: terms[key] for key in sorted(terms)})
    with raw.cursor() as cursor:
        cursor.executemany(
            UPSERT_TERMS,
            [
                (project_id, trace_id, day, bounded(made))
                for (day, trace_id), made in changed.items()
            ],
        )


def _with_stored_terms(
    raw: psycopg.Connection[Any], project_id: UUID, terms: dict[TraceKey, set[int]]
) -> dict[TraceKey, set[int]]:
    """Return old and new terms of the traces whose terms are more than before."""
    if not terms:
        return {}
    keys = [project_id, [day for day, _ in terms], [trace_id for _, trace_id in terms]]
    stored = {
        (day, id_): old for day, id_, old in raw.execute(READ_TERMS, keys, binary=True).fetchall()
    }
    return {
        key: made.union(stored.get(key, ()))
        for key, made in terms.items()
        if OVERFLOW not in (old := stored.get(key, ())) and not made.issubset(old)
    }
