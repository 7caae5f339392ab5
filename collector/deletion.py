"""Deletion of runs, traces, projects and feedback: asked for, carried out in steps, remembered for an hour.

A row of `deletion` is the durable request. It is carried out at once, as far as there is time, and by the worker
until nothing is left. Then it stays as a grave (`graves.py`): what arrives late is dropped by the drain. A drain that
was under way meanwhile knows nothing of it, so each row is carried out again, ever less often, until it is an hour old.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from collector import inbox
from collector.graves import Graves, graves_of_project
from collector.models import FeedbackToken, Project, SharedRun
from collector.projects import forget_cached_ids
from collector.storage import delete
from collector.storage.errors import UnreadableBatch

logger = logging.getLogger(__name__)

REMEMBERED = timedelta(hours=1)  # clients give up long before; 100 s is the longest that is known
FIRST_AGAIN = timedelta(seconds=10)
MAX_REMEMBERED_RUNS = 10_000  # of one request; they are for late updates that name nothing else
MAX_LETTERS = 200  # dead letters that are looked into at once

RUN_HOLDERS = """
SELECT project_id, id FROM run WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[])
"""
TRACE_HOLDERS = """
SELECT project_id, id FROM trace WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[])
"""
INSERT = """
INSERT INTO deletion (project_id, id, workspace_id, requested_at, run_ids, trace_ids, feedback_ids)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# The newest first: few runs need not wait until a large project is gone.
TAKE = """
SELECT project_id, id, workspace_id, requested_at, run_ids, trace_ids, feedback_ids FROM deletion
 WHERE due_at IS NULL OR due_at <= %s ORDER BY due_at NULLS FIRST, requested_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED
"""
REMEMBER = """
UPDATE deletion SET gone_run_ids = coalesce(gone_run_ids, '{}') || %s::uuid[]
 WHERE project_id = %s AND id = %s AND coalesce(cardinality(gone_run_ids), 0) < %s
"""
COME_AGAIN = "UPDATE deletion SET due_at = %s WHERE project_id = %s AND id = %s"
FORGET = "DELETE FROM deletion WHERE project_id = %s AND id = %s"
LETTERS = """
SELECT id, body FROM dead_letter WHERE project_id = %s AND id > %s ORDER BY id LIMIT %s
"""


class Request(NamedTuple):
    """One row. Without any ids it is the whole project."""

    project_id: UUID
    id: UUID
    workspace_id: UUID
    requested_at: datetime
    run_ids: list[UUID] | None
    trace_ids: list[UUID] | None
    feedback_ids: list[UUID] | None

    @property
    def is_project(self) -> bool:
        return self.run_ids is None and self.trace_ids is None and self.feedback_ids is None


def delete_project(project: Project) -> None:
    """Delete a project. From now on nobody sees it and its name is free; its data goes as the worker gets to it."""
    with transaction.atomic():
        _ask(project.id, project.workspace_id)
        project.delete()  # and with it shares and tokens
    forget_cached_ids()


def delete_runs(
    workspace_id: UUID, project_ids: Sequence[UUID], run_ids: Sequence[UUID]
) -> set[UUID]:
    """Ask for runs to be deleted, each with all below it; return those that are stored.

    Where one project is given, those that are on their way to it are dropped too.
    """
    found = _holders(RUN_HOLDERS, project_ids, run_ids)
    with transaction.atomic():
        for project_id in project_ids if len(project_ids) == 1 else found:
            _ask(project_id, workspace_id, run_ids=run_ids)
    return set().union(*found.values())


def delete_traces(
    workspace_id: UUID, project_ids: Sequence[UUID], trace_ids: Sequence[UUID]
) -> set[UUID]:
    """Ask for traces to be deleted; else as `delete_runs`."""
    found = _holders(TRACE_HOLDERS, project_ids, trace_ids)
    with transaction.atomic():
        for project_id in project_ids if len(project_ids) == 1 else found:
            _ask(project_id, workspace_id, trace_ids=trace_ids)
    return set().union(*found.values())


