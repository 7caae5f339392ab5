"""Figures over runs: of whole projects, of what a filter matches, and in groups.

Every source of rows (`_Source`) names the same columns, and one list of measures is taken of them. Counts and sums
are of all rows as long as the time for it lasts; percentiles are of the newest MEASURED_ROWS of each project:
sorting 1 M latencies took 3 s, and the newest tell the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from collector.query.fields import FIELDS
from collector.reads.errors import ReadTimeout
from collector.reads.feedback import (
    FeedbackStatistics,
    summarize_feedback_together,
    summarize_project_feedback,
)
from collector.reads.payloads import iterate_payloads, parse_object
from collector.reads.run_filter import compile_run_filter
from collector.reads.runs import iterate_matching
from collector.reads.sql import Row, fetch_all, time_limit, within_time
from collector.reads.types import RunFilter, RunSummary, TimeRange
from collector.storage.terms import as_text
from collector.wire.fields import storable

logger = logging.getLogger(__name__)

STATISTICS_SECONDS = 5.0
SUMS_SECONDS = 3.0  # of them for sums over all rows, where these are more than are measured
MEASURED_ROWS = 5_000
LOOKED_INTO = 2_000  # runs of which a filter or a group needs the payloads
PROJECTS_PER_STATEMENT = 50

GroupBy = Literal["name", "run_type", "tag", "metadata"]

SUMS = """sum(run_count)::bigint, count(*), count(*) FILTER (WHERE is_error),
 count(*) FILTER (WHERE first_token_time IS NOT NULL), max(start_time),
 sum(prompt_tokens) FILTER (WHERE is_top)::bigint, sum(completion_tokens) FILTER (WHERE is_top)::bigint,
 sum(total_tokens) FILTER (WHERE is_top)::bigint, sum(prompt_cost) FILTER (WHERE is_top),
 sum(completion_cost) FILTER (WHERE is_top), sum(total_cost) FILTER (WHERE is_top)"""

# Never negative: two clocks may have told the two times.
SECONDS_TO = (
    "CASE WHEN {0} IS NOT NULL THEN greatest(extract(epoch FROM {0} - start_time), 0)::float8 END"
)
PERCENTILES = ",\n ".join(
    f"percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY {measure})"
    for measure in (
        SECONDS_TO.format("end_time"),
        SECONDS_TO.format("first_token_time"),
        "total_tokens::float8",
        "prompt_tokens::float8",
        "completion_tokens::float8",
        "total_cost::float8",
    )
)

TRACE_ROWS = """
SELECT project_id, id, NULL::uuid AS parent_run_id, start_time, end_time, first_token_time,
       status IN ('error', 'cancelled') AS is_error, run_count, name, run_type, tags, thread_id,
       prompt_tokens, completion_tokens, total_tokens, prompt_cost, completion_cost, total_cost
  FROM trace WHERE {conditions}
"""
RUN_ROWS = """
SELECT run.project_id, run.id, run.parent_run_id, run.start_time, run.end_time, run.first_token_time,
       (run.error IS NOT NULL OR run.status = 'cancelled') AS is_error, 1 AS run_count, run.name,
       coalesce(run.run_type, 'chain') AS run_type, run.tags, run.thread_id, {totals}
  FROM run WHERE {conditions}
"""

TOTALS = tuple(
    f"{side}_{kind}" for kind in ("tokens", "cost") for side in ("prompt", "completion", "total")
)
# What a run took with all below it; and what it took itself.
WITH_BELOW = ", ".join(f"{FIELDS[name].sql.format(run='run')} AS {name}" for name in TOTALS)
OWN = ", ".join(
    f"CASE WHEN run.run_type IN ('llm', 'embedding') THEN run.{name} END AS {name}"
    for name in TOTALS
)

MEASURE = """
WITH measured AS ({rows})
SELECT {group}, {measures}
  FROM (SELECT one.*, {is_top} AS is_top FROM measured AS one) AS counted {grouping}
 GROUP BY 1
