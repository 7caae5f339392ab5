"""What changed since the last look: the runs of one trace, or the traces of some projects.

Rows say how things are, not what happened. So whoever follows them remembers what it has told of each, by a
fingerprint, and tells what differs: a state that came and went between two looks is not seen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from collector.reads.rows import (
    RUN_COLUMNS,
    TRACE_COLUMNS,
    run_summary,
    silent_before,
    trace_summary,
)
from collector.reads.sql import Row, fetch_all, time_limit
from collector.reads.traces import get_trace
from collector.reads.types import RunSummary, TraceSummary

MAX_RUNS = 10_000  # of a trace, its first; later ones are not told of
MAX_TRACES = 10_000  # that a follower remembers; of one that it forgot it tells anew
LOOK_SECONDS = 10.0
RUNS_AT_ONCE = 500

Word = Literal["started", "updated", "ended"]
Item = TypeVar("Item", RunSummary, TraceSummary)

FINGERPRINTS = """
SELECT run.id, run.project_id, hashtextextended(row(run.versions, run.status, run.total_cost,
       run.subtree_total_tokens, run.subtree_total_cost, trace.last_heard_at < %(silent)s)::text, 0)
  FROM run JOIN trace USING (project_id, day)
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.day = %(day)s AND run.trace_id = %(trace_id)s
   AND trace.id = %(trace_id)s
 ORDER BY coalesce(run.position, run.start_time), run.id LIMIT %(limit)s
"""
RUNS = f"""
SELECT {RUN_COLUMNS}, trace.last_heard_at
  FROM run JOIN trace ON trace.project_id = run.project_id AND trace.id = run.trace_id AND trace.day = run.day
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.day = %(day)s AND run.id = ANY(%(ids)s::uuid[])
   AND run.trace_id = %(trace_id)s
"""  # noqa: S608 (our own words)
TRACES = f"""
SELECT {TRACE_COLUMNS} FROM trace
 WHERE trace.project_id = ANY(%(project_ids)s::uuid[]) AND trace.id = ANY(%(ids)s::uuid[])
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Change(Generic[Item]):
    """A run or a trace as it is now, and how that differs from what was told of it."""

    word: Word
    item: Item


class _Told:
    """What was told of each item: a fingerprint, and whether it had ended."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[UUID, UUID], tuple[Any, bool]] = OrderedDict()

    def is_news(self, key: tuple[UUID, UUID], fingerprint: Any) -> bool:
        known = self._known.get(key)
        return known is None or known[0] != fingerprint

    def tell(self, key: tuple[UUID, UUID], fingerprint: Any, *, has_ended: bool) -> Word:
        """Remember it, and return the word for it. What ended before it was told of is "ended" at once."""
        known = self._known.pop(key, None)
        self._known[key] = fingerprint, has_ended
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        if has_ended and not (known and known[1]):
            return "ended"
        return "updated" if known else "started"


class TraceFollower:
    """Tells what changed in one trace, in all projects of the reader that have a part of it."""

    def __init__(self, project_ids: Sequence[UUID], trace: TraceSummary) -> None:
        self._params: dict[str, Any] = {
            "project_ids": list(project_ids),
            "day": trace.day,
            "trace_id": trace.id,
            "limit": MAX_RUNS,
        }
        self._told = _Told(MAX_RUNS)
        self._key = trace.id, trace.day

    def trace(self) -> TraceSummary | None:
        """Return the trace as it is now; None: it was deleted."""
        return get_trace(self._params["project_ids"], *self._key)

    def look(self) -> list[Change[RunSummary]]:
        """Return the runs that changed since the last look, oldest first; at first all of them.

        Raises:
            ReadTimeout: the database took too long.
        """
        silent = silent_before()
        with time_limit(LOOK_SECONDS):
            found = {
                (project_id, run_id): fingerprint
                for run_id, project_id, fingerprint in fetch_all(
                    FINGERPRINTS, {**self._params, "silent": silent}
                )
            }
            news = [key for key, value in found.items() if self._told.is_news(key, value)]
            runs = self._fetch([run_id for _, run_id in news], silent)
        changes = []
        for key in news:
            run = runs.get(key)
            if run is not None:
                has_ended = run.status != "running"
                word = self._told.tell(key, found[key], has_ended=has_ended)
                changes.append(Change(word, run))
        return changes

    def _fetch(
        self, run_ids: Sequence[UUID], silent: datetime
    ) -> dict[tuple[UUID, UUID], RunSummary]:
        rows: list[Row] = []
        for first in range(0, len(run_ids), RUNS_AT_ONCE):
            part = list(run_ids[first : first + RUNS_AT_ONCE])
            rows += fetch_all(RUNS, {**self._params, "ids": part})
        runs = (run_summary(row[:-1], row[-1], silent) for row in rows)
        return {(run.project_id, run.id): run for run in runs}


class ProjectFollower:
    """Tells what became of traces that are said to have changed."""

    def __init__(self, project_ids: Sequence[UUID]) -> None:
        self._project_ids = list(project_ids)
        self._told = _Told(MAX_TRACES)

    def look(self, trace_ids: Iterable[UUID]) -> list[Change[TraceSummary]]:
        """Return those of the traces that differ from what was told of them, oldest first.

        Raises:
            ReadTimeout: the database took too long.
        """
        silent = silent_before()
        with time_limit(LOOK_SECONDS):
            rows = self._fetch(list(trace_ids))
        traces = sorted(
            (trace_summary(row, silent) for row in rows), key=lambda trace: trace.start_time
        )
        changes = []
        for trace in traces:
            key = trace.project_id, trace.id
            if self._told.is_news(key, hash(trace)):
                has_ended = trace.status != "running"
                changes.append(
                    Change(self._told.tell(key, hash(trace), has_ended=has_ended), trace)
                )
        return changes

    def _fetch(self, trace_ids: list[UUID]) -> list[Row]:
        """Look at the days around today first: nearly all that changes is new."""
        params: dict[str, Any] = {"project_ids": self._project_ids, "ids": trace_ids}
        today = datetime.now(UTC).date()
        days = [today + timedelta(days=number) for number in (-1, 0, 1)]
        rows = fetch_all(f"{TRACES} AND trace.day = ANY(%(days)s)", {**params, "days": days})
        found = {row[1] for row in rows}
        missing = [trace_id for trace_id in trace_ids if trace_id not in found]
        if missing:
            rows += fetch_all(TRACES, {**params, "ids": missing})
        return rows
