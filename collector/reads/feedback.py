"""Feedback on runs and on whole projects: single judgements, lists, and statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from collector.reads.payloads import parse_value
from collector.reads.sql import FIRST, LAST, Row, fetch_all, time_limit
from collector.reads.types import FeedbackSummary, RunSummary
from collector.wire.fields import storable

MAX_FEEDBACK = 200  # shown of a run
LIST_SECONDS = 8.0
MAX_COMMENTS = 10  # in statistics, the oldest
MAX_VALUES = 1_000  # that are counted
MAX_VALUE_BYTES = 250  # of a value that is counted: a longer one is no category

OF_RUN = """
SELECT id, key, score, value, comment, created_at FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = %(run_id)s
 ORDER BY created_at, id LIMIT %(limit)s
"""

COLUMNS = """id, project_id, run_id, trace_id, created_at, modified_at, key, score, value, comment,
 correction, feedback_source, other"""

FIND = f"""
SELECT {COLUMNS} FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(id)s ORDER BY modified_at DESC LIMIT 1
"""  # noqa: S608 (our own words)

LIST = f"""
SELECT {COLUMNS} FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[])
   AND created_at BETWEEN %(created_from)s AND %(created_to)s
"""  # noqa: S608


def _member(column: str, name: str) -> str:
    """Return SQL for a text in a column of JSON. Escapes are blanked first: Postgres fails at that of NUL and the like."""
    text = f"convert_from(nullif({column}, ''), 'UTF8')"
    escape, blank = r"\\u[0-9a-fA-F]{4}", r"\\u0020"
    return f"(regexp_replace({text}, '{escape}', '{blank}', 'g')::json ->> '{name}')"


# Each stands behind LIST where it is asked for.
CONDITIONS = {
    "run_ids": "run_id = ANY(%(run_ids)s::uuid[])",
    "keys": "key = ANY(%(keys)s::text[])",
    "sources": "source_type = ANY(%(sources)s::text[])",
    "users": f"{_member('feedback_source', 'user_id')} = ANY(%(users)s::text[])",
    "has_comment": "(coalesce(comment, '') <> '') = %(has_comment)s::boolean",
    "has_score": "(score IS NOT NULL) = %(has_score)s::boolean",
    "is_of_run": "(run_id IS NOT NULL) = %(is_of_run)s::boolean",
}

MEASURES = f"""count(*), avg(score), min(score), max(score), stddev_pop(score),
 count(*) FILTER (WHERE {_member("other", "error")} = 'true'),
 array_agg(DISTINCT source_type) FILTER (WHERE source_type IS NOT NULL),
 (array_agg(left(comment, 1000) ORDER BY created_at, id) FILTER (WHERE comment <> ''))[1:{MAX_COMMENTS}],
 (array_agg(value) FILTER (WHERE octet_length(value) BETWEEN 2 AND {MAX_VALUE_BYTES}
                             AND get_byte(value, 0) = ascii('"')))[1:{MAX_VALUES}]"""

OF_RUNS = f"""
SELECT project_id, run_id, key, {MEASURES} FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = ANY(%(run_ids)s::uuid[])
 GROUP BY 1, 2, 3
"""  # noqa: S608

TOGETHER = f"""
SELECT key, {MEASURES} FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = ANY(%(run_ids)s::uuid[])
 GROUP BY 1
"""  # noqa: S608

OF_PROJECTS = f"""
SELECT project_id, key, {MEASURES} FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND (run_id IS NOT NULL) = %(is_of_run)s::boolean
 GROUP BY 1, 2
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """One judgement as it is stored. JSON fields are text, b"" where never given."""

    id: UUID
    project_id: UUID | None  # None: accepted a moment ago, and not placed yet
    run_id: UUID | None  # None: on the whole project
    trace_id: UUID | None
    created_at: datetime
    modified_at: datetime
    key: str
    score: float | None
    value: bytes
    comment: str | None
    correction: bytes
    feedback_source: bytes
    other: bytes  # an object of the fields that have no column


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """What a list may be narrowed by. Every field only narrows; None leaves it as it is."""

    run_ids: tuple[UUID, ...] | None = None
    keys: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    has_comment: bool | None = None
    has_score: bool | None = None
    is_of_run: bool | None = None
    created_from: datetime | None = None  # both inclusive
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedbackStatistics:
    """All feedback with one key on one run or project."""

    count: int
    average: float | None
    minimum: float | None
    maximum: float | None
    deviation: float | None
    error_count: int = 0  # judgements that failed
    sources: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    values: dict[str, int] = field(default_factory=dict)  # category → how often