"""
# What is grouped by → its value, and where that is from.
GROUPS: Mapping[str, tuple[str, str]] = {
    "": ("NULL", ""),
    "project": ("project_id", ""),
    "thread": ("thread_id", ""),
    "name": ("coalesce(name, '')", ""),
    "run_type": ("run_type", ""),
    "tag": ("tag", "CROSS JOIN LATERAL unnest(tags) AS tag"),
    "metadata": (
        "said.value",
        """JOIN unnest(%(said_projects)s::uuid[], %(said_ids)s::uuid[], %(said_values)s::text[])
             AS said (project_id, id, value) USING (project_id, id)""",
    ),
}


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the rows that have what is measured; None where none has."""

    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Figures over runs, or over traces by their roots. Latencies are seconds, costs USD."""

    run_count: int = 0
    row_count: int = 0  # the runs, or the traces, that rates are of
    error_count: int = 0
    streamed_count: int = 0  # of which the time of a first token is known
    last_start_time: datetime | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    total_cost: Decimal | None = None
    latency: Percentiles = field(default_factory=Percentiles)
    first_token: Percentiles = field(default_factory=Percentiles)
    tokens: Percentiles = field(default_factory=Percentiles)
    prompt: Percentiles = field(default_factory=Percentiles)
    completion: Percentiles = field(default_factory=Percentiles)
    cost: Percentiles = field(default_factory=Percentiles)
    feedback: Mapping[str, FeedbackStatistics] = field(default_factory=dict)
    measured_count: int = 0  # the newest of them, which percentiles are of
    is_capped: bool = False  # counts and sums are of these too: all would have taken too long

    @property
    def error_rate(self) -> float | None:
        return self.error_count / self.row_count if self.row_count else None

    @property
    def streaming_rate(self) -> float | None:
        return self.streamed_count / self.row_count if self.row_count else None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to measure: of the table `trace`, or of `run`. Conditions and params as in `CompiledFilter`."""

    project_ids: Sequence[UUID]
    conditions: Sequence[str]
    params: Mapping[str, Any]
    rows: str = TRACE_ROWS
    table: Literal["trace", "run"] = "trace"
    # A run below another one of these is in its sums already.
    is_nested: bool = False

    def newest(self) -> str:
        """Return the query for the newest MEASURED_ROWS, of each project where these are few.

        For a list of projects Postgres does not walk the index in its order: see sql.py.
        """
        order = " ORDER BY start_time DESC, id DESC LIMIT %(measured)s"
        if len(self.project_ids) > PROJECTS_PER_STATEMENT:
            return self.all() + order
        parts = [
            f"({self._rows(f'{self.table}.project_id = %(project_{number})s')}{order})"
            for number in range(len(self.project_ids))
        ]
        return " UNION ALL ".join(parts)

    def all(self) -> str:
        return self._rows(f"{self.table}.project_id = ANY(%(project_ids)s::uuid[])")

    def _rows(self, of_project: str) -> str:
        return self.rows.format(conditions=" AND ".join([of_project, *self.conditions]))

    def measure(self, rows: str, measures: str, group: str, **params: Any) -> list[Row]:
        """Return the measures of each group of some rows."""
        value, grouping = GROUPS[group]
        is_top = "true"
        if self.is_nested and not group:
            is_top = """NOT EXISTS (SELECT 1 FROM measured AS parent
              WHERE parent.project_id = one.project_id AND parent.id = one.parent_run_id)"""
        query = MEASURE.format(
            rows=rows, measures=measures, group=value, grouping=grouping, is_top=is_top
        )
        named = {f"project_{number}": id_ for number, id_ in enumerate(self.project_ids)}
        known = {"project_ids": list(self.project_ids), "measured": MEASURED_ROWS}
        return fetch_all(query, {**self.params, **named, **known, **params})


def project_statistics(
    project_ids: Sequence[UUID], time_range: TimeRange
) -> dict[UUID, RunStatistics]:
    """Return figures over the traces of each project; feedback is of all times.

    Raises:
        ReadTimeout: the database took too long.
    """
    found: dict[UUID, RunStatistics] = {}
    for first in range(0, len(project_ids), PROJECTS_PER_STATEMENT):
        part = project_ids[first : first + PROJECTS_PER_STATEMENT]
        times, params = within_time("trace", time_range.start, time_range.end)
        found |= measure_all(Source(part, times, params), "project")
    feedback = _feedback_of_projects(list(project_ids))
    return {
        id_: replace(found.get(id_, RunStatistics()), feedback=feedback.get(id_, {}))
        for id_ in project_ids
    }


def _feedback_of_projects(
    project_ids: Sequence[UUID],
) -> Mapping[UUID, Mapping[str, FeedbackStatistics]]:
    try:
        with time_limit(SUMS_SECONDS):
            return summarize_project_feedback(project_ids, is_of_run=True)
    except ReadTimeout:
        logger.info("feedback of %d projects took too long and is left out", len(project_ids))
        return {}


def run_statistics(project_ids: Sequence[UUID], filter_: RunFilter) -> RunStatistics:
    """Return figures over the runs that a filter matches.

    Raises:
        ReadTimeout: the database took too long.
    """
    source, is_cut = _source(project_ids, filter_)
    found = measure_all(source, "", with_feedback=True).get(None, RunStatistics())
    return replace(found, is_capped=found.is_capped or is_cut)


def grouped_statistics(
    project_ids: Sequence[UUID],
    filter_: RunFilter,
    group_by: GroupBy,
    *,
    path: str = "",
    max_groups: int,
) -> dict[str, RunStatistics]:
    """Return the same for each of the largest groups, by its value. `path` is of a value in the metadata.

    Raises:
        ReadTimeout: the database took too long.
    """
    said: dict[str, list[Any]] = {}
    if group_by == "metadata":
        runs, is_cut = _look_into(project_ids, filter_)
        source = _named(project_ids, runs)
        said = _values(runs, path)
    else:
        source, is_cut = _source(project_ids, filter_, is_grouped=True)
    found = measure_all(source, group_by, with_feedback=True, **said)
    largest = sorted(found, key=lambda value: (-found[value].row_count, value))[:max_groups]
    return {
        value: replace(found[value], is_capped=found[value].is_capped or is_cut)
        for value in largest
    }


