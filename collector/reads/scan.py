"""A page of rows in the order (start_time, id), found by walking the index from a place.

Most filters match many rows and the page is full at once. A rare one would walk millions: it walks
in growing chunks instead, until the page is full or its time is over. Then the page says how far it
looked, and its cursor goes on from there.

Where SQL cannot decide a filter, what it finds is rechecked batch by batch on the way.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from collector.reads.cursors import Position
from collector.reads.sql import Row, fetch_all, time_limit, within_time
from collector.reads.turns import INDEX_WALKS, PAYLOAD_SEARCHES

FIRST_CHUNK_ROWS = 2_000
LAST_CHUNK_ROWS = 32_000  # about 50 ms of walking each
CHUNK_GROWTH = 4
MOST_BATCH_ROWS = 400  # of what is rechecked at once
BUDGET_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Scan:
    """What to walk. Conditions speak of the table by its own name, or not at all."""

    table: Literal["trace", "run"]
    columns: str  # the first two are start_time and id
    conditions: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    start_from: datetime | None = None  # inclusive
    start_to: datetime | None = None
    is_end_inclusive: bool = False
    in_order: Sequence[str] = ()  # conditions that an index in order of the start serves
    has_index: bool = False  # an index serves the conditions: walking in chunks would be slower
    is_descending: bool = True


class ScanResult(NamedTuple):
    """A page of rows, and where the next one begins (None: there is no more)."""

    rows: list[Row]
    next_position: Position | None
    is_cut_short: bool  # the time was over before the page was full


# Returns those of the rows that match.
Recheck = Callable[[Sequence[Row]], list[Row]]


class Stop(NamedTuple):
    """Stands among the rows of one project: beyond this place it was not looked at."""

    position: Position


def scan_page(
    project_ids: Sequence[UUID],
    scan: Scan,
    after: Position | None,
    limit: int,
    budget_seconds: float = BUDGET_SECONDS,
    recheck: Recheck | None = None,
    walk: Walk | None = None,
) -> ScanResult:
    """Return up to `limit` rows of all the projects after a place, of those that the recheck keeps.

    `walk` finds the rows of one project: `walk_in_order`, unless there is a quicker way.

    What may take long waits for its turn first, for as long as the budget.

    Raises:
        ReadTimeout: a single statement took twice the budget, or no turn came.
    """
    with _turn(scan, recheck, budget_seconds), time_limit(2 * budget_seconds):
        deadline = time.monotonic() + budget_seconds
        walks = [
            (walk or walk_in_order)(Source(project_id, scan, recheck, deadline), after, limit)
            for project_id in project_ids
        ]
        merged = heapq.merge(*walks, key=_place, reverse=scan.is_descending)
        return _take(merged, limit)


def _turn(scan: Scan, recheck: Recheck | None, wait_seconds: float) -> AbstractContextManager[None]:
    if recheck is not None:
        return PAYLOAD_SEARCHES.one(wait_seconds)
    return INDEX_WALKS.one(wait_seconds) if _needs_chunks(scan) else nullcontext()


def _place(item: Row | Stop) -> Position:
    return item.position if isinstance(item, Stop) else Position(item[0], item[1])


def _take(items: Iterator[Row | Stop], limit: int) -> ScanResult:
    rows: list[Row] = []
    for item in items:
        place = _place(item)
        last = _place(rows[-1]) if rows else None
        if isinstance(item, Stop):
            return ScanResult(rows, place, is_cut_short=True)
        # One run may lie in two projects: the cursor cannot stand between its two rows.
        if len(rows) >= limit and place != last:
            return ScanResult(rows, last, is_cut_short=False)
        rows.append(item)
    return ScanResult(rows, None, is_cut_short=False)


class Source(NamedTuple):
    """What one project's rows come from, and until when."""

    project_id: UUID
    scan: Scan
    recheck: Recheck | None
    deadline: float

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline


# Yields rows of one project in order, or a Stop where its time is over; see `walk_in_order`.
Walk = Callable[[Source, Position | None, int], Iterator[Row | Stop]]


