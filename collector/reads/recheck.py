"""The payloads of what SQL found, looked at: the part of a filter that rows cannot decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from collector.query.compile import CompiledExpression, PayloadPart, RunFacts
from collector.query.payload import RunTexts
from collector.reads.payloads import iterate_payloads
from collector.reads.rows import RUN_COLUMNS, run_summary, silent_before
from collector.reads.run_filter import CompiledFilter
from collector.reads.sql import Row, fetch_all
from collector.storage.blocks import RunPayload
from collector.storage.payload import fetch_payloads_of_traces

TraceKey = tuple[UUID, date, UUID]

# A tree_filter looks at the runs of so many traces at once, and at so many runs.
TRACES_AT_ONCE = 50
CANDIDATES = 1_000

SAID_COLUMNS = """run.start_time, run.id, run.project_id, run.day, run.trace_id, coalesce(run.name, ''),
 coalesce(run.error, '')"""
CANDIDATES_OF_TRACES = """
SELECT {columns} FROM run
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.day = ANY(%(days)s::date[])
   AND run.trace_id = ANY(%(trace_ids)s::uuid[]) AND run.id > %(after)s AND {condition}
 ORDER BY run.id LIMIT %(limit)s
"""


class TraceTest:
    """Says which traces have a run of which a filter holds, whatever it takes to know. It remembers.

    Args:
        part: the filter.
        params: what its conditions take.
        is_root: asked of the traces' roots alone.
    """

    def __init__(
        self, part: CompiledExpression, params: Mapping[str, Any], *, is_root: bool
    ) -> None:
        self._part = part
        self._params = dict(params)
        self._is_root = is_root
        self._known: dict[TraceKey, bool] = {}

    def passed(self, keys: set[TraceKey]) -> set[TraceKey]:
        """Return those of the traces that have such a run."""
        unknown = sorted(keys - self._known.keys())
        for first in range(0, len(unknown), TRACES_AT_ONCE):
            asked = unknown[first : first + TRACES_AT_ONCE]
            passed = set(self._look(asked))
            self._known.update({key: key in passed for key in asked})
        return {key for key in keys if self._known[key]}

    def _look(self, keys: Sequence[TraceKey]) -> Iterator[TraceKey]:
        if not self._part.phrases:
            yield from self._look_at_rows(keys, "true")
            return
        saying = [
            (key, run_id)
            for rows in self._pages(keys, SAID_COLUMNS, "true")
            for key, run_id in _saying(rows, self._part)
        ]
        if not self._part.row_tests:
            yield from (key for key, _ in saying)
        elif saying:
            self._params["saying"] = [run_id for _, run_id in saying]
            yield from self._look_at_rows(keys, "run.id = ANY(%(saying)s::uuid[])")

    def _look_at_rows(self, keys: Sequence[TraceKey], condition: str) -> Iterator[TraceKey]:
        """Yield those of the traces of which SQL lets a run through, whose payload passes too."""
        condition = f"{condition} AND {self._part.condition()}"
        for rows in self._pages(keys, f"{RUN_COLUMNS}, {self._part.truths()}", condition):
            yield from (_trace_key(row) for row, holds in _holds(rows, self._part) if holds)

    def _pages(self, keys: Sequence[TraceKey], columns: str, condition: str) -> Iterator[list[Row]]:
        """Yield the runs of some traces, or their roots. Columns begin as RUN_COLUMNS."""
        root_only = " AND run.id = run.trace_id" if self._is_root else ""
        query = CANDIDATES_OF_TRACES.format(columns=columns, condition=condition + root_only)
        project_ids, days, trace_ids = (list(set(values)) for values in zip(*keys, strict=True))
        after = UUID(int=0)
        while True:
            params = {
                **self._params,
                "project_ids": project_ids,
                "days": days,
                "trace_ids": trace_ids,
                "after": after,
                "limit": CANDIDATES,
            }
            rows = fetch_all(query, params)
            yield rows
            if len(rows) < CANDIDATES:
                return
            after = rows[-1][1]


class Recheck:
    """Keeps of the rows that a scan found those whose payloads match. One for each query: it remembers."""

    def __init__(self, compiled: CompiledFilter) -> None:
        self._own = compiled.own
        self._tests = [
            TraceTest(part, compiled.params, is_root=is_root)
            for part, is_root in ((compiled.root, True), (compiled.tree, False))
            if part is not None and part.needs_payload
        ]

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that match. The last column of each is the truth of the row-level parts."""
        kept = list(rows)
        if self._own is not None and self._own.needs_payload:
            kept = [row for row, holds in _holds(kept, self._own) if holds]
        for test in self._tests:
            passed = test.passed({_trace_key(row) for row in kept})
            kept = [row for row in kept if _trace_key(row) in passed]
        return kept


def _saying(rows: Sequence[Row], part: CompiledExpression) -> Iterator[tuple[TraceKey, UUID]]:
    """Yield the runs, rows of SAID_COLUMNS, that say all that a match says; without tests of rows, the matches."""
    wanted: dict[UUID, dict[tuple[date, UUID], set[UUID] | None]] = {}
    for _, run_id, project_id, day, trace_id, _, _ in rows:
        traces = wanted.setdefault(project_id, {})
        # a full page may hold a part of a trace; else it is all of it, and naming the runs would cost more
        runs = traces.setdefault((day, trace_id), set() if len(rows) >= CANDIDATES else None)
        if runs is not None:
            runs.add(run_id)
    payloads = {
        (project_id, *key): payload
        for project_id, traces in wanted.items()
        for key, payload in fetch_payloads_of_traces([project_id], traces).items()
    }
    nodes = [part.node]
    if part.row_tests:
        nodes = [node for node in part.conjuncts if isinstance(node, PayloadPart)]
    for row in rows:
        _, run_id, project_id, day, trace_id, name, error = row
        payload = payloads.get((project_id, day, trace_id, run_id)) or RunPayload()
        facts = RunFacts((), RunTexts(name, error, payload))
        if all(node.holds(facts) for node in nodes):
            yield _trace_key(row), run_id


def _holds(rows: Sequence[Row], part: CompiledExpression) -> Iterator[tuple[Row, bool]]:
    """Yield each row of RUN_COLUMNS and truths with whether the filter holds of it."""
    silent = silent_before()
    runs = [run_summary(row[:-1], None, silent) for row in rows]
    for row, (run, payload) in zip(rows, iterate_payloads(runs), strict=True):
        texts = RunTexts(run.name, run.error, payload)
        yield row, part.node.holds(RunFacts(row[-1], texts))


def _trace_key(row: Row) -> TraceKey:
    return row[2], row[3], row[4]
