"""Runs and projects in the words of LangSmith's wire (protocol 4.1, 5.3). Here a project is a session."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from collector.api.feedback_fields import feedback_stats
from collector.models import Project
from collector.reads.children import Children
from collector.reads.feedback import FeedbackStatistics
from collector.reads.lineage import Lineage
from collector.reads.statistics import RunStatistics
from collector.reads.types import RunSummary, TraceSummary
from collector.storage.blocks import RunPayload

# What the SDKs cannot do without, whatever was selected.
MANDATORY = frozenset(
    {"id", "name", "run_type", "trace_id", "dotted_order", "status", "session_id", "app_path", "start_time"}
)  # fmt: skip
# What only the payload tells. The whole text of an error is there too, its first line in the row.
PAYLOAD_FIELDS = frozenset({"inputs", "outputs", "events", "extra", "serialized"})
USAGE_FIELDS = frozenset(
    {"prompt_token_details", "completion_token_details", "prompt_cost_details", "completion_cost_details", "price_model_id"}
)  # fmt: skip
# Of a run with thousands below it they are large: only for whoever names them.
CHILD_FIELDS = frozenset({"child_run_ids", "direct_child_run_ids"})
# Those whose own tokens count; others repeat what the runs below them say.
COUNTED_TYPES = frozenset({"llm", "embedding"})


@dataclass(frozen=True, slots=True)
class RunParts:
    """All that a serialized run is put together from."""

    run: RunSummary
    lineage: Lineage
    payload: RunPayload
    trace: TraceSummary | None  # of a root: its totals are the trace's
    feedback: Mapping[str, FeedbackStatistics]
    files: Mapping[str, Mapping[str, str]] | None = None  # see api/attachments.py
    usage: Mapping[str, Any] = field(default_factory=dict)  # see api/usage_fields.py
    share_token: UUID | None = None
    path: str | None = None  # of its page, where that is not in its project
    children: Children | None = None


def serialize_run(parts: RunParts, selected: frozenset[str] | None) -> dict[str, Any]:
    """Return the Run object with the selected fields (None: all of them).

    Never a key `attachments`: the SDK gives that argument itself and would fail on a second one.
    """
    names = RUN_FIELDS.keys() if selected is None else RUN_FIELDS.keys() & (selected | MANDATORY)
    return {name: RUN_FIELDS[name](parts) for name in RUN_FIELDS if name in names}


def wire_status(run: RunSummary) -> str:
    """Return pending, success or error: LangSmith has no other words.

    An interrupted graph ended well, it waits for its next turn; a cancelled run did not.
    """
    if run.error or run.status == "cancelled":
        return "error"
    return "pending" if run.status in ("running", "incomplete") else "success"


def wire_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="microseconds")


def wire_decimal(number: Decimal | None) -> str | None:
    """Return all digits, without an exponent."""
    return None if number is None else format(number, "f")


def total_of(parts: RunParts, name: str) -> Any:
    """Return the tokens or the cost of a run and all below it, or None where nothing was counted.

    Of a root that is the trace's total. Until the trace is rolled up, of others it is their own.
    """
    run = parts.run
    if parts.trace is not None:
        return getattr(parts.trace, name)
    below = getattr(run, f"subtree_{name}")
    if below is not None or run.run_type not in COUNTED_TYPES:
        return below
    return getattr(run, name)


def _tokens(name: str) -> Callable[[RunParts], int]:
    return lambda parts: total_of(parts, name) or 0


def _cost(name: str) -> Callable[[RunParts], str | None]:
    return lambda parts: wire_decimal(total_of(parts, name))


def _usage(name: str) -> Callable[[RunParts], Any]:
    return lambda parts: parts.usage.get(name)


def _nothing(parts: RunParts) -> None:
    """Stand for what LangSmith has and Runwood has not."""


def _error(parts: RunParts) -> str | None:
    return parts.payload.error or parts.run.error or None


def _app_path(parts: RunParts) -> str:
    run = parts.run
    return parts.path or f"/p/{run.project_id}/traces/{run.trace_id}?run={run.id}"


def _object(text: bytes, key: str) -> orjson.Fragment | dict[str, Any] | None:
    """Return JSON text as it was stored where it is an object; another value under `key`; None for null."""
    value, fragment = _readable(text)
    if value is None:
        return None
    return fragment if isinstance(value, dict) else {key: fragment}


def _events(text: bytes) -> orjson.Fragment | list[Any]:
    value, fragment = _readable(text)
    if not isinstance(value, list):
        return []
    if all(isinstance(event, dict) for event in value):
        return fragment
    return [event for event in value if isinstance(event, dict)]


def _readable(text: bytes) -> tuple[Any, orjson.Fragment]:
    """Return the value and a text of it that is strict JSON: the stored one, if it is.

    The stored text keeps every digit. NaN and infinities, which are no JSON, become null.
    """
    if not text:
        return None, orjson.Fragment(b"null")
    try:
        return orjson.loads(text), orjson.Fragment(text)
    except orjson.JSONDecodeError:
        pass
    decoded = text.decode("utf-8", "replace")
    try:
        value = json.loads(decoded, parse_constant=_no_constant, parse_float=_finite)
        return value, orjson.Fragment(json.dumps(value).encode())
    except (ValueError, RecursionError):
        return decoded, orjson.Fragment(json.dumps(decoded).encode())


def _no_constant(name: str) -> None:
    return None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


ABSENT_FIELDS = (
    *("inputs_s3_urls", "outputs_s3_urls", "manifest_id", "manifest_s3_id", "messages"),
    *("reference_dataset_id", "last_queued_at", "trace_tier", "ttl_seconds", "trace_upgrade"),
)

RUN_FIELDS: dict[str, Callable[[RunParts], Any]] = {
    "id": lambda parts: parts.run.id,
    "name": lambda parts: parts.run.name,
    "run_type": lambda parts: parts.run.run_type,
    "trace_id": lambda parts: parts.run.trace_id,
    "dotted_order": lambda parts: parts.lineage.dotted_order,
    "status": lambda parts: wire_status(parts.run),
    "session_id": lambda parts: parts.run.project_id,
    "app_path": _app_path,
    "start_time": lambda parts: wire_time(parts.run.start_time),
    "end_time": lambda parts: wire_time(parts.run.end_time),
    "first_token_time": lambda parts: wire_time(parts.run.first_token_time),
    "error": _error,
    "inputs": lambda parts: _object(parts.payload.inputs, "input") or {},
    "outputs": lambda parts: _object(parts.payload.outputs, "output"),
    "inputs_preview": lambda parts: parts.run.inputs_preview,
    "outputs_preview": lambda parts: parts.run.outputs_preview,
    "extra": lambda parts: _object(parts.payload.extra, "extra") or {},
    "events": lambda parts: _events(parts.payload.events),
    "serialized": lambda parts: _object(parts.payload.serialized, "serialized"),
    "tags": lambda parts: parts.run.tags,
    "parent_run_id": lambda parts: parts.run.parent_run_id,
    "parent_run_ids": lambda parts: parts.lineage.parent_run_ids,
    "child_run_ids": lambda parts: parts.children and parts.children.all,
    "direct_child_run_ids": lambda parts: parts.children and parts.children.direct,
    "execution_order": lambda parts: 1,
    "reference_example_id": lambda parts: parts.run.reference_example_id,
    "in_dataset": lambda parts: False,
    "total_tokens": _tokens("total_tokens"),
    "prompt_tokens": _tokens("prompt_tokens"),
    "completion_tokens": _tokens("completion_tokens"),
    "total_cost": _cost("total_cost"),
    "prompt_cost": _cost("prompt_cost"),
    "completion_cost": _cost("completion_cost"),
    **{name: _usage(name) for name in sorted(USAGE_FIELDS)},
    "feedback_stats": lambda parts: feedback_stats(parts.feedback),
    "s3_urls": lambda parts: parts.files,
    "share_token": lambda parts: parts.share_token,
    "thread_id": lambda parts: parts.run.thread_id,
    **dict.fromkeys(ABSENT_FIELDS, _nothing),
}


def serialize_project(project: Project) -> dict[str, Any]:
    """Return the TracerSession object, without statistics."""
    return {
        "id": project.id,
        "tenant_id": project.workspace_id,
        "name": project.name,
        "description": project.description or None,
        "start_time": wire_time(project.created_at),
        "end_time": wire_time(project.end_time),
        "extra": project.extra or None,
        "reference_dataset_id": project.reference_dataset_id,
        "default_dataset_id": project.default_dataset_id,
        "trace_tier": None,
        "test_run_number": None,
    }


def serialize_statistics(statistics: RunStatistics) -> dict[str, Any]:
    """Return the RunStats object: every key, whether or not there was anything to measure."""
    return {
        "run_count": statistics.run_count,
        "error_rate": statistics.error_rate,
        "streaming_rate": statistics.streaming_rate,
        "last_run_start_time": wire_time(statistics.last_start_time),
        "latency_p50": statistics.latency.p50,
        "latency_p99": statistics.latency.p99,
        "first_token_p50": statistics.first_token.p50,
        "first_token_p99": statistics.first_token.p99,
        "total_tokens": statistics.total_tokens,
        "prompt_tokens": statistics.prompt_tokens,
        "completion_tokens": statistics.completion_tokens,
        "median_tokens": _whole(statistics.tokens.p50),
        "tokens_p99": _whole(statistics.tokens.p99),
        "prompt_tokens_p50": _whole(statistics.prompt.p50),
        "prompt_tokens_p99": _whole(statistics.prompt.p99),
        "completion_tokens_p50": _whole(statistics.completion.p50),
        "completion_tokens_p99": _whole(statistics.completion.p99),
        "total_cost": wire_decimal(statistics.total_cost),
        "prompt_cost": wire_decimal(statistics.prompt_cost),
        "completion_cost": wire_decimal(statistics.completion_cost),
        "cost_p50": _cost_text(statistics.cost.p50),
        "cost_p99": _cost_text(statistics.cost.p99),
        "feedback_stats": feedback_stats(statistics.feedback),
        "run_facets": [],
        # Ours: how many of the newest runs percentiles are of, and whether everything is.
        "measured_runs": statistics.measured_count,
        "is_capped": statistics.is_capped,
    }


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _cost_text(number: float | None) -> str | None:
    return None if number is None else wire_decimal(Decimal(repr(number)))
