"""Costs of stored runs, computed anew by the prices of today, a batch of traces at a time.

Each batch is one transaction that locks the rows of its traces in the order in which the workers lock them.
So it may run beside them, be interrupted, and be repeated: what is priced right already is not written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction
from psycopg import sql

from collector.storage import row as run_row
from collector.storage import trace as trace_row
from collector.storage.copy import names, raw_connection
from collector.storage.cost import apply_costs
from collector.storage.rollup import roll_up
from collector.storage.row import COUNTED_RUN_TYPES, RunRow
from collector.storage.trace import TraceRow

TRACES_PER_BATCH = 100  # ingest into these waits for the batch: some 50 ms

DAYS = """
SELECT day, count(*) FROM trace
 WHERE project_id = %s AND day BETWEEN %s AND %s GROUP BY day ORDER BY day
"""

LOCK_TRACES = sql.SQL(
    """
    SELECT {} FROM trace WHERE project_id = %s AND day = %s AND id > %s
     ORDER BY id LIMIT %s FOR UPDATE
    """
).format(names(trace_row.COLUMNS))

READ_RUNS = sql.SQL(
    """
    SELECT {} FROM run WHERE project_id = %s AND day = %s AND trace_id = ANY(%s) AND run_type = ANY(%s)
       AND (total_cost IS NULL OR NOT %s) ORDER BY id
    """
).format(names(run_row.COLUMNS))

SET_RUNS = """
UPDATE run SET prompt_cost = s.prompt_cost, completion_cost = s.completion_cost,
       total_cost = s.total_cost, price_id = s.price_id
  FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[], %s::uuid[])
    AS s (id, prompt_cost, completion_cost, total_cost, price_id)
 WHERE run.project_id = %s AND run.day = %s AND run.id = s.id
"""

SET_TRACES = """
UPDATE trace SET prompt_cost = s.prompt_cost, completion_cost = s.completion_cost,
       total_cost = s.total_cost
  FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[])
    AS s (id, prompt_cost, completion_cost, total_cost)
 WHERE trace.project_id = %s AND trace.day = %s AND trace.id = s.id
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Which traces: by their days (UTC), both included."""

    since: date = date.min
    until: date = date.max


@dataclass(frozen=True, slots=True)
class Repriced:
    """What one batch came to. The sums are those of the runs that changed, in USD."""

    trace_count: int
    run_count: int  # that were looked at
    changed_count: int
    before: Decimal
    after: Decimal


def count_traces(project_id: UUID, span: Span) -> int:
    """Return how many traces `reprice` would look at."""
    return sum(count for _, count in _days(project_id, span))


def reprice(
    project_id: UUID, span: Span, *, only_missing: bool = False, is_dry_run: bool = False
) -> Iterator[Repriced]:
    """Compute the costs of one project's runs anew; yields after each batch, which is then committed.

    `only_missing` leaves runs alone that have a cost; `is_dry_run` writes nothing.
    """
    for day, _ in _days(project_id, span):
        last: UUID | None = UUID(int=0)
        while last is not None:
            with transaction.atomic():
                batch = _Batch(project_id, day, last)
                yielded = batch.reprice(only_missing=only_missing)
                if not is_dry_run:
                    batch.write()
                transaction.set_rollback(is_dry_run)
            last = batch.last
            if yielded.trace_count:
                yield yielded


def _days(project_id: UUID, span: Span) -> list[tuple[date, int]]:
    with connection.cursor() as cursor:
        cursor.execute(DAYS, [project_id, span.since, span.until])
        rows: list[tuple[date, int]] = cursor.fetchall()
    return rows


class _Batch:
    """Some traces of one day, locked until the transaction ends."""

    def __init__(self, project_id: UUID, day: date, after: UUID) -> None:
        self.project_id, self.day = project_id, day
        self._raw: psycopg.Connection[Any] = raw_connection()
        rows = self._raw.execute(LOCK_TRACES, [project_id, day, after, TRACES_PER_BATCH])
        self._traces = {row.id: row for row in map(TraceRow.from_database, rows.fetchall())}
        # None: these were the last ones
        self.last = max(self._traces) if len(self._traces) == TRACES_PER_BATCH else None
        self._changed: list[RunRow] = []

    def reprice(self, *, only_missing: bool) -> Repriced:
        """Compute the costs, in memory but for the prices themselves."""
        old_rows = self._read(only_missing=only_missing)
        new_rows = [copy.copy(row) for row in old_rows]
        apply_costs(self.project_id, new_rows)
        before = after = Decimal(0)
        for old, new in zip(old_rows, new_rows, strict=True):
            if _costs(old) != _costs(new):
                self._traces[new.trace_id].count(old, new)
                self._changed.append(new)
                before += old.total_cost or 0
                after += new.total_cost or 0
        return Repriced(len(self._traces), len(old_rows), len(self._changed), before, after)

    def _read(self, *, only_missing: bool) -> list[RunRow]:
        found = self._raw.execute(
            READ_RUNS,
            [self.project_id, self.day, list(self._traces), [*COUNTED_RUN_TYPES], only_missing],
            binary=True,
        )
        return [RunRow.from_database(values) for values in found.fetchall()]

    def write(self) -> None:
        """Write what changed, and the totals above it."""
        if not self._changed:
            return
        where = [self.project_id, self.day]
        runs = [(row.id, *_costs(row)) for row in self._changed]
        self._raw.execute(SET_RUNS, [*_columns(runs), *where])
        trace_ids = sorted({row.trace_id for row in self._changed})
        traces = [(id_, *_totals(self._traces[id_])) for id_ in trace_ids]
        self._raw.execute(SET_TRACES, [*_columns(traces), *where])
        for trace_id in trace_ids:
            roll_up(self.project_id, trace_id, self.day)


def _costs(row: RunRow) -> tuple[Decimal | None, Decimal | None, Decimal | None, UUID | None]:
    return row.prompt_cost, row.completion_cost, row.total_cost, row.price_id


def _totals(trace: TraceRow) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    return trace.prompt_cost, trace.completion_cost, trace.total_cost


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
