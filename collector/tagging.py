"""Tags that readers put on stored runs. A trace's tags are its root's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import connection, transaction

from collector.storage.retag import change_tags
from collector.wire.fields import storable

MAX_TAG_CHARACTERS = 200

FIND = """
SELECT project_id, day, trace_id, id FROM run WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[])
"""


def tag_runs(
    project_ids: Sequence[UUID],
    run_ids: Sequence[UUID],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> int:
    """Put tags on runs and take others off; return how many of the runs these projects have."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, [list(project_ids), list(run_ids)])
        rows = cursor.fetchall()
    found: dict[UUID, list[tuple[date, UUID, UUID]]] = {}
    for project_id, day, trace_id, run_id in rows:
        found.setdefault(project_id, []).append((day, trace_id, run_id))
    count = 0
    for project_id, runs in sorted(found.items()):
        with transaction.atomic():
            count += change_tags(project_id, runs, [storable(tag) for tag in add], remove)
    return count
