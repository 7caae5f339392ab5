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
    """Return the tree as rows (depth, name, run_type, status, inputs, outputs, error), depth first.

    Siblings stand in the order of their starts. Those that ran at the same time have none: which of two
    parallel tools starts first is chance.
    """
    children: dict[Any, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.dotted_order):
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
        below = [row]
        for group in _at_the_same_time(children.get(run.id, [])):
            for part in sorted((rows(child, depth + 1) for child in group), key=str):
                below += part
        return below

    return [line for root in children.get(None, []) for line in rows(root, 0)]


def _at_the_same_time(siblings: list[Run]) -> list[list[Run]]:
    """Return the siblings, in order, in groups of which each overlaps with what came before it."""
    groups: list[list[Run]] = []
    end = None
    for run in siblings:
        if end is not None and run.start_time < end:
            groups[-1].append(run)
        else:
            groups.append([run])
        end = run.end_time if end is None else max(end, run.end_time)
    return groups


def _text(value: Any) -> str:
    value = value or None  # where a run failed LangSmith sends {} and the handler nothing
    return _IDS.sub("…", json.dumps(value, sort_keys=True, default=str, ensure_ascii=False))


def _first_line(error: str | None) -> str:
    return re.split(r"\n|Traceback ", error or "", maxsplit=1)[
        0
    ]  # LangSmith puts no line end before the traceback
