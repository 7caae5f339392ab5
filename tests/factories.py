"""Runs to start a test from: operations with sensible fields, stored by the way that all runs come."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from collector import inbox
from collector.drain import drain_lane
from collector.wire.dotted_order import Segment, format_dotted_order
from collector.wire.operations import AttachmentOperation, Batch, FeedbackOperation, RunOperation

START = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def uuid7(time: datetime) -> UUID:
    """Return a version 7 id made at `time`."""
    bits = uuid.uuid4().int & ((1 << 80) - 1)
    number = (int(time.timestamp() * 1000) << 80) | bits
    number = number & ~(0xF << 76) | (7 << 76)
    return UUID(int=number & ~(0x3 << 62) | (0x2 << 62))


def make_run(
    parent: RunOperation | None = None, *, after_seconds: float = 0.0, **fields: Any
) -> RunOperation:
    """Return an ended run: a root, or a child that starts `after_seconds` later than the root did."""
    start: datetime = fields.pop("start_time", None) or (
        (parent.start_time or START) + timedelta(seconds=after_seconds) if parent else START
    )
    run_id: UUID = fields.pop("id", None) or uuid.uuid4()
    own = format_dotted_order([Segment(start, run_id)])
    values: dict[str, Any] = {
        "trace_id": parent.trace_id if parent else run_id,
        "parent_run_id": parent.id if parent else None,
        "dotted_order": f"{parent.dotted_order}.{own}" if parent else own,
        "day": parent.day if parent else start.date(),
        "name": "step" if parent else "agent",
        "run_type": "chain",
        "start_time": start,
        "end_time": start + SECOND,
        "received_at": datetime.now(UTC),
    }
    return RunOperation(id=run_id, **(values | fields))


def store_runs(project_id: UUID, *runs: RunOperation) -> None:
    """Store runs through the inbox and the worker's own code."""
    store(project_id, Batch(runs=list(runs)))


def store(project_id: UUID, batch: Batch) -> None:
    inbox.put(project_id, batch)
    drain_lane(project_id)


def make_feedback(
    run: RunOperation, key: str, score: float | None, **fields: Any
) -> FeedbackOperation:
    return FeedbackOperation(
        id=uuid.uuid4(),
        received_at=datetime.now(UTC),
        run_id=run.id,
        trace_id=run.trace_id,
        key=key,
        score=score,
        **fields,
    )


def make_attachment(run: RunOperation, name: str, data: bytes = b"x") -> AttachmentOperation:
    return AttachmentOperation(
        run_id=run.id,
        name=name,
        mime_type="text/plain",
        data=data,
        trace_id=run.trace_id,
        day=run.day or date.min,
    )
