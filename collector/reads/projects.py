"""Projects with figures over a time range. All figures come from `trace` rows, which hold totals already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from collector.models import Project
from collector.reads.errors import ReadTimeout
from collector.reads.sql import Row, fetch_all, time_limit
from collector.reads.types import ProjectSummary, TimeRange

FIGURES_SECONDS = 2.0
BUCKETS = 24
PROJECTS_PER_STATEMENT = 50

FIGURES = """
SELECT project_id, count(*), sum(run_count)::bigint, count(*) FILTER (WHERE status = 'error'),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
         ORDER BY greatest(extract(epoch FROM end_time - start_time), 0)::float8)
         FILTER (WHERE end_time IS NOT NULL),
       sum(total_tokens)::bigint, sum(total_cost)
  FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND start_time >= %(start)s AND start_time < %(end)s
 GROUP BY project_id
"""

# A trace's bucket is how many widths after the start it began.
SPARKLINES = """
SELECT project_id, floor(extract(epoch FROM start_time - %(start)s) / %(width)s::float8)::int,
       count(*), count(*) FILTER (WHERE status = 'error')
  FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND start_time >= %(start)s AND start_time < %(end)s
 GROUP BY 1, 2
"""


def list_projects(project_ids: Sequence[UUID], time_range: TimeRange) -> tuple[ProjectSummary, ...]:
    """Return the projects, the one with the newest trace first.

    Where the figures would take longer than FIGURES_SECONDS they are left out (`has_figures`).
    """
    projects = list(Project.objects.filter(id__in=project_ids))
    last_run_times = find_last_run_times([project.id for project in projects])
    figures: dict[UUID, Row] = {}
    sparklines: dict[UUID, tuple[list[int], list[int]]] = {}
    has_figures = True
    try:
        with time_limit(FIGURES_SECONDS):
            figures = _figures(last_run_times, time_range)
            sparklines = _sparklines(list(figures), time_range)
    except ReadTimeout:
        figures, sparklines, has_figures = {}, {}, False
    summaries = [
        _summary(
            project,
            figures.get(project.id),
            sparklines.get(project.id) or ([0] * BUCKETS, [0] * BUCKETS),
            last_run_times.get(project.id),
            has_figures=has_figures,
        )
        for project in projects
    ]
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


def _figures(last_run_times: dict[UUID, datetime], time_range: TimeRange) -> dict[UUID, Row]:
    wanted = [id_ for id_, time in last_run_times.items() if time >= time_range.start]
    return {row[0]: row for row in fetch_all(FIGURES, _params(wanted, time_range))}


def _sparklines(
    project_ids: list[UUID], time_range: TimeRange
) -> dict[UUID, tuple[list[int], list[int]]]:
    """Return (traces, errors) in each bucket."""
    width = max((time_range.end - time_range.start).total_seconds() / BUCKETS, 1e-6)
    rows = fetch_all(SPARKLINES, {**_params(project_ids, time_range), "width": width})
    lines: dict[UUID, tuple[list[int], list[int]]] = {}
    for project_id, bucket, traces, errors in rows:
        line = lines.setdefault(project_id, ([0] * BUCKETS, [0] * BUCKETS))
        place = min(bucket, BUCKETS - 1)  # a rounded width may leave a trace just beyond the last
        line[0][place] += traces
        line[1][place] += errors
    return lines


def _params(project_ids: Sequence[UUID], time_range: TimeRange) -> dict[str, Any]:
    return {
        "project_ids": list(project_ids),
        "start": time_range.start,
        "end": time_range.end,
    }


def _summary(
    project: Project,
    figures: Row | None,
    sparkline: tuple[list[int], list[int]],
    last_run_time: datetime | None,
    *,
    has_figures: bool,
) -> ProjectSummary:
    no_figures = (project.id, 0, 0, 0, None, 0, None)
    _, traces, runs, errors, percentiles, tokens, cost = figures or no_figures
    p50, p95 = percentiles or (None, None)
    return ProjectSummary(
        id=project.id,
        name=project.name,
        description=project.description,
        created_at=project.created_at,
        trace_count=traces,
        run_count=runs,
        error_count=errors,
        error_rate=errors / traces if traces else None,
        latency_p50_seconds=p50,
        latency_p95_seconds=p95,
        total_tokens=tokens or 0,
        total_cost=Decimal(cost) if cost is not None else None,
        last_run_time=last_run_time,
        traces_per_bucket=tuple(sparkline[0]),
        errors_per_bucket=tuple(sparkline[1]),
        has_figures=has_figures,
    )


def _newest_first(summary: ProjectSummary) -> tuple[bool, float, str]:
    time = summary.last_run_time
    return time is None, -time.timestamp() if time else 0.0, summary.name
