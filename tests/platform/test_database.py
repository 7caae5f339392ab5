from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection

from collector.models import Project, Workspace


@pytest.mark.django_db
def test_migrations_make_the_hot_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('run'), to_regclass('inbox'), to_regnamespace('pgmq')")
        assert cursor.fetchone() == ("run", "inbox", "pgmq")


def test_committed_rows_are_seen_by_another_connection(store: None, project: Project) -> None:
    import psycopg

    with psycopg.connect(settings.DATABASE_DIRECT_URL) as other:
        assert other.execute("SELECT name FROM collector_project").fetchall() == [(project.name,)]


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_store_starts_empty(store: None, attempt: int) -> None:
    Workspace.objects.create(name="only one of this name")
    assert Workspace.objects.count() == 1
