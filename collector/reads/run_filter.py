"""`RunFilter` → SQL conditions. They narrow within the projects of the caller and can never widen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from collector.reads.rows import RUN_COLUMNS
from collector.reads.scan import Scan
from collector.reads.sql import fetch_all, storable
from collector.reads.types import RunFilter, RunTest

# The status as LangSmith has it, in three words: `wire_status` of the API says the same.
LANGSMITH_STATUS = """(CASE WHEN {0}.error IS NOT NULL OR {0}.status = 'cancelled' THEN 'error'
 WHEN {0}.status IN ('running', 'incomplete') THEN 'pending' ELSE 'success' END)"""

TESTS = {
    "is_root": "({0}.parent_run_id IS NULL OR {0}.id = {0}.trace_id) = %({1})s::boolean",
    "has_error": "({0}.error IS NOT NULL) = %({1})s::boolean",
    "run_type": "coalesce({0}.run_type, 'chain') = %({1})s",
    "status": LANGSMITH_STATUS + " = %({1})s",
    "trace_id": "{0}.trace_id = %({1})s::uuid",
    "tag": "%({1})s = ANY({0}.tags)",
}

TRACE_DAYS = """
SELECT DISTINCT day FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(trace_id)s
"""


PARENT_TRACE = """
SELECT trace_id FROM run
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = %(id)s ORDER BY day DESC LIMIT 1
"""


def run_scan(project_ids: Sequence[UUID], filter_: RunFilter, *, is_descending: bool) -> Scan:
    """Return the scan of a filter. Asks where a trace lies, so that one partition is read and not all."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    trace_id = filter_.trace_id or _parents_trace_id(project_ids, filter_.parent_run_id)
    if filter_.ids:
        conditions.append("run.id = ANY(%(ids)s::uuid[])")
        params["ids"] = list(filter_.ids)
    if trace_id is not None:
        conditions.append("run.trace_id = %(trace_id)s AND run.day = ANY(%(days)s::date[])")
        params["trace_id"] = trace_id
        params["days"] = _trace_days(project_ids, trace_id)
    if filter_.parent_run_id is not None:
        conditions.append("run.parent_run_id = %(parent_run_id)s")
        params["parent_run_id"] = filter_.parent_run_id
    conditions += [_compile(test, "run", params) for test in filter_.tests]
    conditions += [_in_trace(test, "root", params) for test in filter_.root_tests]
    conditions += [_in_trace(test, "other", params) for test in filter_.tree_tests]
    return Scan(
        table="run",
        columns=RUN_COLUMNS,
        conditions=conditions,
        params=params,
        start_from=filter_.start_from,
        start_to=filter_.start_to,
        is_end_inclusive=True,
        has_index=bool(filter_.ids) or trace_id is not None,
        is_descending=is_descending,
    )


def _parents_trace_id(project_ids: Sequence[UUID], parent_run_id: UUID | None) -> UUID | None:
    """Return the trace of a parent: its children lie there, and no index leads to them."""
    if parent_run_id is None:
        return None
    rows = fetch_all(PARENT_TRACE, {"project_ids": list(project_ids), "id": parent_run_id})
    return rows[0][0] if rows else None


def _trace_days(project_ids: Sequence[UUID], trace_id: UUID) -> list[Any]:
    rows = fetch_all(TRACE_DAYS, {"project_ids": list(project_ids), "trace_id": trace_id})
    return [day for (day,) in rows]


def _compile(test: RunTest, alias: str, params: dict[str, Any]) -> str:
    name = f"v{len(params)}"
    params[name] = storable(test.value) if isinstance(test.value, str) else test.value
    condition = TESTS[test.field].format(alias, name)
    return f"({condition}) IS NOT TRUE" if test.is_negated else condition


def _in_trace(test: RunTest, alias: str, params: dict[str, Any]) -> str:
    """Return the condition that the root (or any run) of the same trace passes the test."""
    same = " AND ".join(
        f"{alias}.{column} = run.{column}" for column in ("project_id", "day", "trace_id")
    )
    if alias == "root":
        same += " AND root.id = root.trace_id"
    condition = _compile(test, alias, params)
    return f"EXISTS (SELECT 1 FROM run AS {alias} WHERE {same} AND {condition})"  # noqa: S608 (our own words)
