"""A partition a day for each hot table. Days that nobody can mean go to the default partition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

HOT_TABLES = ("run", "trace", "payload", "attachment")
DAYS_AHEAD = 3
# Late traces get a partition of their own for a month; an older day, or one far ahead, is a wrong
# clock more often than a late trace, and each day costs four tables and ten indexes.
DAYS_BACK = 31

# Sealing leaves space that only a vacuum gives back; the default waits for a fifth of the table.
PAYLOAD_OPTIONS = (
    "autovacuum_vacuum_scale_factor = 0.1, toast.autovacuum_vacuum_scale_factor = 0.05"
)

_known: set[date] = set()


def ensure_partitions(days: Iterable[date]) -> int:
    """Make the partitions of the given days that lack them; return how many days were made.

    Runs in a transaction of its own, before the rows come: a day whose rows already lie in the default
    partition could not get one. Waits at most two seconds for its locks.
    """
    today = timezone.now().date()
    wanted = {
        day for day in days if day not in _known and -DAYS_BACK <= (day - today).days <= DAYS_AHEAD
    }
    for day in sorted(wanted):
        _make_day(day)
        _known.add(day)
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
            name = f"{table}_{day:%Y%m%d}"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is not None:
                continue
            cursor.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(name),
                    sql.Identifier(table),
                    sql.Literal(day.isoformat()),
                    sql.Literal((day + timedelta(days=1)).isoformat()),
                )
            )
            if table in ("payload", "attachment"):
                cursor.execute(
                    sql.SQL("ALTER TABLE {} ALTER data SET STORAGE EXTERNAL").format(
                        sql.Identifier(name)
                    )
                )
            if table == "payload":
                cursor.execute(
                    sql.SQL("ALTER TABLE {} SET ({})").format(
                        sql.Identifier(name), sql.SQL(PAYLOAD_OPTIONS)
                    )
                )
