"""What stands around a list of runs: totals, facets and a histogram, as `overview.py` has them of traces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from collector.reads.overview import (
    FACET_VALUES,
    LOOKED_AT,
    OVERVIEW_SECONDS,
    parse_json,
    to_buckets,
)
from collector.reads.run_filter import compile_run_filter
from collector.reads.sql import fetch_all, time_limit, within_time
from collector.reads.types import RunFilter, TraceOverview

# Tokens and cost are those of model runs alone: a chain's are its models' once more.
RUN_OVERVIEW = """
WITH looked_at AS MATERIALIZED (
  SELECT run.*, ({conditions}) AS is_kept FROM ({newest}) AS run
), kept AS (
  SELECT * FROM looked_at WHERE is_kept
)
SELECT (SELECT count(*) FROM looked_at),
       (SELECT min(start_time) FROM looked_at),
       (SELECT jsonb_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM kept GROUP BY 1) AS s),
       (SELECT jsonb_agg(jsonb_build_array(name, n) ORDER BY n DESC, name) FROM (
          SELECT name, count(*) AS n FROM kept WHERE name <> '' GROUP BY 1
           ORDER BY n DESC, name LIMIT %(values)s) AS s),
       (SELECT jsonb_agg(jsonb_build_array(tag, n) ORDER BY n DESC, tag) FROM (
          SELECT tag, count(*) AS n FROM kept, unnest(tags) AS tag GROUP BY 1
           ORDER BY n DESC, tag LIMIT %(values)s) AS s),
       count(*), count(*) FILTER (WHERE status = 'error'),
       coalesce(sum(total_tokens) FILTER (WHERE run_type IN ('llm', 'embedding')), 0)::bigint,
       sum(total_cost) FILTER (WHERE run_type IN ('llm', 'embedding')),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
         ORDER BY greatest(extract(epoch FROM end_time - start_time), 0)::float8) FILTER (WHERE end_time IS NOT NULL),
       array_agg(extract(epoch FROM start_time)::float8),
       array_agg(extract(epoch FROM start_time)::float8) FILTER (WHERE status = 'error')
  FROM kept
"""
NEWEST = """
(SELECT * FROM run WHERE project_id = %({project})s AND {times}
  ORDER BY start_time DESC, id DESC LIMIT %(looked_at)s)
"""


def get_run_overview(
    project_ids: Sequence[UUID], filter_: RunFilter, *, now: datetime, bucket_count: int = 72
) -> TraceOverview:
    """Return figures over the runs that match among the newest LOOKED_AT of each project.

    The filter has to be one that rows decide. The facets count what the whole filter leaves.

    Raises:
        ReadTimeout: the database took too long.
    """
    times, bounds = within_time("run", filter_.start_from, filter_.start_to, has_end=True)
    params: dict[str, Any] = {f"project_{number}": id_ for number, id_ in enumerate(project_ids)}
    newest = " UNION ALL ".join(
        NEWEST.format(project=project, times=" AND ".join(times)) for project in params
    )
    with time_limit(OVERVIEW_SECONDS):
        compiled = compile_run_filter(project_ids, filter_)
        query = RUN_OVERVIEW.format(
            conditions=" AND ".join(compiled.conditions) or "true", newest=newest
        )
        params |= {**compiled.params, **bounds, "looked_at": LOOKED_AT, "values": FACET_VALUES}
        params["project_ids"] = list(project_ids)
        (row,) = fetch_all(query, params)
    (looked_at, oldest, by_status, by_name, by_tag, count, errors, tokens, cost, percentiles,
     starts, failed_starts) = row  # fmt: skip
    p50, p95 = percentiles or (None, None)
    return TraceOverview(
        trace_count=count,
        error_count=errors,
        total_tokens=tokens,
        total_cost=cost,
        latency_p50_seconds=p50,
        latency_p95_seconds=p95,
        by_status=parse_json(by_status) or {},
        by_name=tuple((name, number) for name, number in parse_json(by_name) or ()),
        by_tag=tuple((tag, number) for tag, number in parse_json(by_tag) or ()),
        buckets=to_buckets(
            starts or [], failed_starts or [], oldest, filter_.start_to or now, bucket_count
        ),
        is_capped=looked_at >= LOOKED_AT,
    )
