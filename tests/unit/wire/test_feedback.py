from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.wire.errors import ItemError, ItemTooLarge
from collector.wire.feedback import decode_feedback
from collector.wire.operations import FeedbackOperation
from tests.unit.wire.support import PARENT_ID, READING, RECEIVED_AT, ROOT_ID, RUN_ID
from tests.unit.wire.support import decode as decode_run_fields


def decode(**fields: Any) -> FeedbackOperation:
    return decode_feedback(
        json.dumps({"id": str(ROOT_ID), "key": "quality", **fields}).encode(), READING
    )


def test_a_whole_feedback_is_read() -> None:
    feedback = decode(
        run_id=str(RUN_ID),
        trace_id=str(RUN_ID),
        session_id=str(PARENT_ID),
        score=0.5,
        value={"v": 1},
        comment="good\0",
        correction={"c": 1},
        feedback_source={"type": "api"},
        feedback_group_id="g",
        created_at="2026-11-24T00:00:00Z",
        modified_at=1795478400000,
    )
    assert feedback == FeedbackOperation(
        id=ROOT_ID,
        received_at=RECEIVED_AT,
        project_id=PARENT_ID,
        run_id=RUN_ID,
        trace_id=RUN_ID,
        key="quality",
        score=0.5,
        value=b'{"v": 1}',
        comment="good\ufffd",
        correction=b'{"c": 1}',
        feedback_source=b'{"type": "api"}',
        other=b'{"feedback_group_id":"g"}',
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
        modified_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(True, 1.0), (False, 0.0), (3, 3.0), (None, None), (math.nan, None), (-math.inf, None)],
)
def test_scores_are_numbers_or_nothing(sent: Any, kept: float | None) -> None:
    assert decode(score=sent).score == kept


def test_the_id_in_the_parts_name_wins() -> None:
    assert decode_feedback(b'{"key":"k","id":null}', READING, feedback_id=RUN_ID).id == RUN_ID


def test_a_long_key_is_cut() -> None:
    assert len(decode(key="k" * 500).key) == 180


def test_deep_and_broken_text_is_mended() -> None:
    text = b'{"id":"%s","key":"k\xff","value":%s}' % (
        str(ROOT_ID).encode(),
        b"[" * 5000 + b"]" * 5000,
    )
    feedback = decode_feedback(text, READING)
    assert feedback.key == "k\ufffd"
    assert feedback.value.startswith(b"[[[")


@pytest.mark.parametrize(
    "fields",
    [
        {"id": None},
        {"id": 3},
        {"key": None},
        {"key": ""},
        {"key": 5},
        {"score": "high"},
        {"score": 10**400},
        {"run_id": "x"},
        {"created_at": "x"},
    ],
)
def test_a_bad_field_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ItemError):
        decode(**fields)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ItemError):
        decode_feedback(text, READING)


def test_a_feedback_past_its_limit_is_refused() -> None:
    with pytest.raises(ItemTooLarge):
        decode(comment="x" * (1 << 20))


def test_a_projects_name_is_cut_like_a_runs() -> None:
    name = "p" * 600
    project = decode(session_name=name).project
    assert project is not None
    assert len(project) == READING.limits.max_project_chars
    assert project == decode_run_fields(session_name=name).project
