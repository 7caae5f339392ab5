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

# Of one trace a tree_filter looks at so many runs at once.
CANDIDATES = 200

CANDIDATES_OF_TRACE = """
SELECT {columns} FROM run
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.day = %(day)s AND run.trace_id = %(trace_id)s
   AND run.id > %(after)s AND {condition} ORDER BY run.id LIMIT %(limit)s
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
                kept = [row for row in kept if self._trace_holds(name, part, _trace_key(row))]
        return kept

    def _trace_holds(self, name: str, part: CompiledExpression, key: TraceKey) -> bool:
        known = self._traces.get((name, key))
        if known is None:
            known = any(
                holds
                for rows in self._candidates(part, key, is_root=name == "root")
                for _, holds in _holds(rows, part)
            )
            self._traces[name, key] = known
        return known

    def _candidates(
        self, part: CompiledExpression, key: TraceKey, *, is_root: bool
    ) -> Iterator[list[Row]]:
        """Yield the trace's runs, or its root, that SQL would let through."""
        project_id, day, trace_id = key
        root_only = " AND run.id = run.trace_id" if is_root else ""
        query = CANDIDATES_OF_TRACE.format(
            columns=f"{RUN_COLUMNS}, {part.truths()}", condition=part.condition() + root_only
        )
        after = UUID(int=0)
        while True:
            params = {
                **self._compiled.params,
                "project_ids": [project_id],
                "day": day,
                "trace_id": trace_id,
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
