"""/healthz and /readyz: green, and red for each reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client

from collector.api import health

pytestmark = pytest.mark.django_db


def report_worker(age: timedelta = timedelta()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO worker_heartbeat (name, seen_at) VALUES (%s, %s)",
            [f"worker-{uuid4()}", datetime.now(UTC) - age],
        )


def put_inbox_row(age: timedelta, not_before: datetime | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbox (project_id, received_at, not_before, run_count, size_bytes, body)"
            " VALUES (%s, %s, %s, 1, 0, '')",
            [uuid4(), datetime.now(UTC) - age, not_before],
        )


def ask(client: Client) -> tuple[int, list[str]]:
    response = client.get("/readyz")
    return response.status_code, [reason.partition(":")[0] for reason in response.json()["reasons"]]


def test_a_live_process_says_so_without_asking_the_database(
    client: Client, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert client.get("/healthz").json() == {"status": "ok"}


def test_a_working_installation_is_ready(client: Client) -> None:
    report_worker()
    put_inbox_row(timedelta(seconds=30))
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "reasons": []})


def test_without_a_worker_it_is_not_ready(client: Client) -> None:
    assert ask(client) == (503, ["worker"])


def test_with_a_worker_that_fell_silent_it_is_not_ready(client: Client) -> None:
    report_worker(timedelta(seconds=61))
    assert ask(client) == (503, ["worker"])


def test_one_lively_worker_is_enough(client: Client) -> None:
    report_worker(timedelta(days=1))
    report_worker()
    assert ask(client) == (200, [])


def test_runs_that_wait_for_over_a_minute_make_it_not_ready(client: Client) -> None:
    report_worker()
    put_inbox_row(timedelta(seconds=61))
    assert ask(client) == (503, ["inbox"])


def test_a_row_that_was_put_off_is_not_overdue(client: Client) -> None:
    report_worker()
    put_inbox_row(timedelta(hours=1), not_before=datetime.now(UTC) + timedelta(seconds=30))
    put_inbox_row(timedelta(hours=1), not_before=datetime.now(UTC) - timedelta(seconds=30))
    assert ask(client) == (200, [])


def test_every_reason_is_given(client: Client) -> None:
    put_inbox_row(timedelta(seconds=61))
    assert ask(client) == (503, ["inbox", "worker"])


def test_a_database_that_is_away_is_a_reason_and_no_error(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused: secret-host")

    monkeypatch.setattr(health, "_probe", refuse)
    assert ask(client) == (503, ["database"])
    assert "secret-host" not in client.get("/readyz").content.decode()


def test_a_missing_migration_makes_it_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_worker()
    monkeypatch.setattr(health, "_migrated", type(health._migrated)())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    assert ask(client) == (503, ["migrations"])


def test_the_probe_does_not_wait_for_a_slow_database(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_MILLISECONDS", 20)
    monkeypatch.setattr(health, "PROBE", "SELECT now(), now(), now() FROM pg_sleep(30)")
    assert ask(client) == (503, ["database"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_cannot_be_posted_to(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
