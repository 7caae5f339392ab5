"""Rows of `run` and `trace` → the frozen values that readers get."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import cast

from collector.reads.sql import Row
from collector.reads.types import SILENCE_SECONDS, RunSummary, Status, TraceSummary

# The order is that of the functions below; the first two are what lists are ordered by.
TRACE_COLUMNS = """trace.start_time, trace.id, trace.project_id, trace.day, trace.has_root, trace.name,
 trace.run_type, trace.status, trace.end_time, trace.first_token_time, trace.inputs_preview,
 trace.outputs_preview, trace.error, trace.tags, trace.thread_id, trace.user_id, trace.run_count,
 trace.ended_count, trace.error_count, trace.prompt_tokens, trace.completion_tokens,
 trace.total_tokens, trace.total_cost, trace.last_heard_at, trace.prompt_cost,
 trace.completion_cost"""

RUN_COLUMNS = """run.start_time, run.id, run.project_id, run.day, run.trace_id, run.parent_run_id,
 run.name, run.run_type, run.status, run.end_time, run.first_token_time, run.model, run.thread_id,
 run.user_id, run.tags, run.inputs_preview, run.outputs_preview, run.error, run.prompt_tokens,
 run.completion_tokens, run.total_tokens, run.total_cost, coalesce(run.position, run.start_time),
 run.prompt_cost, run.completion_cost, run.provider, run.usage_details, run.price_id,
 run.reference_example_id, run.subtree_prompt_tokens, run.subtree_completion_tokens,
 run.subtree_total_tokens, run.subtree_prompt_cost, run.subtree_completion_cost,
 run.subtree_total_cost"""

# What a trace's status is shown as; needs the parameter silent_before.
SHOWN_STATUS = """(CASE WHEN trace.status = 'running' AND trace.last_heard_at < %(silent_before)s
 THEN 'incomplete' ELSE trace.status END)"""


def silent_before() -> datetime:
    """Return the time since when a trace with running runs must have been heard of."""
    return datetime.now(UTC) - timedelta(seconds=SILENCE_SECONDS)


def shown_status(status: str, last_heard_at: datetime | None, silent: datetime) -> Status:
    if status == "running" and last_heard_at is not None and last_heard_at < silent:
        return "incomplete"
    return cast(Status, status)


def latency_seconds(start_time: datetime, end_time: datetime | None) -> float | None:
    """Return the time taken, never negative: the two times may come from two clocks."""
    if end_time is None:
        return None
    return max((end_time - start_time).total_seconds(), 0.0)


def trace_summary(row: Row, silent: datetime) -> TraceSummary:
    """Build from a row of TRACE_COLUMNS."""
    (start_time, id_, project_id, day, has_root, name, run_type, status, end_time,
     first_token_time, inputs_preview, outputs_preview, error, tags, thread_id, user_id, run_count,
     ended_count, error_count, prompt_tokens, completion_tokens, total_tokens, total_cost,
     last_heard_at, prompt_cost, completion_cost) = row  # fmt: skip
    return TraceSummary(
        id=id_,
        project_id=project_id,
        day=day,
        has_root=has_root,
        name=name or "",
        run_type=run_type or "chain",
        status=shown_status(status, last_heard_at, silent),
        start_time=start_time,
        end_time=end_time,
        latency_seconds=latency_seconds(start_time, end_time) if has_root else None,
        first_token_time=first_token_time,
        inputs_preview=inputs_preview or "",
        outputs_preview=outputs_preview or "",
        error=error or "",
        tags=tuple(tags or ()),
        thread_id=thread_id,
        user_id=user_id,
        run_count=run_count,
        ended_count=ended_count,
        error_count=error_count,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=total_tokens,
        total_cost=total_cost,
        last_heard_at=last_heard_at,
        prompt_cost=prompt_cost,
        completion_cost=completion_cost,
    )


def run_summary(row: Row, last_heard_at: datetime | None, silent: datetime) -> RunSummary:
    """Build from a row of RUN_COLUMNS and when its trace was last heard of."""
    (start_time, id_, project_id, day, trace_id, parent_run_id, name, run_type, status, end_time,
     first_token_time, model, thread_id, user_id, tags, inputs_preview, outputs_preview, error,
     prompt_tokens, completion_tokens, total_tokens, total_cost, position, prompt_cost,
     completion_cost, provider, usage_details, price_id, reference_example_id,
     subtree_prompt_tokens, subtree_completion_tokens, subtree_total_tokens, subtree_prompt_cost,
     subtree_completion_cost, subtree_total_cost) = row  # fmt: skip
    return RunSummary(
        id=id_,
        project_id=project_id,
        day=day,
        trace_id=trace_id,
        parent_run_id=parent_run_id,
        name=name or "",
        run_type=run_type or "chain",
        status=shown_status(status, last_heard_at, silent),
        start_time=start_time,
        end_time=end_time,
        latency_seconds=latency_seconds(start_time, end_time),
        first_token_time=first_token_time,
        model=model,
        thread_id=thread_id,
        user_id=user_id,
        tags=tuple(tags or ()),
        inputs_preview=inputs_preview or "",
        outputs_preview=outputs_preview or "",
        error=error or "",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=total_tokens,
        total_cost=total_cost,
        position=position,
        prompt_cost=prompt_cost,
        completion_cost=completion_cost,
        provider=provider,
        # Django's cursors return jsonb as text
        usage_details=None if usage_details is None else json.loads(usage_details),
        price_id=price_id,
        reference_example_id=reference_example_id,
        subtree_prompt_tokens=subtree_prompt_tokens,
        subtree_completion_tokens=subtree_completion_tokens,
        subtree_total_tokens=subtree_total_tokens,
        subtree_prompt_cost=subtree_prompt_cost,
        subtree_completion_cost=subtree_completion_cost,
        subtree_total_cost=subtree_total_cost,
    )
