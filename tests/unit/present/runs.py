"""Runs and trees by hand, as `collector.reads` would give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from collector.reads.types import RunDetail, RunNode, RunSummary, TraceSummary, TraceTree

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROJECT_ID, TRACE_ID = uuid4(), uuid4()


def make_run(
    name: str = "step", start: float = 0.0, length: float | None = 1.0, **fields: Any
) -> RunSummary:
    """Return a run that starts `start` seconds into the trace; `length` None has not ended."""
    began = START + timedelta(seconds=start)
    values: dict[str, Any] = {
        "id": uuid4(),
        "project_id": PROJECT_ID,
        "day": START.date(),
        "trace_id": TRACE_ID,
        "parent_run_id": None,
        "name": name,
        "run_type": "chain",
        "status": "success" if length is not None else "running",
        "start_time": began,
        "end_time": None if length is None else began + timedelta(seconds=length),
        "latency_seconds": length,
        "first_token_time": None,
        "model": None,
        "thread_id": None,
        "user_id": None,
        "tags": (),
        "inputs_preview": "",
        "outputs_preview": "",
        "error": "",
        "prompt_tokens": None,
        "completion_tokens": None,
        "total_tokens": None,
        "total_cost": None,
        "position": began,
    }
    return RunSummary(**(values | fields))


def make_tree(
    *runs: tuple[int, RunSummary] | tuple[int, RunSummary, str], **trace: Any
) -> TraceTree:
    """Return a tree of (depth, run[, "plumbing"]), depth first."""
    depths = [item[0] for item in runs]
    nodes = []
    for number, (depth, run, *kind) in enumerate(runs):
        below = []
        for other in range(number + 1, len(runs)):
            if depths[other] <= depth:
                break
            below.append(runs[other][1])
        nodes.append(
            RunNode(
                run=run,
                depth=depth,
                child_count=0,
                descendant_count=len(below),
                error_count=sum(other.status == "error" for other in below),
                is_orphan=False,
                is_last_child=False,
                is_plumbing=bool(kind),
            )
        )
    return TraceTree(
        make_trace(runs[0][1], **({"run_count": len(runs), "ended_count": len(runs)} | trace)),
        tuple(nodes),
        0,
        0,
    )


def make_trace(root: RunSummary, **fields: Any) -> TraceSummary:
    values: dict[str, Any] = {
        "id": TRACE_ID,
        "project_id": PROJECT_ID,
        "day": START.date(),
        "has_root": True,
        "name": root.name,
        "run_type": root.run_type,
        "status": root.status,
        "start_time": root.start_time,
        "end_time": root.end_time,
        "latency_seconds": root.latency_seconds,
        "first_token_time": None,
        "inputs_preview": "",
        "outputs_preview": "",
        "error": "",
        "tags": (),
        "thread_id": None,
        "user_id": None,
        "run_count": 1,
        "ended_count": 1,
        "error_count": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "total_cost": None,
        "last_heard_at": START,
    }
    return TraceSummary(**(values | fields))


def make_detail(run: RunSummary, **fields: Any) -> RunDetail:
    values: dict[str, Any] = {
        "run": run,
        "dotted_order": "",
        "parent_run_ids": (),
        "inputs": None,
        "outputs": None,
        "error": None,
        "events": [],
        "extra": {},
        "serialized": None,
        "other": {},
        "notes": (),
    }
    return RunDetail(**(values | fields))
