"""Traces: the list of a project, its counts, one trace, one trace's tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from collector.query.words import storable
from collector.reads.cursors import ListKind, decode_cursor, encode_cursor
from collector.reads.rows import (
    RUN_COLUMNS,
    SHOWN_STATUS,
    TRACE_COLUMNS,
    run_summary,
    silent_before,
    trace_summary,
)
from collector.reads.scan import Scan, scan_page
from collector.reads.sql import fetch_all, likely_days, time_limit, within_time
from collector.reads.text_walk import TextWalk
from collector.reads.trace_search import CompiledSearch, compile_trace_search, search_within
from collector.reads.tree import order_tree
from collector.reads.types import (
    STATUSES,
    Page,
    RunSummary,
    Status,
    TraceCounts,
    TraceFilter,
    TraceSummary,
    TraceTree,
)

COUNTED_TRACES = 10_000  # of each project; about 25 ms
COUNT_SECONDS = 2.0
TREE_SECONDS = 5.0
MAX_TREE_RUNS = 2_000


def list_traces(
    project_ids: Sequence[UUID],
    filter_: TraceFilter,
    cursor: str | None = None,
    limit: int = 50,
    *,
    is_descending: bool = True,
) -> Page[TraceSummary]:
    """Return a page of traces in order of their start, newest first unless told otherwise.

    It may hold fewer than `limit` although there are more: see `Page.scanned_to`.

    Raises:
        BadCursor: `cursor` is not of this list.
        ReadTimeout: the database took too long.
    """
    kind = ListKind.TRACES if is_descending else ListKind.TRACES_OLDEST_FIRST
    after = decode_cursor(kind, cursor) if cursor else None
    search = search_within(COUNT_SECONDS, project_ids, filter_.search)
    recheck = search.recheck() if search else None
    scan = replace(_scan(filter_, search), is_descending=is_descending)
    # the index of words gives the newest first
    walk = TextWalk(search.phrases) if search and search.phrases and is_descending else None
    result = scan_page(project_ids, scan, after, limit, recheck=recheck, walk=walk)
    silent = silent_before()
    end = result.next_position
    return Page(
        items=tuple(trace_summary(row, silent) for row in result.rows),
        next_cursor=encode_cursor(kind, end) if end else None,
        scanned_to=end.start_time if end and result.is_cut_short else None,
    )


def _scan(filter_: TraceFilter, search: CompiledSearch | None) -> Scan:
    conditions, params = trace_conditions(filter_, search)
    if filter_.statuses:
        conditions.append(f"{SHOWN_STATUS} = ANY(%(statuses)s)")
        params["statuses"] = list(filter_.statuses)
    return Scan(
        table="trace",
        columns=TRACE_COLUMNS,
        conditions=conditions,
        params=params,
        start_from=filter_.start_from,
        start_to=filter_.start_to,
        has_index=filter_.thread_id is not None or (search is not None and search.has_index),
    )


def trace_conditions(
    filter_: TraceFilter, search: CompiledSearch | None
) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions of all but time and status, and their params."""
    conditions: list[str] = []
    params: dict[str, Any] = {"silent_before": silent_before()}
    if filter_.names:
        conditions.append("trace.name = ANY(%(names)s)")
        params["names"] = [storable(name) for name in filter_.names]
    if filter_.tags:
        conditions.append("trace.tags @> %(tags)s::text[]")
        params["tags"] = [storable(tag) for tag in filter_.tags]
    if filter_.thread_id is not None:
        conditions.append("trace.thread_id = %(thread_id)s")
        params["thread_id"] = storable(filter_.thread_id)
    if search is not None:
        conditions += search.conditions
        params |= search.params
    return conditions, params


def count_traces(project_ids: Sequence[UUID], filter_: TraceFilter) -> TraceCounts:
    """Count among the newest COUNTED_TRACES traces of the filter's time range and thread.

    A search that only payloads decide is counted as far as rows tell: there may be fewer.

    Raises:
        ReadTimeout: the database took too long.
    """
    counts: dict[Status, int] = dict.fromkeys(STATUSES, 0)
    is_capped = False
    with time_limit(COUNT_SECONDS):
        search = compile_trace_search(project_ids, filter_.search) if filter_.search else None
        for project_id in project_ids:
            looked_at = 0
            for status, matching, rows in _count_project(project_id, filter_, search):
                counts[status] = counts.get(status, 0) + matching
                looked_at += rows
            is_capped |= looked_at >= COUNTED_TRACES
    wanted = filter_.statuses or tuple(counts)
    return TraceCounts(sum(counts[status] for status in wanted), counts, is_capped)


