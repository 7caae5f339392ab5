"""A search of traces → SQL conditions on the table `trace`, and a look at payloads where rows cannot decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from string import ascii_lowercase
from typing import Any
from uuid import UUID

from collector.query.compile import CompiledExpression, Params, compile_expression
from collector.query.search import Search
from collector.reads.recheck import TraceKey, TraceTest
from collector.reads.run_filter import find_few_traces
from collector.reads.sql import Row, time_limit
from collector.storage.tokens import TokenPhrase

SAME_TRACE = "{0}.project_id = trace.project_id AND {0}.day = trace.day AND {0}.trace_id = trace.id"


@dataclass(frozen=True, slots=True)
class _Part:
    compiled: CompiledExpression
    is_root: bool
    is_negated: bool  # no run of the trace may match

    def condition(self, alias: str) -> str:
        """Return a condition on `trace` that every matching trace passes."""
        same = SAME_TRACE.format(alias) + (
            f" AND {alias}.id = {alias}.trace_id" if self.is_root else ""
        )
        test = self.compiled.certainty(alias) if self.is_negated else self.compiled.condition(alias)
        word = "NOT EXISTS" if self.is_negated else "EXISTS"
        return f"{word} (SELECT 1 FROM run AS {alias} WHERE {same} AND {test})"  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class CompiledSearch:
    """A search as conditions on `trace`. They are exact unless `needs_payload`: then `recheck` decides."""

    conditions: list[str]
    params: dict[str, Any]
    needs_payload: bool
    has_index: bool
    # Where there is no such index: what a matching trace says (see CompiledExpression.phrases).
    phrases: tuple[tuple[TokenPhrase, ...], ...] = ()
    parts: tuple[_Part, ...] = field(default=(), repr=False)

    def recheck(self) -> TraceRecheck | None:
        """Return what keeps the rows that match, for one query; None where the conditions are exact."""
        return TraceRecheck(self) if self.needs_payload else None


class TraceRecheck:
    """Keeps of rows of TRACE_COLUMNS those whose payloads match."""

    def __init__(self, compiled: CompiledSearch) -> None:
        self._tests = [
            (TraceTest(part.compiled, compiled.params, is_root=part.is_root), part.is_negated)
            for part in compiled.parts
            if part.compiled.needs_payload
        ]

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that match."""
        kept = list(rows)
        for test, is_negated in self._tests:
            passed = test.passed({_key(row) for row in kept})
            kept = [row for row in kept if (_key(row) in passed) is not is_negated]
        return kept


def compile_trace_search(project_ids: Sequence[UUID], search: Search) -> CompiledSearch:
    """Return the search as conditions. Asks the database where few traces can match."""
    params = Params()
    parts = [
        _Part(
            compile_expression(condition.expression, project_ids, params),
            is_root=condition.scope == "root",
            is_negated=condition.is_negated,
        )
        for condition in search.conditions
    ]
    conditions = [
        part.condition(f"run_{name}") for name, part in zip(_names(), parts, strict=False)
    ]
    demanding = [part.compiled for part in parts if not part.is_negated]
    few = find_few_traces(project_ids, demanding, params) if demanding else None
    if few is not None:
        ids, days = params.add([id_ for id_, _ in few]), params.add([day for _, day in few])
        conditions.insert(0, f"trace.id = ANY({ids}::uuid[]) AND trace.day = ANY({days}::date[])")
    return CompiledSearch(
        conditions=conditions,
        params=dict(params),
        needs_payload=any(part.compiled.needs_payload for part in parts),
        has_index=few is not None,
        phrases=()
        if few is not None
        else tuple(dict.fromkeys(phrases for part in demanding for phrases in part.phrases)),
        parts=tuple(parts),
    )


def _names() -> Iterator[str]:
    """Yield aa, ab, …: more than a search has conditions."""
    return map("".join, product(ascii_lowercase, repeat=2))


def search_within(
    seconds: float, project_ids: Sequence[UUID], search: Search | None
) -> CompiledSearch | None:
    """Return the search as conditions, if there is any.

    Raises:
        ReadTimeout: finding out where few traces can match took longer than this.
    """
    if search is None:
        return None
    with time_limit(seconds):
        return compile_trace_search(project_ids, search)


def is_decided_by_rows(search: Search) -> bool:
    """Whether the conditions are exact without a look at payloads, so that counts are."""
    return not any(
        compile_expression(condition.expression, (), Params()).needs_payload
        for condition in search.conditions
    )


def _key(row: Row) -> TraceKey:
    """Return the trace of a row of TRACE_COLUMNS."""
    return row[2], row[3], row[1]
