"""The payloads of what SQL found, looked at: the part of a filter that rows cannot decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from uuid import UUID

from collector.query.compile import CompiledExpression, RunFacts
from collector.query.payload import RunTexts
from collector.reads.payloads import iterate_payloads
from collector.reads.rows import RUN_COLUMNS, run_summary, silent_before
from collector.reads.run_filter import CompiledFilter
from collector.reads.sql import Row, fetch_all

TraceKey = tuple[UUID, date, UUID]

# A tree_filter looks at the runs of so many traces at once, and at so many runs.
TRACES_AT_ONCE = 50
CANDIDATES = 1_000

CANDIDATES_OF_TRACES = """
SELECT {columns} FROM run
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.day = ANY(%(days)s::date[])
   AND run.trace_id = ANY(%(trace_ids)s::uuid[]) AND run.id > %(after)s AND {condition}
 ORDER BY run.id LIMIT %(limit)s
"""


class Recheck:
    """Keeps of the rows that a scan found those whose payloads match. One for each query: it remembers."""

    def __init__(self, compiled: CompiledFilter) -> None:
        self._compiled = compiled
        self._traces: dict[tuple[str, TraceKey], bool] = {}

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that match. The last column of each is the truth of the row-level parts."""
        compiled = self._compiled
        kept = list(rows)
        if compiled.own is not None and compiled.own.needs_payload:
            kept = [row for row, holds in _holds(kept, compiled.own) if holds]
        for name, part in (("root", compiled.root), ("tree", compiled.tree)):
            if part is not None and part.needs_payload:
                passed = self._passed_traces(name, part, {_trace_key(row) for row in kept})
                kept = [row for row in kept if _trace_key(row) in passed]
        return kept

    def _passed_traces(
        self, name: str, part: CompiledExpression, keys: set[TraceKey]
    ) -> set[TraceKey]:
        """Return the traces whose root, or some run, the filter holds of."""
        unknown = sorted(key for key in keys if (name, key) not in self._traces)
        for first in range(0, len(unknown), TRACES_AT_ONCE):
            asked = unknown[first : first + TRACES_AT_ONCE]
            passed = {
                _trace_key(row)
                for rows in self._candidates(part, asked, is_root=name == "root")
                for row, holds in _holds(rows, part)
                if holds
            }
            self._traces.update({(name, key): key in passed for key in asked})
        return {key for key in keys if self._traces[name, key]}

    def _candidates(
        self, part: CompiledExpression, keys: Sequence[TraceKey], *, is_root: bool
    ) -> Iterator[list[Row]]:
        """Yield the runs of some traces, or their roots, that SQL would let through."""
        root_only = " AND run.id = run.trace_id" if is_root else ""
        query = CANDIDATES_OF_TRACES.format(
            columns=f"{RUN_COLUMNS}, {part.truths()}", condition=part.condition() + root_only
        )
        project_ids, days, trace_ids = (list(set(values)) for values in zip(*keys, strict=True))
        after = UUID(int=0)
        while True:
            params = {
                **self._compiled.params,
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


def _holds(rows: Sequence[Row], part: CompiledExpression) -> Iterator[tuple[Row, bool]]:
    """Yield each row of RUN_COLUMNS and truths with whether the filter holds of it."""
    silent = silent_before()
    runs = [run_summary(row[:-1], None, silent) for row in rows]
    for row, (run, payload) in zip(rows, iterate_payloads(runs), strict=True):
        texts = RunTexts(run.name, run.error, payload)
        yield row, part.node.holds(RunFacts(row[-1], texts))


def _trace_key(row: Row) -> TraceKey:
    return row[2], row[3], row[4]
