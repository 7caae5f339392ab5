"""Celery tasks. Each is safe to run twice and safe to lose: rows are the truth, messages are hints."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from collector.drain import drain_lane
from collector.storage.indexing import index_due_traces
from collector.storage.partitions import ensure_coming_days
from collector.storage.seal import follow_up_due_traces

# Before the next round: whoever seals must not wait until a million old traces are indexed.
INDEX_SECONDS = 4.0


@shared_task  # type: ignore[untyped-decorator]
def drain(lane_id: str) -> int:
    """Write what waits in one lane of the inbox; return how many operations on runs it was."""
    return drain_lane(UUID(lane_id))


@shared_task  # type: ignore[untyped-decorator]
def seal() -> int:
    """Roll up and seal the traces that have gone quiet, and index what they say; return how many were sealed."""
    sealed = follow_up_due_traces()
    index_due_traces(INDEX_SECONDS)
    return sealed


@shared_task  # type: ignore[untyped-decorator]
def make_partitions() -> int:
    """Make the partitions of the coming days; return how many days were new."""
    return ensure_coming_days()
