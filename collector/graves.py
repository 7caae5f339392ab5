"""What was deleted lately, so that a late operation does not bring it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from collector.wire.operations import Batch, RunOperation

OF_PROJECT = """
SELECT requested_at, workspace_id, run_ids, trace_ids, feedback_ids, gone_run_ids FROM deletion WHERE project_id = %s
"""
OF_WORKSPACE = """
SELECT requested_at, workspace_id, run_ids, trace_ids, feedback_ids, gone_run_ids FROM deletion WHERE workspace_id = %s
"""
DEAD_PROJECTS = """
SELECT project_id FROM deletion
 WHERE project_id = ANY(%s::uuid[]) AND workspace_id = %s
   AND run_ids IS NULL AND trace_ids IS NULL AND feedback_ids IS NULL
"""

Row = tuple[
    datetime, UUID, list[UUID] | None, list[UUID] | None, list[UUID] | None, list[UUID] | None
]


@dataclass(frozen=True, slots=True)
class Graves:
    """Ids that must not come back. `run_ids` are tops of sub-trees, and what was found below them."""

    run_ids: frozenset[UUID]
    trace_ids: frozenset[UUID]
    feedback_ids: frozenset[UUID]
    workspace_id: UUID | None
    project_deleted_at: datetime | None  # None: the project is there, or it is not about one

    def without_deleted(self, batch: Batch) -> Batch:
        """Return what is left of a batch: nothing of a deleted run, trace or feedback, or below it."""
        gone = self._find_gone(batch.runs)
        if not (gone or batch.feedback or batch.attachments):
            return batch
        return Batch(
            runs=[run for run in batch.runs if run.id not in gone],
            feedback=[
                item
                for item in batch.feedback
                if item.id not in self.feedback_ids
                and item.run_id not in gone
                and not self.covers(item.run_id, item.trace_id)
            ],
            attachments=[
                item
                for item in batch.attachments
                if item.run_id not in gone and not self.covers(item.run_id, item.trace_id)
            ],
        )

    def covers(self, run_id: UUID | None, trace_id: UUID | None) -> bool:
        return run_id in self.run_ids or run_id in self.trace_ids or trace_id in self.trace_ids

    def _find_gone(self, runs: Iterable[RunOperation]) -> set[UUID]:
        """Return the deleted runs among these, with all that hangs below them. O(n)."""
        children: dict[UUID, list[UUID]] = {}
        waiting: list[UUID] = []
        for run in runs:
            if self.covers(run.id, run.trace_id) or self.covers(run.parent_run_id, None):
                waiting.append(run.id)
            elif run.parent_run_id is not None:
                children.setdefault(run.parent_run_id, []).append(run.id)
        gone: set[UUID] = set()
        while waiting:
            run_id = waiting.pop()
            gone.add(run_id)
            waiting += children.pop(run_id, ())
        return gone


def graves_of_project(project_id: UUID) -> Graves | None:
    """Return what was deleted of a project in the last hour, or None where that is nothing."""
    return _graves(_fetch(OF_PROJECT, project_id), is_one_project=True)


def graves_of_workspace(workspace_id: UUID) -> Graves | None:
    """Return what was deleted in any project of a workspace."""
    return _graves(_fetch(OF_WORKSPACE, workspace_id), is_one_project=False)


def dead_projects(workspace_id: UUID, project_ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these ids were projects of the workspace until lately."""
    with connection.cursor() as cursor:
        cursor.execute(DEAD_PROJECTS, [list(project_ids), workspace_id])
        return {project_id for (project_id,) in cursor.fetchall()}


def _fetch(query: str, id_: UUID) -> Sequence[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, [id_])
        rows: Sequence[Row] = cursor.fetchall()
    return rows


def _graves(rows: Sequence[Row], *, is_one_project: bool) -> Graves | None:
    if not rows:
        return None
    ends = [requested_at for requested_at, _, *ids in rows if ids[:3] == [None, None, None]]
    return Graves(
        run_ids=frozenset(id_ for row in rows for ids in (row[2], row[5]) for id_ in ids or ()),
        trace_ids=frozenset(id_ for row in rows for id_ in row[3] or ()),
        feedback_ids=frozenset(id_ for row in rows for id_ in row[4] or ()),
        workspace_id=rows[0][1],
        project_deleted_at=max(ends, default=None) if is_one_project else None,
    )
