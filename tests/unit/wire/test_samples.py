"""Every recorded request of a real SDK decodes to the runs that its recording expects."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from collector.wire.batch import decode_batch
from collector.wire.encoding import decode_body
from collector.wire.fields import read_time
from collector.wire.multipart import decode_multipart
from collector.wire.operations import DecodedRequest, RunOperation
from tests.unit.wire.support import READING

FOLDER = Path(__file__).parents[2] / "samples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.bin") if "otlp" not in path.name)


@cache
def sample(name: str) -> tuple[dict[str, Any], DecodedRequest]:
    recording = json.loads((FOLDER / f"{name}.json").read_text())
    headers = {key.lower(): value for key, value in recording["headers"]}
    body = decode_body(
        (FOLDER / f"{name}.bin").read_bytes(),
        headers.get("content-encoding", ""),
        max_bytes=READING.limits.max_decoded_bytes,
    )
    if recording["path"] == "/runs/batch":
        return recording, decode_batch(body, READING)
    return recording, decode_multipart(body, headers["content-type"], READING)


def last(operations: list[RunOperation], field: str) -> Any:
    """The value that holds after the merge: an update's, else the create's."""
    values = [getattr(operation, field) for operation in operations]
    return next((value for value in reversed(values) if value not in (None, b"")), None)


def payload(operations: list[RunOperation], field: str) -> Any:
    text = last(operations, field)
    return None if text is None else json.loads(text)


def keys(value: Any) -> Any:
    return "absent" if value is None else sorted(value)


def as_expected(operations: list[RunOperation], expected: dict[str, Any]) -> dict[str, Any]:
    """Say of the decoded operations what the recording says of the run."""
    extra = payload(operations, "extra") or {}
    end_time = last(operations, "end_time")
    said = {
        "id": str(operations[0].id),
        "ops": ["patch" if operation.is_update else "post" for operation in operations],
        "name": last(operations, "name"),
        "run_type": last(operations, "run_type"),
        "trace_id": str(last(operations, "trace_id")),
        "parent_run_id": str(last(operations, "parent_run_id")),
        "dotted_order": last(operations, "dotted_order"),
        "session_name": last(operations, "project"),
        "start_time": last(operations, "start_time"),
        "end_time": end_time,
        "tags": last(operations, "tags"),
        "error": last(operations, "error"),
        "status": "error" if last(operations, "error") else "success" if end_time else "pending",
        "event_names": [event["name"] for event in payload(operations, "events") or []],
        "inputs_keys": keys(payload(operations, "inputs")),
        "outputs_keys": keys(payload(operations, "outputs")),
        "metadata_keys": sorted(extra.get("metadata", {})),
        "runtime_present": "runtime" in extra,
    }
    return {key: said[key] for key in expected}


def with_times(expected: dict[str, Any]) -> dict[str, Any]:
    times = {
        key: read_time(key, expected[key]) for key in ("start_time", "end_time") if key in expected
    }
    return {**expected, **times}


def test_there_are_recordings() -> None:
    assert len(NAMES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_recording_is_refused_or_changed(name: str) -> None:
    _, decoded = sample(name)
    changes = [note for run in decoded.runs for note in run.notes or ()]
    assert (decoded.rejected, decoded.ignored, changes) == ([], [], [])


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_is_placed(name: str) -> None:
    _, decoded = sample(name)
    assert all(run.is_placed for run in decoded.runs)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_decodes_to_its_runs(name: str) -> None:
    recording, decoded = sample(name)
    by_id: dict[UUID, list[RunOperation]] = {}
    for run in decoded.runs:
        by_id.setdefault(run.id, []).append(run)
    expected = [with_times(run) for run in recording["expected_runs"]]
    assert [as_expected(by_id[UUID(run["id"])], run) for run in expected] == expected
    assert len(by_id) == len(expected)


@pytest.mark.parametrize("name", NAMES)
def test_attachments_are_those_of_the_recording(name: str) -> None:
    recording, decoded = sample(name)
    assert [
        {
            "run_id": str(attachment.run_id),
            "name": attachment.name,
            "content_type": attachment.mime_type,
            "bytes": len(attachment.data),
        }
        for attachment in decoded.attachments
    ] == recording.get("expected_attachments", [])