def _count_project(
    project_id: UUID, filter_: TraceFilter, search: CompiledSearch | None
) -> list[tuple[Status, int, int]]:
    """Return (status, matching traces, traces looked at)."""
    conditions, params = trace_conditions(filter_, search)
    times, time_params = within_time("trace", filter_.start_from, filter_.start_to)
    within = ["project_id = %(project_id)s", *times]
    if filter_.thread_id is not None:
        within.append("thread_id = %(thread_id)s")
    rows = fetch_all(
        f"SELECT {SHOWN_STATUS}, count(*) FILTER (WHERE {' AND '.join(conditions) or 'true'}), count(*)"  # noqa: S608 (our own words)
        f" FROM (SELECT * FROM trace WHERE {' AND '.join(within)}"
        "  ORDER BY start_time DESC, id DESC LIMIT %(counted)s) AS trace GROUP BY 1",
        {
            **params,
            "project_id": project_id,
            **time_params,
            "counted": COUNTED_TRACES,
        },
    )
    return [(status, matching, looked_at) for status, matching, looked_at in rows]


def find_traces_of_roots(
    roots: Sequence[RunSummary],
) -> dict[tuple[UUID, date, UUID], TraceSummary]:
    """Return the traces of root runs by (project id, day, trace id)."""
    rows = fetch_all(
        f"SELECT {TRACE_COLUMNS} FROM trace WHERE project_id = ANY(%(project_ids)s::uuid[])"  # noqa: S608 (our own words)
        " AND id = ANY(%(ids)s::uuid[]) AND day = ANY(%(days)s::date[])",
        {
            "project_ids": sorted({root.project_id for root in roots}),
            "ids": sorted({root.trace_id for root in roots}),
            "days": sorted({root.day for root in roots}),
        },
    )
    silent = silent_before()
    traces = (trace_summary(row, silent) for row in rows)
    return {(trace.project_id, trace.day, trace.id): trace for trace in traces}


def get_trace(
    project_ids: Sequence[UUID], trace_id: UUID, day: date | None = None
) -> TraceSummary | None:
    """Return a trace, or None where these projects have none with this id."""
    params: dict[str, Any] = {"project_ids": list(project_ids), "id": trace_id}
    query = f"SELECT {TRACE_COLUMNS} FROM trace WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(id)s"  # noqa: S608 (our own words)
    newest = " ORDER BY day DESC LIMIT 1"
    rows = []
    days = [day] if day is not None else likely_days(trace_id)
    if days:
        rows = fetch_all(f"{query} AND day = ANY(%(days)s){newest}", {**params, "days": days})
    if not rows:
        rows = fetch_all(query + newest, params)
    return trace_summary(rows[0], silent_before()) if rows else None


def get_tree(
    project_ids: Sequence[UUID], trace_id: UUID, limit: int = MAX_TREE_RUNS
) -> TraceTree | None:
    """Return a trace with its first `limit` runs in order of time, as a tree; None for no trace.

    Raises:
        ReadTimeout: the database took too long.
    """
    trace = get_trace(project_ids, trace_id)
    if trace is None:
        return None
    with time_limit(TREE_SECONDS):
        rows = fetch_all(
            f"SELECT {RUN_COLUMNS} FROM run WHERE project_id = ANY(%(project_ids)s::uuid[])"  # noqa: S608 (our own words)
            " AND day = %(day)s AND trace_id = %(trace_id)s"
            # The root first: whatever its clock says, a cut tree must not lack it.
            " ORDER BY id <> trace_id, coalesce(position, start_time), id LIMIT %(limit)s",
            {
                "project_ids": [trace.project_id],
                "day": trace.day,
                "trace_id": trace_id,
                "limit": limit,
            },
        )
    silent = silent_before()
    runs = [run_summary(row, trace.last_heard_at, silent) for row in rows]
    nodes = order_tree(runs, trace_id)
    return TraceTree(
        trace=trace,
        nodes=nodes,
        orphan_count=sum(node.is_orphan for node in nodes),
        truncated_count=max(trace.run_count - len(runs), 0),
    )
