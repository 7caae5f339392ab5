"""Are two projects' traces the same tree? Read back through the API, with the stock SDK."""

from __future__ import annotations

import json
import re
import time
import warnings
from typing import Any

from langsmith import Client
from langsmith.schemas import Run

PATIENCE_SECONDS = 30.0
warnings.filterwarnings(
    "ignore", category=DeprecationWarning, module="demo"
)  # the v1 reads, until 2027
# Ids and times differ from run to run; everything else must not.
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def read_traces(client: Client, project: str, count: int) -> list[list[Run]]:
    """Return the runs of each of the project's `count` traces, oldest trace first, once all have ended.

    Raises:
        TimeoutError: they are not all there within PATIENCE_SECONDS.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        roots = (
            list(client.list_runs(project_name=project, is_root=True))
            if client.has_project(project)
            else []
        )
        traces = [list(client.list_runs(project_name=project, trace_id=root.id)) for root in roots]
        if len(roots) >= count and all(run.end_time for runs in traces for run in runs):
            newest = sorted(traces, key=lambda runs: runs[0].trace_id)[-count:]
            return sorted(newest, key=lambda runs: min(run.start_time for run in runs))
        if time.monotonic() > end:
            raise TimeoutError(
                f"{project}: {len(roots)} of {count} traces after {PATIENCE_SECONDS:.0f} s"
            )
        time.sleep(0.3)


def tree(runs: list[Run]) -> list[tuple[Any, ...]]:
    """Return the tree as rows (depth, name, run_type, status, inputs, outputs, error), in an order that ids do not touch."""
    children: dict[Any, list[Run]] = {}
    for run in runs:
        children.setdefault(run.parent_run_id, []).append(run)

    def rows(run: Run, depth: int) -> list[tuple[Any, ...]]:
        row = (
            depth,
            run.name,
            run.run_type,
            run.status,
            _text(run.inputs),
            _text(run.outputs),
            _first_line(run.error),
        )
        below = sorted((rows(child, depth + 1) for child in children.get(run.id, [])), key=str)
        return [row, *(line for part in below for line in part)]

    return [line for root in children.get(None, []) for line in rows(root, 0)]


def _text(value: Any) -> str:
    value = value or None  # where a run failed LangSmith sends {} and the handler nothing
    return _IDS.sub("…", json.dumps(value, sort_keys=True, default=str, ensure_ascii=False))


def _first_line(error: str | None) -> str:
    return re.split(r"\n|Traceback ", error or "", maxsplit=1)[
        0
    ]  # LangSmith puts no line end before the traceback
