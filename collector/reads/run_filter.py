"""`RunFilter` → SQL conditions. They narrow within the projects of the caller and can never widen.

Where few traces can match, an index finds them first and the rest is looked for in those alone;
otherwise the runs are walked in order of their start (scan.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from collector.query.compile import CompiledExpression, Params, compile_expression
from collector.query.tree import Expression
from collector.reads.rows import RUN_COLUMNS
from collector.reads.scan import Scan
from collector.reads.sql import fetch_all, within_time
from collector.reads.types import RunFilter

# So many traces or runs are few: their rows are found faster one by one than by walking.
FEW_TRACES = 1_000
FEW_RUNS = 2_000

TRACE_DAYS = """
SELECT DISTINCT day FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(trace_id)s
"""

PARENT_TRACE = """
SELECT trace_id FROM run
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(id)s ORDER BY day DESC LIMIT 1
"""

SAME_TRACE = "{0}.project_id = run.project_id AND {0}.day = run.day AND {0}.trace_id = run.trace_id"


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A filter as conditions on the table `run`, by that name.

    `conditions` hold the time range too, but not the projects: a query adds
    `run.project_id = ANY(%(project_ids)s::uuid[])`. Every matching run passes them. They are exact unless
    `needs_payload`: then what they let through must be looked at (`runs.iterate_matching` does).
    """

    conditions: list[str]
    params: dict[str, Any]
    needs_payload: bool
    # An index serves the conditions, and what it finds is few.
    has_index: bool
    # Those of the conditions that an index in order of the start serves.
    in_order: list[str]
    start_from: datetime | None
    start_to: datetime | None
    own: CompiledExpression | None = None
    root: CompiledExpression | None = None
    tree: CompiledExpression | None = None

    def scan(self, *, is_descending: bool) -> Scan:
        """Return the walk over all runs that pass the conditions; its last column is for the recheck."""
        truths = self.own.truths() if self.own and self.own.needs_payload else "NULL"
        return Scan(
            table="run",
            columns=f"{RUN_COLUMNS}, {truths}",
            conditions=self.conditions,
            in_order=self.in_order,
            params=self.params,
            start_from=self.start_from,
            start_to=self.start_to,
            is_end_inclusive=True,
            has_index=self.has_index,
            is_descending=is_descending,
        )


def compile_run_filter(project_ids: Sequence[UUID], filter_: RunFilter) -> CompiledFilter:
    """Return the filter as conditions. Asks the database where few traces can match.

    Raises:
        ReadTimeout: see `time_limit`, where the caller set one.
    """
    return _Compiler(project_ids, filter_).compile()


