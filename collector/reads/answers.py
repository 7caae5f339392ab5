"""What a running trace is saying: the output so far of the model that it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collector.reads.sql import fetch_all
from collector.reads.types import TraceSummary

MAX_TRACES = 50
MAX_RUNS = 500  # of a trace; in a larger one it is not looked for

ANSWERS = """
SELECT DISTINCT ON (project_id, trace_id) project_id, trace_id, outputs_preview FROM run
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND trace_id = ANY(%(trace_ids)s::uuid[]) AND day = ANY(%(days)s)
   AND status = 'running' AND run_type = 'llm' AND outputs_preview <> ''
 ORDER BY project_id, trace_id, start_time DESC
"""


def with_answers(traces: Sequence[TraceSummary]) -> list[TraceSummary]:
    """Give traces that run, and whose root has said nothing yet, the output of the newest model at work in them."""
    silent = [
        trace
        for trace in traces
        if trace.status == "running" and not trace.outputs_preview and trace.run_count <= MAX_RUNS
    ][:MAX_TRACES]
    if not silent:
        return list(traces)
    rows = fetch_all(
        ANSWERS,
        {
            "project_ids": sorted({trace.project_id for trace in silent}),
            "trace_ids": [trace.id for trace in silent],
            "days": sorted({trace.day for trace in silent}),
        },
    )
    answers = {(project_id, trace_id): text for project_id, trace_id, text in rows}
    wanted = {(trace.project_id, trace.id) for trace in silent}
    return [
        replace(trace, outputs_preview=answers.get((trace.project_id, trace.id), ""))
        if (trace.project_id, trace.id) in wanted
        else trace
        for trace in traces
    ]
