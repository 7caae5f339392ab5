"""The slowest, the largest, the most expensive: of the newest ones, since no index orders all by these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from collector.reads.rows import (
    RUN_COLUMNS,
    SHOWN_STATUS,
    TRACE_COLUMNS,
    run_summary,
    silent_before,
    trace_summary,
)
from collector.reads.run_filter import compile_run_filter
from collector.reads.sql import Row, fetch_all, time_limit, within_time
from collector.reads.trace_search import compile_trace_search
from collector.reads.traces import trace_conditions
from collector.reads.types import Measure, RunFilter, RunSummary, TraceFilter, TraceSummary

LOOKED_AT = 10_000  # the newest of each project, within the time range
SECONDS = 4.0

LATENCY = "CASE WHEN {0}.end_time IS NOT NULL THEN greatest({0}.end_time - {0}.start_time, interval '0') END"
TRACE_MEASURES: Mapping[Measure, str] = {
    "latency": LATENCY.format("trace"),
    "tokens": "nullif(trace.total_tokens, 0)",
    "cost": "trace.total_cost",
}
RUN_MEASURES: Mapping[Measure, str] = {
    "latency": LATENCY.format("run"),
    "tokens": "coalesce(run.subtree_total_tokens, run.total_tokens)",
    "cost": "coalesce(run.subtree_total_cost, run.total_cost)",
}

TOP = """
SELECT {measure}, {columns}
  FROM (SELECT * FROM {table} WHERE project_id = %(project_id)s AND {times}
         ORDER BY start_time DESC, id DESC LIMIT %(looked_at)s) AS {table}
 WHERE {measure} IS NOT NULL AND {conditions}
 ORDER BY 1 DESC, {table}.start_time DESC, {table}.id LIMIT %(limit)s
"""


def top_traces(
    project_ids: Sequence[UUID], filter_: TraceFilter, by: Measure, limit: int
) -> tuple[TraceSummary, ...]:
    """Return those of the newest LOOKED_AT traces that match and have most of a measure, most first.

    The filter has to be one that rows decide (`is_decided_by_rows`).

    Raises:
        ReadTimeout: the database took too long.
    """
    with time_limit(SECONDS):
        search = compile_trace_search(project_ids, filter_.search) if filter_.search else None
        conditions, params = trace_conditions(filter_, search)
        if filter_.statuses:
            conditions.append(f"{SHOWN_STATUS} = ANY(%(statuses)s)")
            params["statuses"] = list(filter_.statuses)
        times, bounds = within_time("trace", filter_.start_from, filter_.start_to)
        rows = _top(
            "trace", TRACE_COLUMNS, project_ids, by, conditions, times, params | bounds, limit
        )
    silent = silent_before()
    return tuple(trace_summary(row, silent) for row in rows)


def top_runs(
    project_ids: Sequence[UUID], filter_: RunFilter, by: Measure, limit: int
) -> tuple[RunSummary, ...]:
    """Return the same of runs.

    Raises:
        ReadTimeout: the database took too long.
    """
    with time_limit(SECONDS):
        compiled = compile_run_filter(project_ids, filter_)
        times, bounds = within_time("run", filter_.start_from, filter_.start_to, has_end=True)
        params = {**compiled.params, **bounds}
        rows = _top("run", RUN_COLUMNS, project_ids, by, compiled.conditions, times, params, limit)
    silent = silent_before()
    return tuple(run_summary(row, None, silent) for row in rows)


def _top(
    table: Literal["trace", "run"],
    columns: str,
    project_ids: Sequence[UUID],
    by: Measure,
    conditions: Sequence[str],
    times: Sequence[str],
    params: Mapping[str, Any],
    limit: int,
) -> list[Row]:
    query = TOP.format(
        measure=(TRACE_MEASURES if table == "trace" else RUN_MEASURES)[by],
        columns=columns,
        table=table,
        times=" AND ".join(times),
        conditions=" AND ".join(conditions) or "true",
    )
    found: list[Row] = []
    for project_id in project_ids:
        more = {"project_id": project_id, "looked_at": LOOKED_AT, "limit": limit}
        found += fetch_all(query, {**params, **more})
    found.sort(key=lambda row: (row[0], row[1]), reverse=True)
    return [row[1:] for row in found[:limit]]