@dataclass
class _Compiler:
    project_ids: Sequence[UUID]
    filter: RunFilter
    params: Params = field(default_factory=Params)
    conditions: list[str] = field(default_factory=list)
    has_index: bool = False

    def compile(self) -> CompiledFilter:
        filter_ = self.filter
        own = self._compiled(filter_.expression)
        root = self._compiled(filter_.root_expression)
        tree = self._compiled(filter_.tree_expression)
        self._named_runs()
        if own is not None and not self.has_index:
            self.has_index = bool(own.served_by("key"))
        if not self.has_index:
            self._few_traces([compiled for compiled in (own, root, tree) if compiled])
        if own is not None and not self.has_index:
            self._few_judged(own.feedback)
        if own is not None:
            self.conditions.append(own.condition())
        if root is not None:
            self.conditions.append(_in_trace("root", root, " AND root.id = root.trace_id"))
        if tree is not None:
            self.conditions.append(_in_trace("other", tree))
        times, time_params = within_time("run", filter_.start_from, filter_.start_to, has_end=True)
        return CompiledFilter(
            conditions=[*self.conditions, *times],
            params={**self.params, **time_params},
            needs_payload=any(
                part is not None and part.needs_payload for part in (own, root, tree)
            ),
            has_index=self.has_index,
            in_order=own.served_by("error") if own else [],
            start_from=filter_.start_from,
            start_to=filter_.start_to,
            own=own,
            root=root,
            tree=tree,
        )

    def _compiled(self, expression: Expression | None) -> CompiledExpression | None:
        if expression is None:
            return None
        return compile_expression(expression, self.project_ids, self.params)

    def _named_runs(self) -> None:
        """Add the conditions of all but the expressions. Where a trace lies is asked for first."""
        filter_ = self.filter
        if filter_.ids:
            self._narrow(f"run.id = ANY({self.params.add(filter_.ids)}::uuid[])")
        trace_id = filter_.trace_id or self._parents_trace_id()
        if trace_id is not None:
            days = self._fetch(TRACE_DAYS, trace_id=trace_id)
            self._narrow_to_traces([(trace_id, day) for (day,) in days])
        if filter_.parent_run_id is not None:
            parent = self.params.add(filter_.parent_run_id)
            self.conditions.append(f"run.parent_run_id = {parent}::uuid")
        if filter_.reference_example_ids:
            examples = self.params.add(filter_.reference_example_ids)
            self._narrow(f"run.reference_example_id = ANY({examples}::uuid[])")

    def _parents_trace_id(self) -> UUID | None:
        """Return the trace of a parent: its children lie there, and no index leads to them."""
        if self.filter.parent_run_id is None:
            return None
        rows = self._fetch(PARENT_TRACE, id=self.filter.parent_run_id)
        return rows[0][0] if rows else None

    def _few_traces(self, parts: Sequence[CompiledExpression]) -> None:
        """Narrow to the traces that have the terms of the filter, where they are few."""
        rows = find_few_traces(self.project_ids, parts, self.params)
        if rows is not None:
            self._narrow_to_traces(rows)

    def _few_judged(self, tests: Sequence[str]) -> None:
        """Narrow to the runs that have the feedback of the filter, where they are few."""
        for test in tests:
            rows = self._fetch(
                "SELECT run_id FROM feedback WHERE project_id = ANY(%(project_ids)s::uuid[])"  # noqa: S608 (our own words)
                f" AND run_id IS NOT NULL AND {test} LIMIT %(limit)s",
                limit=FEW_RUNS + 1,
            )
            if len(rows) <= FEW_RUNS:
                self._narrow(f"run.id = ANY({self.params.add([id_ for (id_,) in rows])}::uuid[])")
                return

    def _narrow_to_traces(self, traces: Sequence[tuple[UUID, date]]) -> None:
        ids = self.params.add(list({id_ for id_, _ in traces}))
        days = self.params.add(list({day for _, day in traces}))
        self._narrow(f"run.trace_id = ANY({ids}::uuid[]) AND run.day = ANY({days}::date[])")

    def _narrow(self, condition: str) -> None:
        self.conditions.append(condition)
        self.has_index = True

    def _fetch(self, query: str, **params: Any) -> list[Any]:
        known: Mapping[str, Any] = {"project_ids": list(self.project_ids), **self.params}
        return fetch_all(query, {**known, **params})


def find_few_traces(
    project_ids: Sequence[UUID], parts: Sequence[CompiledExpression], params: Params
) -> list[tuple[UUID, date]] | None:
    """Return (trace id, day) of the traces that have the terms of all the parts; None: they are many, or no term is known."""
    demanded = dict.fromkeys(terms for part in parts for terms in part.terms)
    if not demanded:
        return None
    tests = [f"terms && {params.add(terms)}::integer[]" for terms in demanded]
    rows: list[Any] = fetch_all(
        "SELECT trace_id, day FROM trace_terms WHERE project_id = ANY(%(project_ids)s::uuid[])"  # noqa: S608 (our own words)
        f" AND {' AND '.join(tests)} LIMIT %(limit)s",
        {"project_ids": list(project_ids), **params, "limit": FEW_TRACES + 1},
    )
    return rows if len(rows) <= FEW_TRACES else None


def _in_trace(alias: str, compiled: CompiledExpression, more: str = "") -> str:
    """Return the condition that a run of the same trace passes."""
    same = SAME_TRACE.format(alias) + more
    return f"EXISTS (SELECT 1 FROM run AS {alias} WHERE {same} AND {compiled.condition(alias)})"  # noqa: S608 (our own words)
