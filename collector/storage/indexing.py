"""The follow-up that keeps the index of what runs say: a round of the queue, in small transactions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from collector.storage.text_index import TraceKey, index_traces

TRACES_AT_ONCE = 64
DUE = """
SELECT project_id, day, trace_id, start_time FROM text_queue WHERE due_at <= %s ORDER BY due_at LIMIT %s
"""
STORED_BEFORE = """
SELECT project_id, day, trace_id, start_time FROM text_queue WHERE due_at IS NULL
 ORDER BY start_time DESC LIMIT %s
"""


def index_due_traces(seconds: float) -> int:
    """Index traces until none waits, or for so long; return how many."""
    end = time.monotonic() + seconds
    indexed = 0
    for count in index_waiting():
        indexed += count
        if time.monotonic() >= end:
            break
    return indexed


def index_waiting() -> Iterator[int]:
    """Index traces as long as any are due, then those that were stored before the index; yield how many at a time."""
    while count := _index_some(timezone.now()):
        yield count


def _index_some(now: datetime) -> int:
    """Index some traces that are due, else some that were stored before the index; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, [now, TRACES_AT_ONCE])
        found = cursor.fetchall()
        if not found:
            cursor.execute(STORED_BEFORE, [TRACES_AT_ONCE])
            found = cursor.fetchall()
    by_project: dict[UUID, dict[TraceKey, datetime]] = {}
    for project_id, day, trace_id, start_time in found:
        by_project.setdefault(project_id, {})[day, trace_id] = start_time
    return sum(index_traces(project_id, keys, now) for project_id, keys in by_project.items())
