"""What hangs on runs: feedback and attachments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from collector.reads.payloads import parse_value
from collector.reads.sql import fetch_all
from collector.reads.types import AttachmentSummary, FeedbackSummary, RunSummary

MAX_FEEDBACK = 200
MAX_ATTACHMENTS = 200

FEEDBACK = """
SELECT id, key, score, value, comment, created_at FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = %(run_id)s
 ORDER BY created_at, id LIMIT %(limit)s
"""

ATTACHMENTS = """
SELECT name, mime_type, size_bytes FROM attachment
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = %(run_id)s AND day = %(day)s
 ORDER BY name LIMIT %(limit)s
"""

STATISTICS = """
SELECT project_id, run_id, key, count(*), avg(score), min(score), max(score), stddev_pop(score)
  FROM feedback
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = ANY(%(run_ids)s::uuid[])
 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class FeedbackStatistics:
    """All feedback with one key on one run."""

    count: int
    average: float | None
    minimum: float | None
    maximum: float | None
    deviation: float | None


def list_feedback(run: RunSummary) -> tuple[FeedbackSummary, ...]:
    """Return the oldest MAX_FEEDBACK judgements on a run."""
    rows = fetch_all(
        FEEDBACK, {"project_ids": [run.project_id], "run_id": run.id, "limit": MAX_FEEDBACK}
    )
    return tuple(
        FeedbackSummary(id_, key, score, parse_value(bytes(value or b"")), comment, created_at)
        for id_, key, score, value, comment, created_at in rows
    )


def list_attachments(run: RunSummary) -> tuple[AttachmentSummary, ...]:
    rows = fetch_all(
        ATTACHMENTS,
        {
            "project_ids": [run.project_id],
            "run_id": run.id,
            "day": run.day,
            "limit": MAX_ATTACHMENTS,
        },
    )
    return tuple(AttachmentSummary(*row) for row in rows)


def summarize_feedback(
    runs: Sequence[RunSummary],
) -> dict[tuple[UUID, UUID], dict[str, FeedbackStatistics]]:
    """Return the statistics of each key by (project id, run id); runs without feedback are absent."""
    found: dict[tuple[UUID, UUID], dict[str, FeedbackStatistics]] = {}
    rows = fetch_all(
        STATISTICS,
        {
            "project_ids": sorted({run.project_id for run in runs}),
            "run_ids": sorted({run.id for run in runs}),
        },
    )
    for project_id, run_id, key, *numbers in rows:
        found.setdefault((project_id, run_id), {})[key] = FeedbackStatistics(*numbers)
    return found
