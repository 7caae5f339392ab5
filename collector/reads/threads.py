"""Threads: the traces of one project whose roots name the same thread (LangSmith protocol 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from collector.query.tree import Compare, both
from collector.reads.cursors import ListKind, decode_cursor, encode_cursor
from collector.reads.run_filter import compile_run_filter
from collector.reads.runs import iterate_matching
from collector.reads.scan import BUDGET_SECONDS, Scan, scan_page
from collector.reads.sql import fetch_all, time_limit, within_time
from collector.reads.statistics import (
    LOOKED_INTO,
    STATISTICS_SECONDS,
    RunStatistics,
    Source,
    measure_all,
)
from collector.reads.types import Page, RunFilter
from collector.wire.fields import storable

IS_TURN = "{0}.thread_id IS NOT NULL AND {0}.has_root"
# A thread stands in the list where its newest trace does. The index trace_by_thread answers this.
IS_NEWEST = """NOT EXISTS (SELECT 1 FROM trace AS later
 WHERE later.project_id = trace.project_id AND later.thread_id = trace.thread_id AND later.start_time < %(start_to)s
   AND (later.start_time, later.id) > (trace.start_time, trace.id) AND {matches})"""

ROOT_MATCHES = """EXISTS (SELECT 1 FROM run WHERE run.project_id = {alias}.project_id
 AND run.id = {alias}.id AND run.day = {alias}.day AND {conditions})"""

FACES = """
SELECT thread_id, min(start_time), max(start_time), max(end_time),
       (array_agg(id ORDER BY start_time, id))[1],
       (array_agg(id ORDER BY start_time DESC, id DESC))[1],
       (array_agg(inputs_preview ORDER BY start_time, id))[1],
       (array_agg(outputs_preview ORDER BY start_time DESC, id DESC))[1],
       (array_agg(error ORDER BY start_time DESC, id DESC) FILTER (WHERE error IS NOT NULL))[1]
  FROM trace WHERE project_id = %(project_id)s AND {conditions} GROUP BY 1
"""
COUNT = """
SELECT count(*) FROM (
  SELECT DISTINCT project_id, thread_id FROM trace
   WHERE project_id = ANY(%(project_ids)s::uuid[]) AND {conditions}) AS thread
"""


NUMBERS = """
SELECT id, row_number() OVER (ORDER BY start_time, id) FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND thread_id = %(thread_id)s AND has_root
"""


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A thread, as far as its traces lie in the time that was asked for."""

    project_id: UUID
    thread_id: str
    first_start_time: datetime
    last_start_time: datetime
    last_end_time: datetime | None
    first_trace_id: UUID
    last_trace_id: UUID
    first_inputs: str  # previews
    last_outputs: str
    last_error: str  # of the newest trace that failed, "" where none did
    statistics: RunStatistics  # over its traces; rows are turns


def list_threads(
    project_ids: Sequence[UUID],
    filter_: RunFilter,
    cursor: str | None = None,
    limit: int = 50,
    *,
    offset: int = 0,
    budget_seconds: float = BUDGET_SECONDS,
) -> Page[ThreadSummary]:
    """Return a page of threads, the one with the newest trace first, without the first `offset` of them.

    Only traces whose root passes the filter count. May end early: see `Page.scanned_to`.

    Raises:
        BadCursor: `cursor` is not of this list.
        ReadTimeout: the database took too long.
    """
    after = decode_cursor(ListKind.THREADS, cursor) if cursor else None
    turns = _Turns.of(project_ids, filter_)
    scan = Scan(
        table="trace",
        columns="trace.start_time, trace.id, trace.project_id, trace.thread_id",
        conditions=[*turns.conditions(), IS_NEWEST.format(matches=turns.matches("later"))],
        params=turns.params,
        start_from=filter_.start_from,
        start_to=filter_.start_to,
    )
    result = scan_page(project_ids, scan, after, offset + limit, budget_seconds)
    places = [(project_id, thread_id) for _, _, project_id, thread_id in result.rows[offset:]]
    end = result.next_position
    return Page(
        items=turns.summaries(places),
        next_cursor=encode_cursor(ListKind.THREADS, end) if end else None,
        scanned_to=end.start_time if end and result.is_cut_short else None,
    )


def find_thread(
    project_ids: Sequence[UUID], thread_id: str, filter_: RunFilter
) -> ThreadSummary | None:
    """Return one thread; None where none of its traces passes the filter.

    Raises:
        ReadTimeout: the database took too long.
    """
    turns = _Turns.of(project_ids, filter_)
    places = [(project_id, storable(thread_id)) for project_id in project_ids]
    found = turns.summaries(places)
    return max(found, key=lambda thread: thread.last_start_time, default=None)


