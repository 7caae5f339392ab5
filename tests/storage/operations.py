"""Hypothesis strategies and helpers: operations of small traces, as several clients might send them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from hypothesis import strategies as st

from collector import inbox
from collector.drain import drain_lane
from collector.storage import row as run_row
from collector.storage import trace as trace_row
from collector.storage.payload import fetch_payloads
from collector.storage.seal import follow_up_due_traces
from collector.wire.operations import Batch, RunOperation

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = START.date()
RECEIVED = datetime(2026, 11, 24, 12, 1, tzinfo=UTC)

words = st.sampled_from(["refund", "kettle", "", "返金", "a\nb"])
payloads = st.one_of(
    st.just(b""),
    st.builds(lambda word: json.dumps({"input": word}).encode(), words),
    st.builds(
        lambda n, word: json.dumps(
            {
                "generations": [
                    [
                        {
                            "text": word,
                            "message": {
                                "kwargs": {
                                    "usage_metadata": {"input_tokens": n, "output_tokens": 1}
                                }
                            },
                        }
                    ]
                ]
            }
        ).encode(),
        st.integers(0, 9),
        words,
    ),
)
metadata_values = st.dictionaries(
    st.sampled_from(["thread_id", "session_id", "user_id", "ls_model_name", "x"]),
    st.sampled_from(["a", "b", 7]),
    max_size=3,
)
extras = st.one_of(
    st.just(b""),
    st.builds(
        lambda metadata, runtime, top: json.dumps(
            {"metadata": metadata, "runtime": runtime, **top}
        ).encode(),
        metadata_values,
        st.dictionaries(
            st.sampled_from(["sdk", "platform"]), st.sampled_from(["p", "q"]), max_size=2
        ),
        st.dictionaries(st.sampled_from(["batch_size", "options"]), st.integers(0, 3), max_size=2),
    ),
)
offsets = st.integers(0, 5).map(lambda seconds: START + timedelta(seconds=seconds))


@st.composite
def run_operations(draw: st.DrawFn, run_id: UUID, trace_id: UUID) -> RunOperation:
    """One operation on one run of one trace; nearly every field may be missing."""
    return RunOperation(
        id=run_id,
        is_update=draw(st.booleans()),
        received_at=RECEIVED + timedelta(seconds=draw(st.integers(0, 3))),
        trace_id=trace_id,
        day=DAY,
        parent_run_id=None if run_id == trace_id else draw(st.sampled_from([None, trace_id])),
        name=draw(st.sampled_from([None, "agent", "model"])),
        run_type=draw(st.sampled_from([None, "chain", "llm", "tool"])),
        start_time=draw(st.none() | offsets),
        end_time=draw(st.none() | offsets),
        status=draw(st.sampled_from([None, None, "interrupted", "cancelled"])),
        error=draw(st.sampled_from([None, "", "ValueError('x')\nTraceback"])),
        tags=draw(st.sampled_from([None, [], ["prod"], ["prod", "eu"]])),
        inputs=draw(payloads),
        outputs=draw(payloads),
        events=draw(
            st.sampled_from(
                [b"", b"[]", b'[{"name": "new_token", "time": "2026-11-24T12:00:01+00:00"}]']
            )
        ),
        extra=draw(extras),
        serialized=draw(st.sampled_from([b"", b'{"name": "m"}'])),
        other=draw(st.sampled_from([b"", b'{"manifest_id": 1}', b'{"manifest_id": 2, "k": 3}'])),
    )


@st.composite
def traces(draw: st.DrawFn) -> list[RunOperation]:
    """Up to nine operations on up to three runs of one trace."""
    trace_id = draw(st.uuids(version=4))
    run_ids = [trace_id, *draw(st.lists(st.uuids(version=4), max_size=2, unique=True))]
    return draw(
        st.lists(
            st.sampled_from(run_ids).flatmap(lambda run_id: run_operations(run_id, trace_id)),
            min_size=1,
            max_size=9,
        )
    )


def store(project_id: UUID, batches: Iterable[Sequence[RunOperation]]) -> None:
    """Send each batch through the inbox and drain it before the next comes."""
    for batch in batches:
        inbox.put(project_id, Batch(runs=list(batch)))
        drain_lane(project_id)


def finish_traces(project_id: UUID) -> None:
    """Do what the worker does with traces once they are quiet."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE follow_up SET due_at = now() WHERE project_id = %s", [project_id])
    follow_up_due_traces()


def stored(project_id: UUID) -> dict[str, Any]:
    """Return all that is stored of a project once its traces are quiet, in a form to compare across projects."""
    finish_traces(project_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(run_row.COLUMNS)} FROM run WHERE project_id = %s", [project_id]
        )
        runs = {
            row[1]: dict(zip(run_row.COLUMNS[1:], row[1:], strict=True))
            for row in cursor.fetchall()
        }
        cursor.execute(
            f"SELECT {', '.join(trace_row.COLUMNS)}, last_heard_at FROM trace WHERE project_id = %s",
            [project_id],
        )
        found = {
            row[1]: dict(zip((*trace_row.COLUMNS[1:], "last_heard_at"), row[1:], strict=True))
            for row in cursor.fetchall()
        }
    for row in runs.values():
        row["versions"] = bytes(row["versions"])
    payload = {
        run_id: _comparable(value)
        for trace_id in found
        for run_id, value in fetch_payloads([project_id], DAY, trace_id).items()
    }
    return {"runs": runs, "traces": found, "payload": payload}


def _comparable(payload: Any) -> dict[str, Any]:
    values = {field: getattr(payload, field) for field in payload.__struct_fields__}
    for field in ("extra", "other"):
        values[field] = json.loads(values[field]) if values[field] else None
    return values


def new_project_id() -> UUID:
    return uuid.uuid4()