def _holders(query: str, project_ids: Sequence[UUID], ids: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    """Return which of the ids are stored, by project. One trace may lie in several."""
    found: dict[UUID, set[UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(query, [list(project_ids), list(ids)])
        for project_id, id_ in cursor.fetchall():
            found.setdefault(project_id, set()).add(id_)
    return found


def delete_feedback(workspace_id: UUID, project_id: UUID, feedback_id: UUID) -> None:
    """Delete one judgement; what may be on its way with this id is not stored either."""
    with transaction.atomic():
        _ask(project_id, workspace_id, feedback_ids=[feedback_id])
        delete.delete_feedback(project_id, [feedback_id])


def _ask(
    project_id: UUID,
    workspace_id: UUID,
    *,
    run_ids: Sequence[UUID] | None = None,
    trace_ids: Sequence[UUID] | None = None,
    feedback_ids: Sequence[UUID] | None = None,
) -> None:
    ids = [None if given is None else list(given) for given in (run_ids, trace_ids, feedback_ids)]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [project_id, uuid.uuid4(), workspace_id, timezone.now(), *ids])


def carry_out_due(seconds: float) -> int:
    """Carry out what was asked for, for so long at most, and return how many steps it took."""
    end = time.monotonic() + seconds
    steps = 0
    while _step():
        steps += 1
        if time.monotonic() >= end:
            break
    return steps


def _step() -> bool:
    """Do one bounded part of one request in one transaction; return whether any was due."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(TAKE, [timezone.now()])
            row = cursor.fetchone()
        if row is None:
            return False
        request = Request(*row)
        if not _delete_some(request):
            _finish(request)
        return True


def _delete_some(request: Request) -> bool:
    """Delete a part; return whether there was any."""
    project_id = request.project_id
    if request.is_project:
        run_ids = delete.delete_next_traces(project_id)
        if not run_ids:
            return delete.delete_rest(project_id) > 0
    else:
        run_ids = delete.delete_traces_by_id(project_id, request.trace_ids or ())
        run_ids = run_ids or delete.delete_runs_by_id(project_id, request.run_ids or ())
        delete.delete_feedback(project_id, request.feedback_ids or ())
    if run_ids:
        SharedRun.objects.filter(project_id=project_id, run_id__in=run_ids).delete()
        FeedbackToken.objects.filter(workspace_id=request.workspace_id, run_id__in=run_ids).delete()
        with connection.cursor() as cursor:
            cursor.execute(
                REMEMBER,
                [run_ids[:MAX_REMEMBERED_RUNS], project_id, request.id, MAX_REMEMBERED_RUNS],
            )
    return bool(run_ids)


def _finish(request: Request) -> None:
    """Nothing is left for now: look into the dead letters, and come again later, or never."""
    graves = graves_of_project(request.project_id)
    if graves is not None and not request.is_project:
        _delete_letters(request.project_id, graves)
    now = timezone.now()
    age = now - request.requested_at
    with connection.cursor() as cursor:
        if age >= REMEMBERED:
            cursor.execute(FORGET, [request.project_id, request.id])
        else:
            cursor.execute(
                COME_AGAIN, [now + max(FIRST_AGAIN, age), request.project_id, request.id]
            )


def _delete_letters(project_id: UUID, graves: Graves) -> None:
    """Delete dead letters that hold something of what was deleted; each has one operation, or is damaged."""
    last = UUID(int=0)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(LETTERS, [project_id, last, MAX_LETTERS])
            letters = cursor.fetchall()
            if not letters:
                return
            last = letters[-1][0]
            gone = [id_ for id_, body in letters if _holds_deleted(bytes(body), graves)]
            cursor.execute(
                "DELETE FROM dead_letter WHERE project_id = %s AND id = ANY(%s::uuid[])",
                [project_id, gone],
            )


def _holds_deleted(body: bytes, graves: Graves) -> bool:
    try:
        batch = inbox.unpack(body)
    except UnreadableBatch:
        return False
    return graves.without_deleted(batch) != batch
