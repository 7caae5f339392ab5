"""The whole of what a page of the trace list is cut from: totals, facets, and a histogram over time.

Made in one statement from the newest LOOKED_AT traces of the time range, so that its cost has a bound
however large a project is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from collector.query.words import storable
from collector.reads.rows import SHOWN_STATUS, silent_before
from collector.reads.sql import FIRST, fetch_all, time_limit, within_time
from collector.reads.trace_search import search_within
from collector.reads.types import STATUSES, TimeBucket, TraceFilter, TraceOverview

LOOKED_AT = 10_000
OVERVIEW_SECONDS = 2.0
FACET_VALUES = 8
SHORTEST_HISTOGRAM = timedelta(minutes=6)  # 72 bars of five seconds


# Rows that pass all filters, and for each facet those that pass all but its own.
OVERVIEW = """
WITH looked_at AS MATERIALIZED (
  SELECT trace.*, {shown_status} AS shown,
         {has_status} AS has_status, {has_name} AS has_name, {has_tags} AS has_tags, {has_search} AS has_search
    FROM ({newest}) AS trace
), kept AS (
  SELECT * FROM looked_at WHERE has_status AND has_name AND has_tags AND has_search
)
SELECT (SELECT count(*) FROM looked_at),
       (SELECT min(start_time) FROM looked_at),
       (SELECT jsonb_object_agg(shown, n) FROM (
          SELECT shown, count(*) AS n FROM looked_at WHERE has_name AND has_tags AND has_search GROUP BY 1) AS s),
       (SELECT jsonb_agg(jsonb_build_array(name, n) ORDER BY n DESC, name) FROM (
          SELECT name, count(*) AS n FROM looked_at
           WHERE has_status AND has_tags AND has_search AND name <> '' GROUP BY 1
           ORDER BY n DESC, name LIMIT %(values)s) AS s),
       (SELECT jsonb_agg(jsonb_build_array(tag, n) ORDER BY n DESC, tag) FROM (
          SELECT tag, count(*) AS n FROM kept, unnest(tags) AS tag GROUP BY 1
           ORDER BY n DESC, tag LIMIT %(values)s) AS s),
       count(*), count(*) FILTER (WHERE shown = 'error'), coalesce(sum(total_tokens), 0)::bigint, sum(total_cost),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
         ORDER BY greatest(extract(epoch FROM end_time - start_time), 0)::float8)
         FILTER (WHERE has_root AND end_time IS NOT NULL),
       array_agg(extract(epoch FROM start_time)::float8),
       array_agg(extract(epoch FROM start_time)::float8) FILTER (WHERE shown = 'error')
  FROM kept
"""

NEWEST = """
SELECT * FROM (
  SELECT id, project_id, day, start_time, end_time, last_heard_at, has_root, total_tokens, total_cost, name, status, tags,
         inputs_preview, outputs_preview, error
    FROM trace WHERE {within} ORDER BY start_time DESC, id DESC LIMIT %(looked_at)s
) AS {alias}
"""


def get_overview(
    project_ids: Sequence[UUID], filter_: TraceFilter, *, now: datetime, bucket_count: int = 72
) -> TraceOverview:
    """Return figures over the newest LOOKED_AT traces of each project.

    A search that only payloads decide is counted as far as rows tell: there may be fewer.

    Raises:
        ReadTimeout: the database took too long.
    """
    search = search_within(OVERVIEW_SECONDS, project_ids, filter_.search)
    params = _params(project_ids, filter_) | (search.params if search else {})
    query = OVERVIEW.format(
        shown_status=SHOWN_STATUS,
        newest=" UNION ALL ".join(_newest(number, filter_) for number in range(len(project_ids))),
        has_status=f"({SHOWN_STATUS} = ANY(%(statuses)s))" if filter_.statuses else "true",
        has_name="coalesce(trace.name = ANY(%(names)s), false)" if filter_.names else "true",
        has_tags="coalesce(trace.tags @> %(tags)s::text[], false)" if filter_.tags else "true",
        has_search=f"({' AND '.join(search.conditions)})" if search else "true",
    )
    with time_limit(OVERVIEW_SECONDS):
        (row,) = fetch_all(query, params)
    (
        looked_at,
        oldest,
        by_status,
        by_name,
        by_tag,
        count,
        errors,
        tokens,
        cost,
        percentiles,
        starts,
        failed_starts,
    ) = row
    is_capped = looked_at >= LOOKED_AT
    p50, p95 = percentiles or (None, None)
    return TraceOverview(
        trace_count=count,
        error_count=errors,
        total_tokens=tokens,
        total_cost=cost,
        latency_p50_seconds=p50,
        latency_p95_seconds=p95,
        by_status=dict.fromkeys(STATUSES, 0) | (parse_json(by_status) or {}),
        by_name=tuple((name, number) for name, number in parse_json(by_name) or ()),
        by_tag=tuple((tag, number) for tag, number in parse_json(by_tag) or ()),
        buckets=to_buckets(
            starts or [], failed_starts or [], oldest, filter_.start_to or now, bucket_count
        ),
        is_capped=is_capped,
    )


def parse_json(text: str | None) -> Any:
    """Parse a jsonb column: Django's connections return it as text."""
    return None if text is None else orjson.loads(text)


def _newest(number: int, filter_: TraceFilter) -> str:
    times, _ = within_time("trace", filter_.start_from, filter_.start_to)
    within = [f"project_id = %(project_{number})s", *times]
    if filter_.thread_id is not None:
        within.append("thread_id = %(thread_id)s")
    return NEWEST.format(within=" AND ".join(within), alias=f"newest_{number}")


def _params(project_ids: Sequence[UUID], filter_: TraceFilter) -> dict[str, Any]:
    params: dict[str, Any] = {f"project_{number}": id_ for number, id_ in enumerate(project_ids)}
    _, times = within_time("trace", filter_.start_from, filter_.start_to)
    return params | {
        "silent_before": silent_before(),
        "statuses": list(filter_.statuses),
        "names": [storable(name) for name in filter_.names],
        "tags": [storable(tag) for tag in filter_.tags],
        "thread_id": storable(filter_.thread_id) if filter_.thread_id is not None else None,
        **times,
        "looked_at": LOOKED_AT,
        "values": FACET_VALUES,
    }


def to_buckets(
    starts: list[float],
    failed_starts: list[float],
    begin: datetime | None,
    end: datetime,
    count: int,
) -> tuple[TimeBucket, ...]:
    """Sort start times into equal parts of the time since the oldest trace looked at."""
    if begin is None or not starts:
        return ()
    if end - begin < SHORTEST_HISTOGRAM:
        begin = end - SHORTEST_HISTOGRAM if end - FIRST > SHORTEST_HISTOGRAM else FIRST
        end = max(end, begin + SHORTEST_HISTOGRAM)
    width = (end - begin) / count
    first, seconds = begin.timestamp(), width.total_seconds()

    def sort(times: list[float]) -> list[int]:
        counts = [0] * count
        for time in times:
            # the last one also takes what a fast clock dates into the future
            counts[min(max(int((time - first) / seconds), 0), count - 1)] += 1
        return counts

    edges = [begin + width * place for place in range(count)] + [end]  # its sum is rounded
    return tuple(
        TimeBucket(edges[place], edges[place + 1], traces, errors)
        for place, (traces, errors) in enumerate(
            zip(sort(starts), sort(failed_starts), strict=True)
        )
    )