def find_feedback(project_ids: Sequence[UUID], feedback_id: UUID) -> StoredFeedback | None:
    """Return one judgement, or None where these projects have none with this id."""
    rows = fetch_all(FIND, {"project_ids": list(project_ids), "id": feedback_id})
    return stored_feedback(rows[0]) if rows else None


def search_feedback(
    project_ids: Sequence[UUID], filter_: FeedbackFilter, limit: int, offset: int = 0
) -> list[StoredFeedback]:
    """Return judgements, newest first.

    Raises:
        ReadTimeout: the database took too long.
    """
    params: dict[str, Any] = {
        "project_ids": list(project_ids),
        "created_from": filter_.created_from or FIRST,
        "created_to": filter_.created_to or LAST,
        "limit": limit,
        "offset": offset,
    }
    query = LIST
    for name, condition in CONDITIONS.items():
        wanted = getattr(filter_, name)
        if wanted is not None:
            query += f"   AND {condition}\n"
            params[name] = _parameter(wanted)
    with time_limit(LIST_SECONDS):
        rows = fetch_all(
            f"{query} ORDER BY created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s", params
        )
    return [stored_feedback(row) for row in rows]


def _parameter(wanted: Any) -> Any:
    if isinstance(wanted, tuple):
        return [storable(item) if isinstance(item, str) else item for item in wanted]
    return wanted


def stored_feedback(row: Row) -> StoredFeedback:
    """Build from a row of COLUMNS."""
    (id_, project_id, run_id, trace_id, created_at, modified_at, key, score, value, comment,
     correction, feedback_source, other) = row  # fmt: skip
    return StoredFeedback(
        id=id_,
        project_id=project_id,
        run_id=run_id,
        trace_id=trace_id,
        created_at=created_at,
        modified_at=modified_at,
        key=key,
        score=score,
        value=bytes(value or b""),
        comment=comment,
        correction=bytes(correction or b""),
        feedback_source=bytes(feedback_source or b""),
        other=bytes(other or b""),
    )


def list_feedback(run: RunSummary) -> tuple[FeedbackSummary, ...]:
    """Return the oldest MAX_FEEDBACK judgements on a run."""
    rows = fetch_all(
        OF_RUN, {"project_ids": [run.project_id], "run_id": run.id, "limit": MAX_FEEDBACK}
    )
    return tuple(
        FeedbackSummary(id_, key, score, parse_value(bytes(value or b"")), comment, created_at)
        for id_, key, score, value, comment, created_at in rows
    )


def summarize_feedback(
    runs: Sequence[RunSummary],
) -> dict[tuple[UUID, UUID], dict[str, FeedbackStatistics]]:
    """Return the statistics of each key by (project id, run id); runs without feedback are absent."""
    found: dict[tuple[UUID, UUID], dict[str, FeedbackStatistics]] = {}
    rows = fetch_all(
        OF_RUNS,
        {
            "project_ids": sorted({run.project_id for run in runs}),
            "run_ids": sorted({run.id for run in runs}),
        },
    )
    for project_id, run_id, key, *measures in rows:
        found.setdefault((project_id, run_id), {})[key] = _statistics(measures)
    return found


def summarize_feedback_together(
    project_ids: Sequence[UUID], run_ids: Sequence[UUID]
) -> dict[str, FeedbackStatistics]:
    """Return the statistics of each key over all of the runs."""
    params = {"project_ids": list(project_ids), "run_ids": list(run_ids)}
    return {key: _statistics(measures) for key, *measures in fetch_all(TOGETHER, params)}


def summarize_project_feedback(
    project_ids: Sequence[UUID], *, is_of_run: bool
) -> dict[UUID, dict[str, FeedbackStatistics]]:
    """Return the statistics of each key by project: of feedback on its runs, or on the project itself."""
    found: dict[UUID, dict[str, FeedbackStatistics]] = {}
    params = {"project_ids": list(project_ids), "is_of_run": is_of_run}
    for project_id, key, *measures in fetch_all(OF_PROJECTS, params):
        found.setdefault(project_id, {})[key] = _statistics(measures)
    return found


def _statistics(measures: Sequence[Any]) -> FeedbackStatistics:
    """Build from a row of MEASURES."""
    (count, average, minimum, maximum, deviation, errors, sources, comments, values) = measures
    words = Counter(str(parse_value(bytes(value))) for value in values or ())
    return FeedbackStatistics(
        count=count,
        average=average,
        minimum=minimum,
        maximum=maximum,
        deviation=deviation,
        error_count=errors,
        sources=tuple(sources or ()),
        comments=tuple(comments or ()),
        values=dict(words),
    )
