"""System checks: is this a Postgres that keeps what it acknowledged? `manage.py migrate` runs them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connections

OLDEST_VERSION = 150_000  # the SQL needs nothing newer, and is tested on nothing older

# Off, a crash of the machine may take back or corrupt runs that a client was told are stored.
DURABLE = {"fsync": "W001", "full_page_writes": "W002", "synchronous_commit": "W003"}


@register(Tags.database)
def check_postgres(databases: Collection[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT name, setting FROM pg_settings"
                " WHERE name IN ('server_version_num', 'server_encoding', 'fsync',"
                " 'full_page_writes', 'synchronous_commit')"
            )
            messages += examine_settings(dict(cursor.fetchall()))
    return messages


def examine_settings(settings: dict[str, str]) -> list[CheckMessage]:
    """Return what is wrong with these settings of a server."""
    messages: list[CheckMessage] = []
    if int(settings["server_version_num"]) < OLDEST_VERSION:
        messages.append(Error("Postgres is older than 15.", id="collector.E001"))
    if settings["server_encoding"] != "UTF8":
        messages.append(
            Error(
                f"The database's encoding is {settings['server_encoding']}, not UTF8.",
                hint="Make the database with: createdb --encoding=UTF8 --template=template0",
                id="collector.E002",
            )
        )
    messages += [
        CheckWarning(
            f"Postgres runs with {name} = off: acknowledged runs may be lost in a crash.",
            hint=f"Set {name} = on.",
            id=f"collector.{number}",
        )
        for name, number in DURABLE.items()
        if settings[name] == "off"
    ]
    return messages
