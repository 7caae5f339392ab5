"""The walk of a search for words: the newest traces one by one, then day by day those that the index names.

A frequent word is found among the newest at once, and they are what is not indexed yet. Further back the index says
which traces may say it; each is looked at. It stops at a full page, or when the time is over: how far it came then is
exact, since index and queue give their traces in the order of the list.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from collector.reads.cursors import Position
from collector.reads.errors import ReadTimeout
from collector.reads.scan import Scan, Source, Stop, bounds, fetch_rows, walk_in_order
from collector.reads.sql import FIRST, LAST, Row, fetch_all, time_limit
from collector.storage.text_candidates import (
    Candidate,
    Candidates,
    Lag,
    Span,
    candidates,
    lag,
    make_queries,
)
from collector.storage.tokens import TokenPhrase

NEWEST_RUNS = 300  # are looked at before the index is asked
NEWEST_TRACES = 60
RUN_COUNT = 16  # of TRACE_COLUMNS
CANDIDATES_AT_ONCE = 400
LOOKED_AT_ONCE = 50
MOST_DAYS = 32
QUICK_SECONDS = 0.1  # what took less is followed by twice as many days
LEAST_SECONDS = 0.5  # that a question to the index may take

LAST_ID = UUID(int=(1 << 128) - 1)


class TextWalk:
    """Walks the traces that may say the phrases: one of each set."""

    def __init__(self, phrases: Sequence[Sequence[TokenPhrase]]) -> None:
        self._phrases = phrases

    def __call__(self, source: Source, after: Position | None, limit: int) -> Iterator[Row | Stop]:
        """Yield the rows of one project, as `walk_in_order` does."""
        position, wanted = after, limit + 1
        if after is None:
            rows, position = _newest(source)
            kept = _kept(source, rows)
            yield from kept
            wanted -= len(kept)
            if position is None or wanted <= 0:
                return
        queries = make_queries(source.project_id, self._phrases)
        if not queries:
            yield from walk_in_order(source, position, wanted - 1)
            return
        for item in _further_back(source, queries, position):
            yield item
            wanted -= 1
            if wanted <= 0:
                return


def _newest(source: Source) -> tuple[list[Row], Position | None]:
    """Return the newest rows, and where they end; None: there are no more."""
    rows = fetch_rows(source.project_id, source.scan, None, None, NEWEST_TRACES)
    runs = 0
    for number, row in enumerate(rows):
        runs += row[RUN_COUNT]
        if runs >= NEWEST_RUNS:
            return rows[: number + 1], Position(row[0], row[1])
    return rows, Position(*rows[-1][:2]) if len(rows) == NEWEST_TRACES else None


def _further_back(
    source: Source, queries: Sequence[str], after: Position | None
) -> Iterator[Row | Stop]:
    position = after or Position(LAST, LAST_ID)
    days = 1
    while start := _next_start(source, position):
        since = _since(source.scan, start, days)
        began = time.monotonic()
        while True:
            try:
                found = _ask(source, queries, Span(since, *position))
            except ReadTimeout:
                # so many rows have all the words of a phrase: what is left of the time goes to looking
                yield from walk_in_order(source, position, CANDIDATES_AT_ONCE)
                return
            for first in range(0, len(found.found), LOOKED_AT_ONCE):
                part = found.found[first : first + LOOKED_AT_ONCE]
                yield from _kept(source, _rows_of(source, part, position))
                position = Position(part[-1].start_time, part[-1].trace_id)
                if source.is_over:
                    yield Stop(position)
                    return
            if found.end is None:
                break
            position = Position(found.end.start_time, found.end.trace_id)
        position = Position(since, UUID(int=0))
        days = min(2 * days, MOST_DAYS) if time.monotonic() - began < QUICK_SECONDS else 1
        if source.is_over:
            yield Stop(position)
            return


def _ask(source: Source, queries: Sequence[str], span: Span) -> Candidates:
    left = max(source.deadline - time.monotonic(), LEAST_SECONDS)
    with transaction.atomic():
        with time_limit(left):
            found = candidates(source.project_id, queries, span, CANDIDATES_AT_ONCE)
        transaction.set_rollback(True)  # nothing was written; the limit is that of before
    return found


def find_index_lag(project_ids: Sequence[UUID]) -> Lag:
    """Return what of these projects is not indexed yet; a search looks at it all the same."""
    return lag(project_ids, datetime.now(UTC))


def _next_start(source: Source, position: Position) -> datetime | None:
    """Return when the next trace started, whatever it says: days without any are passed over."""
    params: dict[str, Any] = {"project_id": source.project_id}
    found = fetch_all(
        f"SELECT start_time FROM trace WHERE {' AND '.join(bounds(source.scan, position, None, params))}"  # noqa: S608 (our own words)
        " ORDER BY start_time DESC, id DESC LIMIT 1",
        params | dict(source.scan.params),
    )
    return found[0][0] if found else None


def _since(scan: Scan, start: datetime, days: int) -> datetime:
    """Return the beginning of the day of a start, or of a day before."""
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        midnight -= timedelta(days=days - 1)
    except OverflowError:
        midnight = FIRST
    return max(midnight, scan.start_from or FIRST)


def _rows_of(source: Source, part: Sequence[Candidate], after: Position) -> list[Row]:
    """Return the rows of candidates that pass the conditions and stand where the index says."""
    last = Position(part[-1].start_time, part[-1].trace_id)
    params: dict[str, Any] = {
        "project_id": source.project_id,
        "trace_ids": [item.trace_id for item in part],
        "days": list({item.day for item in part}),
        **source.scan.params,
    }
    conditions = [
        *bounds(source.scan, after, last, params),
        "trace.id = ANY(%(trace_ids)s::uuid[])",
        "trace.day = ANY(%(days)s::date[])",
        *source.scan.conditions,
    ]
    return fetch_all(
        f"SELECT {source.scan.columns} FROM trace WHERE {' AND '.join(conditions)}"  # noqa: S608
        " ORDER BY start_time DESC, id DESC",
        params,
    )


def _kept(source: Source, rows: list[Row]) -> list[Row]:
    return source.recheck(rows) if source.recheck and rows else rows
