"""What lies below runs: the ids of their children, and of all further down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from collector.reads.sql import Row, fetch_all
from collector.reads.types import RunSummary

MAX_READ = 100_000  # runs of the traces that are looked at; who is past it is left out
FEW = 1_000
MAX_DESCENDANTS = 10_000  # of one run

RUNS_OF_TRACES = """
SELECT project_id, day, parent_run_id, id FROM run
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND day = ANY(%(days)s::date[])
   AND trace_id = ANY(%(trace_ids)s::uuid[]) AND parent_run_id IS NOT NULL
 ORDER BY coalesce(position, start_time), id LIMIT %(limit)s
"""

RunKey = tuple[UUID, date, UUID]  # project, day, run


@dataclass(frozen=True, slots=True)
class Children:
    """The ids below one run, those of its own children first, then theirs."""

    direct: tuple[UUID, ...] = ()
    all: tuple[UUID, ...] = ()


def find_few_children(run: RunSummary) -> Children | None:
    """Return what lies below one run, or None where its trace is too large to read for that alone."""
    params = {"project_ids": [run.project_id], "days": [run.day], "trace_ids": [run.trace_id]}
    rows = fetch_all(RUNS_OF_TRACES, {**params, "limit": FEW + 1})
    return None if len(rows) > FEW else _children([run], rows)[run.project_id, run.day, run.id]


def find_children(runs: Sequence[RunSummary]) -> dict[RunKey, Children]:
    """Return what lies below each run by (project id, day, run id)."""
    params: dict[str, Any] = {
        "project_ids": sorted({run.project_id for run in runs}),
        "days": sorted({run.day for run in runs}),
        "trace_ids": sorted({run.trace_id for run in runs}),
        "limit": MAX_READ,
    }
    return _children(runs, fetch_all(RUNS_OF_TRACES, params))


def _children(runs: Sequence[RunSummary], rows: Sequence[Row]) -> dict[RunKey, Children]:
    below: dict[RunKey, list[UUID]] = {}
    for project_id, day, parent_id, id_ in rows:
        below.setdefault((project_id, day, parent_id), []).append(id_)
    keys = [(run.project_id, run.day, run.id) for run in runs]
    return {key: Children(tuple(below.get(key, ())), _descendants(key, below)) for key in keys}


def _descendants(key: RunKey, below: dict[RunKey, list[UUID]]) -> tuple[UUID, ...]:
    project_id, day, run_id = key
    found: dict[UUID, None] = {}  # a set in its order: a circle of parents ends where it closes
    waiting = [run_id]
    for parent_id in waiting:
        for id_ in below.get((project_id, day, parent_id), ()):
            if id_ not in found and id_ != run_id and len(found) < MAX_DESCENDANTS:
                found[id_] = None
                waiting.append(id_)
    return tuple(found)
