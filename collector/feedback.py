"""Feedback that readers give, changing what is stored, and finding what was accepted a moment ago.

An update goes straight to the row, with a later `modified_at` than any that it had: of two the later modified one
stays, so a create that is sent again, or lies in the inbox still, changes nothing any more.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone
from msgspec import UNSET
from psycopg import sql

from collector.reads.feedback import StoredFeedback, find_feedback
from collector.reads.payloads import parse_object
from collector.storage.write import write_feedback
from collector.wire.feedback import FeedbackChange
from collector.wire.fields import storable
from collector.wire.operations import FeedbackOperation

# An accepted judgement is stored within a second, two where its project had to be looked for.
ARRIVAL_SECONDS = 2.0
LOOK_SECONDS = 0.1
MAX_RUNS = 1_000  # judged at once
MAX_KEY_CHARACTERS = 180
MAX_COMMENT_CHARACTERS = 10_000

COLUMNS = ("score", "comment", "value", "correction")

FIND_RUNS = """
SELECT DISTINCT project_id, trace_id, id FROM run WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[])
"""
IS_AWAITED = "SELECT 1 FROM inbox WHERE project_id = ANY(%s::uuid[]) LIMIT 1"
LOCK = "SELECT other FROM feedback WHERE project_id = %s AND id = %s FOR UPDATE"
UPDATE = sql.SQL("UPDATE feedback SET {} WHERE project_id = %s AND id = %s")
MODIFIED_AT = sql.SQL("modified_at = greatest(%s, modified_at + interval '1 microsecond')")


def give_feedback(
    project_ids: Sequence[UUID],
    run_ids: Sequence[UUID],
    *,
    key: str,
    score: float | None = None,
    value: str | None = None,
    comment: str | None = None,
    by: str,
) -> int:
    """Store a reader's judgement on each of the runs that these projects have; return how many there are.

    `value` is a category where the judgement is no number; `by` is the reader's name.
    """
    now = timezone.now()
    source = orjson.dumps({"type": "app", "user_name": by})
    with connection.cursor() as cursor:
        cursor.execute(FIND_RUNS, [list(project_ids), list(run_ids)[:MAX_RUNS]])
        rows = cursor.fetchall()
    judged: dict[UUID, list[FeedbackOperation]] = {}
    for project_id, trace_id, run_id in rows:
        judged.setdefault(project_id, []).append(
            FeedbackOperation(
                id=uuid.uuid4(),
                received_at=now,
                project_id=project_id,
                run_id=run_id,
                trace_id=trace_id,
                key=storable(key)[:MAX_KEY_CHARACTERS],
                score=score,
                value=orjson.dumps(storable(value)) if value else b"",
                comment=storable(comment)[:MAX_COMMENT_CHARACTERS] if comment else None,
                feedback_source=source,
                created_at=now,
                modified_at=now,
            )
        )
    with transaction.atomic():
        for project_id, feedback in sorted(judged.items()):
            write_feedback(project_id, feedback)
    return len(rows)


def change_feedback(
    project_id: UUID,
    feedback_id: UUID,
    *,
    score: float | None,
    value: str | None,
    comment: str | None,
) -> bool:
    """Set what a reader says now of one stored judgement; False where it was deleted meanwhile."""
    change = FeedbackChange(
        score=score,
        value=orjson.dumps(storable(value)) if value else b"",
        comment=storable(comment)[:MAX_COMMENT_CHARACTERS] if comment else None,
    )
    return update_feedback(project_id, feedback_id, change)


def find_accepted_feedback(
    workspace_id: UUID, project_ids: Sequence[UUID], feedback_id: UUID
) -> StoredFeedback | None:
    """Return one judgement; one that is not stored is waited for, while the inbox holds anything of these projects."""
    end = time.monotonic() + ARRIVAL_SECONDS
    lanes = [workspace_id, *project_ids]
    while True:
        is_awaited = _is_any_awaited(lanes)  # first: what leaves the inbox meanwhile is found
        found = find_feedback(project_ids, feedback_id)
        if found is not None or not is_awaited or time.monotonic() >= end:
            return found
        if not connection.in_atomic_block:
            connection.close()  # there are fewer of them than clients
        time.sleep(LOOK_SECONDS)


def _is_any_awaited(lanes: Sequence[UUID]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_AWAITED, [list(lanes)])
        return cursor.fetchone() is not None


def update_feedback(project_id: UUID, feedback_id: UUID, change: FeedbackChange) -> bool:
    """Change one stored judgement; False where it was deleted meanwhile."""
    values: dict[str, Any] = {
        column: value for column in COLUMNS if (value := getattr(change, column)) is not UNSET
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, [project_id, feedback_id])
        row = cursor.fetchone()
        if row is None:
            return False
        if change.other:
            other = parse_object(bytes(row[0] or b"")) | parse_object(change.other)
            values["other"] = orjson.dumps(other, default=str)
        assignments = [sql.SQL("{} = %s").format(sql.Identifier(column)) for column in values]
        cursor.execute(
            UPDATE.format(sql.SQL(", ").join([*assignments, MODIFIED_AT])),
            [*values.values(), timezone.now(), project_id, feedback_id],
        )
    return True
