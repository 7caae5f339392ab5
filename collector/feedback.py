"""Changing stored feedback, and finding what was accepted a moment ago.

An update goes straight to the row, with a later `modified_at` than any that it had: of two the later modified one
stays, so a create that is sent again, or lies in the inbox still, changes nothing any more.
"""

from __future__ import annotations

import time
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
from collector.wire.feedback import FeedbackChange

# An accepted judgement is stored within a second, two where its project had to be looked for.
ARRIVAL_SECONDS = 2.0
LOOK_SECONDS = 0.1
COLUMNS = ("score", "comment", "value", "correction")

IS_AWAITED = "SELECT 1 FROM inbox WHERE project_id = ANY(%s::uuid[]) LIMIT 1"
LOCK = "SELECT other FROM feedback WHERE project_id = %s AND id = %s FOR UPDATE"
UPDATE = sql.SQL("UPDATE feedback SET {} WHERE project_id = %s AND id = %s")
MODIFIED_AT = sql.SQL("modified_at = greatest(%s, modified_at + interval '1 microsecond')")


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
