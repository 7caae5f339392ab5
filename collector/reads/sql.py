"""What all readers share: running a query, and ending one that takes too long.

Every query on a hot table says `project_id = any(…)`, or `project_id = …` once for each project
where rows come in an order: for a list of ids Postgres does not use the order of the index (185 ms
in place of 0.9 ms for the first 50 of 1 M traces).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import DataError, OperationalError, connection, transaction
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types.datetime import DateLoader, TimestamptzLoader

from collector.reads.errors import ReadTimeout

Row = tuple[Any, ...]
# What Python's calendar holds. Postgres holds more, and so may rows that an older version let in.
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def fetch_all(query: str, params: Mapping[str, Any]) -> list[Row]:
    """Return the rows. Times that Python's calendar lacks (before the year 1, past 9999) stand at its ends."""
    try:
        return _fetch_all(query, params)
    except DataError as error:
        if not isinstance(error.__cause__, psycopg.DataError) or error.__cause__.sqlstate:
            raise  # the server's word, not psycopg's
        return _fetch_all(query, params, loaders=CLAMPING_LOADERS)


def _fetch_all(
    query: str, params: Mapping[str, Any], loaders: Mapping[str, type[Loader]] | None = None
) -> list[Row]:
    with connection.cursor() as cursor:
        for type_name, loader in (loaders or {}).items():
            cursor.adapters.register_loader(type_name, loader)  # of this cursor only
        cursor.execute(query, params)
        rows: list[Row] = cursor.fetchall()
    return rows


class _ClampedTime(Loader):
    """Reads a timestamptz; only for rows that could not be read otherwise, since it is slower."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._inner = TimestamptzLoader(oid, context)

    def load(self, data: Buffer) -> datetime:
        try:
            return self._inner.load(data)
        except psycopg.DataError:
            return FIRST if _is_before(data) else LAST


class _ClampedDay(Loader):
    """Reads a date in the same way."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._inner = DateLoader(oid, context)

    def load(self, data: Buffer) -> date:
        try:
            return self._inner.load(data)
        except psycopg.DataError:
            return date.min if _is_before(data) else date.max


def _is_before(data: Buffer) -> bool:
    text = bytes(data)
    return text.endswith(b"BC") or text.startswith(b"-")


CLAMPING_LOADERS: Mapping[str, type[Loader]] = {"timestamptz": _ClampedTime, "date": _ClampedDay}


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let no statement inside run longer.

    Raises:
        ReadTimeout: one did.
    """
    try:
        with transaction.atomic():
            milliseconds = str(max(int(seconds * 1000), 1))
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise ReadTimeout from error
        raise


def within_time(
    table: str, start_from: datetime | None, start_to: datetime | None, *, has_end: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions on start_time, and their params. `has_end` says that `start_to` is included.

    There are always both: a row that starts off Python's calendar would stand elsewhere than its
    cursor says. An index on start_time serves them.
    """
    until = "<=" if has_end or start_to is None else "<"
    return (
        [f"{table}.start_time >= %(start_from)s", f"{table}.start_time {until} %(start_to)s"],
        {"start_from": start_from or FIRST, "start_to": start_to or LAST},
    )


def likely_days(id_: UUID) -> list[date] | None:
    """Return the days on which a run or trace with this id probably lies, or None where it tells none.

    A version 7 id holds the time when it was made; a trace's runs all lie on the trace's day.
    """
    if id_.version != 7:
        return None
    try:
        day = datetime.fromtimestamp((id_.int >> 80) / 1000, UTC).date()
        return [day - timedelta(days=1), day, day + timedelta(days=1)]
    except (OverflowError, ValueError, OSError):
        return None
