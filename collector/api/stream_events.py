"""The events of a stream: a run as it is now, in few fields (docs/live.md describes them)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from collector.api.rendering import dump_json
from collector.api.serializers import wire_decimal, wire_time
from collector.reads.payloads import iterate_payloads
from collector.reads.progress import Change
from collector.reads.types import RunSummary, TraceSummary
from collector.sse import format_event
from collector.storage.blocks import RunPayload

MAX_OUTPUT_BYTES = 256 << 10  # of one run in an event; past it the run itself has to be asked for


def resync_event(reason: str) -> str:
    """Say that what came before is not told here: whoever needs it asks for it."""
    return _event("resync", {"reason": reason})


def run_events(changes: list[Change[RunSummary]], *, has_outputs: bool) -> Iterator[str]:
    """Return an event for each run, in their order."""
    if not has_outputs:
        for change in changes:
            yield _event(f"run.{change.word}", _run(change.item))
        return
    words = {(change.item.project_id, change.item.id): change.word for change in changes}
    for run, payload in iterate_payloads([change.item for change in changes]):
        word = words[run.project_id, run.id]
        yield _event(f"run.{word}", _run(run) | _outputs(payload))


def trace_event(change: Change[TraceSummary]) -> str:
    """Return the event of a trace: that of its root run, with the sums of the trace."""
    return _event(f"run.{change.word}", _trace(change.item))


def ended_event(trace: TraceSummary) -> str:
    """Say that all that is known of a trace has ended, or fallen silent."""
    return _event("trace.ended", _trace(trace))


def _event(name: str, data: dict[str, Any]) -> str:
    return format_event(name, dump_json(data).decode())


def _run(run: RunSummary) -> dict[str, Any]:
    return {
        "id": run.id,
        "trace_id": run.trace_id,
        "parent_run_id": run.parent_run_id,
        "session_id": run.project_id,
        **_face(run),
        "model": run.model,
        "usage": _usage(run),
    }


def _trace(trace: TraceSummary) -> dict[str, Any]:
    return {
        "id": trace.id,
        "trace_id": trace.id,
        "parent_run_id": None,
        "session_id": trace.project_id,
        **_face(trace),
        "usage": _usage(trace),
        "run_count": trace.run_count,
        "ended_count": trace.ended_count,
        "error_count": trace.error_count,
        "last_heard_at": wire_time(trace.last_heard_at),
    }


def _face(item: RunSummary | TraceSummary) -> dict[str, Any]:
    return {
        "name": item.name,
        "run_type": item.run_type,
        "status": item.status,
        "start_time": wire_time(item.start_time),
        "end_time": wire_time(item.end_time),
        "first_token_time": wire_time(item.first_token_time),
        "inputs_preview": item.inputs_preview,
        "outputs_preview": item.outputs_preview,
        "error": item.error or None,
        "tags": item.tags,
        "thread_id": item.thread_id,
    }


def _usage(item: RunSummary | TraceSummary) -> dict[str, Any]:
    return {
        "prompt_tokens": item.prompt_tokens,
        "completion_tokens": item.completion_tokens,
        "total_tokens": item.total_tokens,
        "total_cost": wire_decimal(item.total_cost),
    }


def _outputs(payload: RunPayload) -> dict[str, Any]:
    if len(payload.outputs) > MAX_OUTPUT_BYTES:
        return {"outputs": None, "outputs_bytes": len(payload.outputs)}
    try:
        return {"outputs": orjson.loads(payload.outputs or b"null")}
    except orjson.JSONDecodeError:
        return {"outputs": None, "outputs_bytes": len(payload.outputs)}
