"""The inbox lane of a project that was deleted.

What came before the deletion goes with it. What came after it, and names its project, was meant for a new project of
that name: a process may take the old one's id for the name for half a minute still (`projects.CACHE_SECONDS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from collector import doorbell, inbox
from collector.graves import Graves
from collector.inbox import Claimed
from collector.placing import place_attachments
from collector.projects import forget_cached_ids, get_or_create_project_id
from collector.wire.operations import Batch, FeedbackOperation, RunOperation


def clear_dead_lane(
    project_id: UUID, rows: Sequence[Claimed], batches: Sequence[Batch], graves: Graves
) -> None:
    """Settle rows of the lane: what was meant for a new project is put into that one's, the rest is dropped."""
    deleted_at, workspace_id = graves.project_deleted_at, graves.workspace_id
    assert deleted_at is not None
    forget_cached_ids()
    lanes: set[UUID] = set()
    with transaction.atomic():
        if not inbox.hold(project_id, rows):
            return
        for row, batch in zip(rows, batches, strict=True):
            if row.received_at > deleted_at and workspace_id is not None:
                for lane_id, part in _by_name(workspace_id, batch).items():
                    inbox.put(lane_id, part, received_at=row.received_at)
                    lanes.add(lane_id)
        inbox.settle(project_id, rows)
    for lane_id in lanes:
        doorbell.ring(lane_id)


def _by_name(workspace_id: UUID, batch: Batch) -> dict[UUID, Batch]:
    """Split what names its project by the project that has that name now."""
    parts: dict[UUID, Batch] = {}

    def part(item: RunOperation | FeedbackOperation) -> Batch | None:
        if item.project is None:
            return None
        item.project_id = get_or_create_project_id(workspace_id, item.project)
        return parts.setdefault(item.project_id, Batch())

    for run in batch.runs:
        if (of_run := part(run)) is not None:
            of_run.runs.append(run)
    for feedback in batch.feedback:
        if (of_feedback := part(feedback)) is not None:
            of_feedback.feedback.append(feedback)
    place_attachments(batch.attachments, [run for run in batch.runs if run.project is not None])
    for attachment in batch.attachments:
        if attachment.project_id in parts:
            parts[attachment.project_id].attachments.append(attachment)
    return parts
