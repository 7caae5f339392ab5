"""Attachments: what runs have, and the bytes of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from collector.reads.sql import fetch_all
from collector.reads.types import AttachmentSummary, RunSummary

MAX_ATTACHMENTS = 200  # of a run

LIST = """
SELECT project_id, run_id, day, name, mime_type, size_bytes FROM attachment
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = ANY(%(run_ids)s::uuid[])
   AND day = ANY(%(days)s::date[])
 ORDER BY project_id, run_id, day, name LIMIT %(limit)s
"""

FIND = """
SELECT mime_type, data FROM attachment
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND run_id = %(run_id)s AND day = %(day)s AND name = %(name)s
"""


def attachments_of_runs(
    runs: Sequence[RunSummary],
) -> dict[tuple[UUID, UUID], tuple[AttachmentSummary, ...]]:
    """Return the files of each run by (project id, run id), in order of their names; most runs have none."""
    if not runs:
        return {}
    rows = fetch_all(
        LIST,
        {
            "project_ids": sorted({run.project_id for run in runs}),
            "run_ids": sorted({run.id for run in runs}),
            "days": sorted({run.day for run in runs}),
            "limit": MAX_ATTACHMENTS * len(runs),
        },
    )
    wanted = {(run.project_id, run.id, run.day) for run in runs}
    found: dict[tuple[UUID, UUID], list[AttachmentSummary]] = {}
    for project_id, run_id, day, *summary in rows:
        if (project_id, run_id, day) in wanted:
            found.setdefault((project_id, run_id), []).append(AttachmentSummary(*summary))
    return {key: tuple(files[:MAX_ATTACHMENTS]) for key, files in found.items()}


def list_attachments(run: RunSummary) -> tuple[AttachmentSummary, ...]:
    """Return the files of one run."""
    return attachments_of_runs([run]).get((run.project_id, run.id), ())


def read_attachment(
    project_ids: Sequence[UUID], run_id: UUID, day: date, name: str
) -> tuple[str, bytes] | None:
    """Return media type and bytes of a file, or None where it was deleted meanwhile."""
    rows = fetch_all(
        FIND, {"project_ids": list(project_ids), "run_id": run_id, "day": day, "name": name}
    )
    return (rows[0][0], bytes(rows[0][1])) if rows else None
