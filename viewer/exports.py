"""Runs as files: JSON lines, one run a line, as they were received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import orjson
from django.http import StreamingHttpResponse

from collector.reads.runs import iterate_details
from collector.reads.traces import get_tree
from collector.reads.types import RunSummary
from viewer.present.raw import raw_run, to_line

MAX_RUNS = 20_000  # of one file; it ends with a line that says what is left out


def runs_of_traces(project_ids: Sequence[UUID], trace_ids: Sequence[UUID]) -> Iterator[RunSummary]:
    """Yield the runs of traces, trace by trace, each in the order of its tree."""
    for trace_id in trace_ids:
        tree = get_tree(project_ids, trace_id, limit=MAX_RUNS)
        if tree is not None:
            yield from (node.run for node in tree.nodes)


def download_runs(runs: Iterator[RunSummary], name: str) -> StreamingHttpResponse:
    """Return a file of runs, read as it is sent."""
    response = StreamingHttpResponse(_lines(runs), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _lines(runs: Iterator[RunSummary]) -> Iterator[bytes]:
    count, batch = 0, []
    for run in runs:
        count += 1
        if count > MAX_RUNS:
            break
        batch.append(run)
        if len(batch) >= 100:
            yield from (to_line(raw_run(detail)) for detail in iterate_details(batch))
            batch = []
    yield from (to_line(raw_run(detail)) for detail in iterate_details(batch))
    if count > MAX_RUNS:
        yield orjson.dumps({"left_out": f"what comes after {MAX_RUNS:,} runs"}) + b"\n"
