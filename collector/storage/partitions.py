"""A partition a day for each hot table. Days that nobody can mean go to the default partition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from psycopg import sql

# In the order in which a drain locks them: making a day then waits for drains, and never in a circle.
HOT_TABLES = ("trace", "run", "payload", "attachment", "trace_terms", "trace_text")
DAYS_AHEAD = 3
# Late traces get a partition of their own for a month; an older day, or one far ahead, is a wrong
# clock more often than a late trace, and each day costs six tables and sixteen indexes.
DAYS_BACK = 31

# Sealing leaves space that only a vacuum gives back; the default waits for a fifth of the table.
PAYLOAD_OPTIONS = (
    "autovacuum_vacuum_scale_factor = 0.1, toast.autovacuum_vacuum_scale_factor = 0.05"
)

_MAKE = ("CREATE TABLE {name} PARTITION OF {parent} FOR VALUES FROM ({day}) TO ({next})",)
_MAKE_WITH_ROWS = (
    "LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
    "CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING STORAGE)",
    "WITH moved AS (DELETE FROM {rest} WHERE day = {day} RETURNING *)"
    " INSERT INTO {name} SELECT * FROM moved",
    "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({next})",
)
_EXTERNAL = "ALTER TABLE {name} ALTER data SET STORAGE EXTERNAL"
_OPTIONS = {
    "payload": (_EXTERNAL, f"ALTER TABLE {{name}} SET ({PAYLOAD_OPTIONS})"),
    "attachment": (_EXTERNAL,),
}

_known: set[date] = set()


def ensure_partitions(days: Iterable[date]) -> int:
    """Make the partitions of the given days that lack them; return how many days were made.

    Rows of such a day that lie in the default partition (a clock that ran ahead) move to the new one.
    Waits at most two seconds for its locks, then raises django.db.OperationalError.
    """
    today = timezone.now().date()
    wanted = {
        day for day in days if day not in _known and -DAYS_BACK <= (day - today).days <= DAYS_AHEAD
    }
    for day in sorted(wanted):
        _make_day(day)
        transaction.on_commit(partial(_known.add, day))  # not before: an outer transaction may fail
    return len(wanted)


def ensure_coming_days() -> int:
    """Make the partitions of today and the days ahead."""
    today = timezone.now().date()
    return ensure_partitions(today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1))


def forget_known_days() -> None:
    """Look at the database again: for tests, and after a day was dropped."""
    _known.clear()


def _make_day(day: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # two processes that meet a new day at once: the second finds the first one's tables
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('runwood partitions'))")
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        for table in HOT_TABLES:
            cursor.execute("SELECT to_regclass(%s)", [f"{table}_{day:%Y%m%d}"])
            if cursor.fetchone()[0] is None:
                _make_partition(cursor, table, day)


def _make_partition(cursor: CursorWrapper, table: str, day: date) -> None:
    names = {
        "name": sql.Identifier(f"{table}_{day:%Y%m%d}"),
        "parent": sql.Identifier(table),
        "rest": sql.Identifier(f"{table}_default"),
        "day": sql.Literal(day.isoformat()),
        "next": sql.Literal((day + timedelta(days=1)).isoformat()),
    }
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {rest} WHERE day = {day})").format(**names))
    statements = _MAKE_WITH_ROWS if cursor.fetchone()[0] else _MAKE
    for statement in (*statements, *_OPTIONS.get(table, ())):
        cursor.execute(sql.SQL(statement).format(**names))
