"""psycopg's connection under Django's, and rows into it by binary COPY. The transaction is Django's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql


def raw_connection() -> psycopg.Connection[Any]:
    """Return the connection that Django's ORM uses in this thread."""
    connection.ensure_connection()
    raw = connection.connection
    assert isinstance(raw, psycopg.Connection)
    return raw


def names(columns: Sequence[str], prefix: str = "") -> sql.Composed:
    """Return a comma separated list of quoted column names."""
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(column) for column in columns)


def copy_rows(
    cursor: psycopg.Cursor[Any],
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """COPY rows, whose values stand in the order of `columns`, into a table."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), names(columns)
    )
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for values in rows:
            copy.write_row(values)
