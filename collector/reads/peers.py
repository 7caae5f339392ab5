"""How a run stands among the latest ones of its name: what a reader wants to know of a latency."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from collector.reads.errors import ReadTimeout
from collector.reads.sql import fetch_all, time_limit
from collector.reads.types import RunSummary, Standing

LOOKED_AT = 10_000  # runs of the project, the newest
FEWEST = 20  # with fewer of its name nothing is said
SECONDS = 0.5
KEPT_SECONDS, MAX_KEPT = 60.0, 500

LATENCIES = """
SELECT greatest(extract(epoch FROM end_time - start_time), 0)::float8
  FROM (SELECT name, start_time, end_time FROM run WHERE project_id = %(project_id)s
         ORDER BY start_time DESC, id DESC LIMIT %(looked_at)s) AS newest
 WHERE name = %(name)s AND end_time IS NOT NULL ORDER BY 1
"""

_kept: OrderedDict[tuple[UUID, str], tuple[float, Sequence[float]]] = OrderedDict()


def find_standing(run: RunSummary) -> Standing | None:
    """Return how slow a run is among its peers; None: it has not ended, they are too few, or it takes too long to tell."""
    if run.latency_seconds is None or not run.name:
        return None
    latencies = _latencies(run.project_id, run.name)
    if len(latencies) < FEWEST:
        return None
    return Standing(bisect_left(latencies, run.latency_seconds) / len(latencies), len(latencies))


def _latencies(project_id: UUID, name: str) -> Sequence[float]:
    key = (project_id, name)
    kept = _kept.get(key)
    if kept and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    params = {"project_id": project_id, "name": name, "looked_at": LOOKED_AT}
    try:
        with time_limit(SECONDS):
            found = [seconds for (seconds,) in fetch_all(LATENCIES, params)]
    except ReadTimeout:
        found = []
    _kept[key] = (time.monotonic(), found)
    while len(_kept) > MAX_KEPT:
        _kept.popitem(last=False)
    return found
