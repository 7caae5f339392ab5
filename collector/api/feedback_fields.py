"""Feedback in the words of LangSmith's wire (protocol 3.9, 4.1, 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from collector.reads.feedback import FeedbackStatistics, StoredFeedback
from collector.reads.payloads import parse_object, parse_value
from collector.wire.operations import FeedbackOperation


def feedback_stats(statistics: Mapping[str, FeedbackStatistics]) -> dict[str, Any]:
    """Return `feedback_stats` of a run or project: what its feedback comes to, by key."""
    return {
        key: {
            "n": of_key.count,
            "avg": of_key.average,
            "min": of_key.minimum,
            "max": of_key.maximum,
            "stdev": of_key.deviation,
            "errors": of_key.error_count,
            "values": of_key.values,
            "comments": of_key.comments,
            "sources": of_key.sources,
        }
        for key, of_key in statistics.items()
    }


def serialize_feedback(feedback: StoredFeedback) -> dict[str, Any]:
    """Return the Feedback object: what the client sent, and where it lies."""
    return {
        **parse_object(feedback.other),
        "id": feedback.id,
        "created_at": _time(feedback.created_at),
        "modified_at": _time(feedback.modified_at),
        "run_id": feedback.run_id,
        "trace_id": feedback.trace_id,
        "session_id": feedback.project_id,
        "key": feedback.key,
        "score": feedback.score,
        "value": parse_value(feedback.value),
        "comment": feedback.comment,
        "correction": parse_value(feedback.correction),
        "feedback_source": _source(feedback.feedback_source),
    }


def serialize_operation(operation: FeedbackOperation) -> dict[str, Any]:
    """Return the Feedback object of what was accepted a moment ago."""
    created_at = operation.created_at or operation.received_at
    return serialize_feedback(
        StoredFeedback(
            id=operation.id,
            project_id=operation.project_id,
            run_id=operation.run_id,
            trace_id=operation.trace_id,
            created_at=created_at,
            modified_at=operation.modified_at or created_at,
            key=operation.key,
            score=operation.score,
            value=operation.value,
            comment=operation.comment,
            correction=operation.correction,
            feedback_source=operation.feedback_source,
            other=operation.other,
        )
    )


def _source(text: bytes) -> dict[str, Any] | None:
    """Return the source where the SDKs can read it: they need its type."""
    source = parse_object(text)
    return source if isinstance(source.get("type"), str) else None


def _time(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