def walk_in_order(source: Source, after: Position | None, limit: int) -> Iterator[Row | Stop]:
    """Yield one project's rows; at most one more than a page, which tells that there is a next."""
    project_id, scan = source.project_id, source.scan
    position, wanted, chunk = after, limit + 1, FIRST_CHUNK_ROWS
    while True:
        end = _end_of_chunk(project_id, scan, position, chunk) if _needs_chunks(scan) else None
        for item in _chunk(source, position, end, wanted):
            yield item
            if isinstance(item, Stop):
                return
            wanted -= 1
        if end is None or wanted <= 0:
            return
        if source.is_over:
            yield Stop(end)
            return
        position, chunk = end, min(chunk * CHUNK_GROWTH, LAST_CHUNK_ROWS)


def _chunk(
    source: Source, after: Position | None, end: Position | None, wanted: int
) -> Iterator[Row | Stop]:
    """Yield up to `wanted` rows of a chunk; with a recheck batch by batch, until the time is over."""
    project_id, scan, recheck, _ = source
    if recheck is None:
        yield from fetch_rows(project_id, scan, after, end, wanted)
        return
    size = min(wanted, MOST_BATCH_ROWS)
    while wanted > 0:
        rows = fetch_rows(project_id, scan, after, end, size)
        kept = recheck(rows)[:wanted]
        yield from kept
        wanted -= len(kept)
        if len(rows) < size:
            return
        after = Position(rows[-1][0], rows[-1][1])
        if source.is_over and wanted > 0:
            yield Stop(after)
            return
        size = min(size * CHUNK_GROWTH, MOST_BATCH_ROWS)


def _needs_chunks(scan: Scan) -> bool:
    return bool(scan.conditions) and not scan.has_index


def _end_of_chunk(
    project_id: UUID, scan: Scan, after: Position | None, rows: int
) -> Position | None:
    """Return the place of the last row of the chunk, or None where the rest is smaller."""
    order = "DESC" if scan.is_descending else "ASC"
    params: dict[str, Any] = {"project_id": project_id, "skipped": rows - 1, **scan.params}
    found = fetch_all(
        f"SELECT start_time, id FROM {scan.table}"  # noqa: S608 (our own words, see Scan)
        f" WHERE {' AND '.join(bounds(scan, after, None, params))}"
        f" ORDER BY start_time {order}, id {order} OFFSET %(skipped)s LIMIT 1",
        params,
    )
    return Position(*found[0]) if found else None


def fetch_rows(
    project_id: UUID, scan: Scan, after: Position | None, end: Position | None, limit: int
) -> list[Row]:
    order = "DESC" if scan.is_descending else "ASC"
    params: dict[str, Any] = {"project_id": project_id, "limit": limit, **scan.params}
    conditions = [*bounds(scan, after, end, params), *scan.conditions]
    return fetch_all(
        f"SELECT {scan.columns} FROM {scan.table} WHERE {' AND '.join(conditions)}"  # noqa: S608
        f" ORDER BY start_time {order}, id {order} LIMIT %(limit)s",
        params,
    )


def bounds(
    scan: Scan, after: Position | None, end: Position | None, params: dict[str, Any]
) -> list[str]:
    """Return the conditions that an index in this order serves, and add their params."""
    beyond, within = ("<", ">=") if scan.is_descending else (">", "<=")
    table = scan.table
    bounds = [f"{table}.project_id = %(project_id)s"]
    if after is not None:
        bounds.append(f"({table}.start_time, {table}.id) {beyond} (%(after_time)s, %(after_id)s)")
        params |= {"after_time": after.start_time, "after_id": after.id}
    if end is not None:
        bounds.append(f"({table}.start_time, {table}.id) {within} (%(end_time)s, %(end_id)s)")
        params |= {"end_time": end.start_time, "end_id": end.id}
    conditions, times = within_time(
        table, scan.start_from, scan.start_to, has_end=scan.is_end_inclusive
    )
    params |= times
    return [*bounds, *conditions, *scan.in_order]