def _source(
    project_ids: Sequence[UUID], filter_: RunFilter, *, is_grouped: bool = False
) -> tuple[Source, bool]:
    """Return the rows of a filter, and whether there may be more than could be looked at."""
    with time_limit(STATISTICS_SECONDS):
        compiled = compile_run_filter(project_ids, filter_)
    if compiled.needs_payload:
        runs, is_cut = _look_into(project_ids, filter_)
        return _named(project_ids, runs), is_cut
    # Where nothing is asked of a run itself whole traces are there: each run adds what it took itself.
    asked = (filter_.expression, filter_.ids, filter_.parent_run_id, filter_.reference_example_ids)
    is_whole = not is_grouped and not any(asked)
    rows = RUN_ROWS.replace("{totals}", OWN if is_whole else WITH_BELOW)
    source = Source(
        project_ids, compiled.conditions, compiled.params, rows, "run", is_nested=not is_whole
    )
    return source, False


def _look_into(project_ids: Sequence[UUID], filter_: RunFilter) -> tuple[list[RunSummary], bool]:
    """Return the newest LOOKED_INTO runs that match, and whether there may be more."""
    deadline = time.monotonic() + STATISTICS_SECONDS
    runs = list(
        iterate_matching(project_ids, filter_, LOOKED_INTO, budget_seconds=STATISTICS_SECONDS)
    )
    return runs, len(runs) >= LOOKED_INTO or time.monotonic() >= deadline


def _named(project_ids: Sequence[UUID], runs: Sequence[RunSummary]) -> Source:
    days: list[date] = sorted({run.day for run in runs})
    return Source(
        project_ids,
        ["run.id = ANY(%(run_ids)s::uuid[])", "run.day = ANY(%(days)s::date[])"],
        {"run_ids": [run.id for run in runs], "days": days},
        RUN_ROWS.replace("{totals}", WITH_BELOW),
        "run",
        is_nested=True,
    )


def _values(runs: Sequence[RunSummary], path: str) -> dict[str, list[Any]]:
    """Return which runs say what at a dotted path of their metadata; those that say nothing are absent."""
    said: dict[str, list[Any]] = {"said_projects": [], "said_ids": [], "said_values": []}
    for run, payload in iterate_payloads(runs):
        value: Any = parse_object(payload.extra).get("metadata")
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, dict | list):
            said["said_projects"].append(run.project_id)
            said["said_ids"].append(run.id)
            said["said_values"].append(storable(as_text(value)))
    return said


def measure_all(
    source: Source, group: str, *, with_feedback: bool = False, **params: Any
) -> dict[Any, RunStatistics]:
    """Return the figures of each group of rows; "" groups all of them under None.

    Raises:
        ReadTimeout: the database took too long.
    """
    if not source.project_ids:
        return {}
    ids = ", array_agg(id)" if with_feedback else ", NULL"
    with time_limit(STATISTICS_SECONDS):
        rows = source.measure(source.newest(), f"{SUMS}, {PERCENTILES}{ids}", group, **params)
        found = {row[0]: _statistics(row) for row in rows}
        if with_feedback:
            for value, *_, run_ids in rows:
                feedback = summarize_feedback_together(source.project_ids, run_ids)
                found[value] = replace(found[value], feedback=feedback)
    if sum(figures.row_count for figures in found.values()) < MEASURED_ROWS:
        return found
    return _with_all_sums(source, group, found, params)


def _with_all_sums(
    source: Source, group: str, found: dict[Any, RunStatistics], params: dict[str, Any]
) -> dict[Any, RunStatistics]:
    """Return the figures with counts and sums of all rows, if there is time for it."""
    try:
        with time_limit(SUMS_SECONDS):
            rows = source.measure(source.all(), SUMS, group, **params)
    except ReadTimeout:
        return {value: replace(figures, is_capped=True) for value, figures in found.items()}
    return {row[0]: replace(found.get(row[0], RunStatistics()), **_sums(row)) for row in rows}


def _statistics(row: Row) -> RunStatistics:
    """Build from a row of a group's value, SUMS, PERCENTILES and anything else."""
    latency, first_token, tokens, prompt, completion, cost = (
        Percentiles(*(pair or (None, None))) for pair in row[12:18]
    )
    return RunStatistics(
        **_sums(row),
        latency=latency,
        first_token=first_token,
        tokens=tokens,
        prompt=prompt,
        completion=completion,
        cost=cost,
        measured_count=row[2],
    )


def _sums(row: Row) -> dict[str, Any]:
    (run_count, row_count, error_count, streamed_count, last_start_time, prompt_tokens,
     completion_tokens, total_tokens, prompt_cost, completion_cost, total_cost) = row[1:12]  # fmt: skip
    return {
        "run_count": run_count,
        "row_count": row_count,
        "error_count": error_count,
        "streamed_count": streamed_count,
        "last_start_time": last_start_time,
        "prompt_tokens": prompt_tokens or 0,
        "completion_tokens": completion_tokens or 0,
        "total_tokens": total_tokens or 0,
        "prompt_cost": prompt_cost,
        "completion_cost": completion_cost,
        "total_cost": total_cost,
    }