def count_threads(project_ids: Sequence[UUID], filter_: RunFilter) -> int:
    """Return how many threads there are.

    Raises:
        ReadTimeout: the database took too long.
    """
    turns = _Turns.of(project_ids, filter_)
    query = COUNT.format(conditions=" AND ".join(turns.within()))
    with time_limit(STATISTICS_SECONDS):
        rows = fetch_all(query, {**turns.params, "project_ids": list(project_ids)})
    count: int = rows[0][0]
    return count


def thread_statistics(project_ids: Sequence[UUID], filter_: RunFilter) -> RunStatistics:
    """Return figures over the traces of all threads.

    Raises:
        ReadTimeout: the database took too long.
    """
    turns = _Turns.of(project_ids, filter_)
    found = measure_all(Source(project_ids, turns.within(), turns.params), "", with_feedback=True)
    return found.get(None, RunStatistics())


def number_turns(project_ids: Sequence[UUID], thread_id: str) -> dict[UUID, int]:
    """Return the place of each trace in its thread, from 1, by trace id.

    Raises:
        ReadTimeout: the database took too long.
    """
    params = {"project_ids": list(project_ids), "thread_id": storable(thread_id)}
    with time_limit(STATISTICS_SECONDS):
        return dict(fetch_all(NUMBERS, params))


@dataclass(frozen=True, slots=True)
class _Turns:
    """The traces of threads that a filter lets through."""

    project_ids: Sequence[UUID]
    root_conditions: str  # with {alias} for the trace; "" for any
    times: list[str]
    params: dict[str, Any]

    @classmethod
    def of(cls, project_ids: Sequence[UUID], filter_: RunFilter) -> _Turns:
        """Compile the filter for the roots of traces."""
        times, params = within_time("trace", filter_.start_from, filter_.start_to)
        expressions = (filter_.expression, filter_.root_expression, filter_.tree_expression)
        if not any(expressions):
            return cls(project_ids, "", times, params)
        of_roots = replace(
            filter_, expression=both(Compare("is_root", "eq", value=True), filter_.expression)
        )
        with time_limit(STATISTICS_SECONDS):
            compiled = compile_run_filter(project_ids, of_roots)
        if compiled.needs_payload:
            roots = iterate_matching(
                project_ids, of_roots, LOOKED_INTO, budget_seconds=STATISTICS_SECONDS
            )
            params["root_ids"] = [root.id for root in roots]
            return cls(project_ids, "{alias}.id = ANY(%(root_ids)s::uuid[])", times, params)
        conditions = ROOT_MATCHES.replace("{conditions}", " AND ".join(compiled.conditions))
        return cls(project_ids, conditions, times, {**compiled.params, **params})

    def matches(self, alias: str) -> str:
        """Return the condition that a trace is a turn that counts."""
        turn = IS_TURN.format(alias)
        if not self.root_conditions:
            return turn
        return f"{turn} AND {self.root_conditions.replace('{alias}', alias)}"

    def conditions(self) -> list[str]:
        return [self.matches("trace")]

    def within(self) -> list[str]:
        """Return the conditions with those of time."""
        return [*self.times, *self.conditions()]

    def summaries(self, places: Sequence[tuple[UUID, str]]) -> tuple[ThreadSummary, ...]:
        """Return the threads of (project id, thread id) that have a turn, in their order."""
        found: dict[tuple[UUID, str], ThreadSummary] = {}
        for project_id in {project_id for project_id, _ in places}:
            thread_ids = [thread_id for of, thread_id in places if of == project_id]
            for thread in self._of_project(project_id, thread_ids):
                found[project_id, thread.thread_id] = thread
        return tuple(found[place] for place in places if place in found)

    def _of_project(self, project_id: UUID, thread_ids: list[str]) -> list[ThreadSummary]:
        conditions = ["trace.thread_id = ANY(%(thread_ids)s::text[])", *self.within()]
        params = {**self.params, "thread_ids": thread_ids}
        figures = measure_all(
            Source([project_id], conditions, params), "thread", with_feedback=True
        )
        with time_limit(STATISTICS_SECONDS):
            rows = fetch_all(
                FACES.format(conditions=" AND ".join(conditions)),
                {**params, "project_id": project_id},
            )
        return [
            ThreadSummary(
                project_id,
                thread_id,
                first_start,
                last_start,
                last_end,
                first_id,
                last_id,
                inputs or "",
                outputs or "",
                error or "",
                figures.get(thread_id, RunStatistics()),
            )
            for thread_id, first_start, last_start, last_end, first_id, last_id, inputs, outputs, error in rows
        ]
