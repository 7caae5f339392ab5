"""Projects with figures over a time range. All figures come from `trace` rows, which hold totals already."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from collector.models import Project
from collector.reads.errors import ReadTimeout
from collector.reads.sql import Row, fetch_all, time_limit
from collector.reads.types import ProjectSummary, TimeRange

logger = logging.getLogger(__name__)

FIGURES_SECONDS = 2.0
MEASURED_TRACES = 5_000  # of each project, for its percentiles
BUCKETS = 24
PROJECTS_PER_STATEMENT = 50

# A trace's bucket is how many widths after the start it began.
FIGURES = """
SELECT project_id, floor(extract(epoch FROM start_time - %(start)s) / %(width)s::float8)::int,
       count(*), count(*) FILTER (WHERE status = 'error'), sum(run_count)::bigint,
       sum(total_tokens)::bigint, sum(total_cost)
  FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND start_time >= %(start)s AND start_time < %(end)s
 GROUP BY 1, 2
"""

# Of the newest traces only: sorting 1 M latencies took 3 s, and 5,000 of them tell the same.
LATENCIES = """
SELECT project_id, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
         ORDER BY greatest(extract(epoch FROM end_time - start_time), 0)::float8)
  FROM ({newest}) AS newest
 GROUP BY project_id
"""
NEWEST = """
(SELECT project_id, start_time, end_time FROM trace
  WHERE project_id = %({name})s AND start_time >= %(start)s AND start_time < %(end)s
    AND end_time IS NOT NULL
  ORDER BY start_time DESC, id DESC LIMIT %(measured)s)
"""


@dataclass(slots=True)
class _Figures:
    """What is added up for one project."""

    traces: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    errors: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    run_count: int = 0
    total_tokens: int = 0
    total_cost: Decimal | None = None
    latencies: tuple[float | None, float | None] = (None, None)


def list_projects(project_ids: Sequence[UUID], time_range: TimeRange) -> tuple[ProjectSummary, ...]:
    """Return the projects, the one with the newest trace first.

    Where the figures would take longer than FIGURES_SECONDS they are left out (`has_figures`).
    """
    projects = list(Project.objects.filter(id__in=project_ids))
    last_run_times = find_last_run_times([project.id for project in projects])
    recent = [id_ for id_, time in last_run_times.items() if time >= time_range.start]
    figures: dict[UUID, _Figures] | None = None
    try:
        with time_limit(FIGURES_SECONDS):
            figures = _figures(recent, time_range)
    except ReadTimeout:
        logger.info("figures of %d projects took too long and are left out", len(recent))
    summaries = [_summary(project, figures, last_run_times.get(project.id)) for project in projects]
    return tuple(sorted(summaries, key=_newest_first))


def find_last_run_times(project_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return the start of each project's newest trace; projects without any are absent."""
    found: dict[UUID, datetime] = {}
    for first in range(0, len(project_ids), PROJECTS_PER_STATEMENT):
        part = project_ids[first : first + PROJECTS_PER_STATEMENT]
        query = " UNION ALL ".join(
            f"(SELECT project_id, start_time FROM trace WHERE project_id = %(p{number})s"  # noqa: S608 (a number)
            " ORDER BY start_time DESC, id DESC LIMIT 1)"
            for number in range(len(part))
        )
        params = {f"p{number}": project_id for number, project_id in enumerate(part)}
        found.update((project_id, time) for project_id, time in fetch_all(query, params))
    return found


def _figures(project_ids: Sequence[UUID], time_range: TimeRange) -> dict[UUID, _Figures]:
    seconds = (time_range.end - time_range.start).total_seconds()
    params: dict[str, Any] = {
        "project_ids": list(project_ids),
        "start": time_range.start,
        "end": time_range.end,
        "width": max(seconds / BUCKETS, 1e-6),
        "measured": MEASURED_TRACES,
    }
    found: dict[UUID, _Figures] = {}
    for project_id, bucket, traces, errors, runs, tokens, cost in fetch_all(FIGURES, params):
        figures = found.setdefault(project_id, _Figures())
        place = min(bucket, BUCKETS - 1)  # a rounded width may leave a trace just beyond the last
        figures.traces[place] += traces
        figures.errors[place] += errors
        figures.run_count += runs
        figures.total_tokens += tokens
        if cost is not None:
            figures.total_cost = (figures.total_cost or Decimal(0)) + cost
    for project_id, percentiles in _latencies(list(found), params):
        found[project_id].latencies = tuple(percentiles)
    return found


def _latencies(project_ids: Sequence[UUID], params: dict[str, Any]) -> Iterator[Row]:
    """Yield (project id, [p50, p95]) of the projects that have ended traces."""
    for first in range(0, len(project_ids), PROJECTS_PER_STATEMENT):
        named = {f"p{n}": id_ for n, id_ in enumerate(project_ids[first:][:PROJECTS_PER_STATEMENT])}
        newest = " UNION ALL ".join(NEWEST.format(name=name) for name in named)
        yield from fetch_all(LATENCIES.format(newest=newest), {**params, **named})


def _summary(
    project: Project, all_figures: dict[UUID, _Figures] | None, last_run_time: datetime | None
) -> ProjectSummary:
    figures = (all_figures or {}).get(project.id) or _Figures()
    traces, errors = sum(figures.traces), sum(figures.errors)
    return ProjectSummary(
        id=project.id,
        name=project.name,
        description=project.description,
        created_at=project.created_at,
        trace_count=traces,
        run_count=figures.run_count,
        error_count=errors,
        error_rate=errors / traces if traces else None,
        latency_p50_seconds=figures.latencies[0],
        latency_p95_seconds=figures.latencies[1],
        total_tokens=figures.total_tokens,
        total_cost=figures.total_cost,
        last_run_time=last_run_time,
        traces_per_bucket=tuple(figures.traces),
        errors_per_bucket=tuple(figures.errors),
        has_figures=all_figures is not None,
    )


def _newest_first(summary: ProjectSummary) -> tuple[bool, float, str]:
    time = summary.last_run_time
    return time is None, -time.timestamp() if time else 0.0, summary.name
