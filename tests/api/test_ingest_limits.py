"""Limits: what is too large for ever is 413, what is too much for now is 503 with Retry-After."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, InternalError, OperationalError
from django.http import UnreadablePostError
from django.test import Client
from psycopg_pool import PoolTimeout

from collector import inbox
from collector.api.errors import exception_handler
from collector.api.memory import TooManyInFlight, in_flight
from collector.inbox import InboxFull
from collector.models import Project
from tests.api.ingesting import RUN_ID, SIBLING_ID, Sender, inbox_count, run_fields

pytestmark = pytest.mark.django_db


@pytest.fixture
def sender(client: Client, make_api_key: Callable[..., str]) -> Sender:
    return Sender(client, make_api_key("ingest"))


def assert_refused_for_good(response: Any, detail: str) -> None:
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert detail in response.json()["detail"]
    assert "Retry-After" not in response.headers
    assert inbox_count() == 0


def assert_put_off(response: Any, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (503, code)
    assert response.headers["Retry-After"] == "30"


def test_a_body_past_the_limit_is_refused_unread(sender: Sender, settings: Any) -> None:
    settings.INGEST_MAX_BODY_BYTES = 100
    response = sender.send("/runs/batch", b" " * 101)
    assert_refused_for_good(response, "more than 100 bytes (setting RUNWOOD_MAX_BODY_BYTES)")


def test_too_many_runs_are_refused(sender: Sender, settings: Any) -> None:
    settings.INGEST_MAX_RUNS = 1
    response = sender.batch(run_fields(), run_fields(SIBLING_ID))
    assert_refused_for_good(response, "more than 1 runs (setting RUNWOOD_MAX_RUNS_PER_REQUEST)")


def test_too_many_json_values_are_refused(sender: Sender) -> None:
    response = sender.send("/runs", b'{"inputs":[%s1]}' % (b"1," * 2_000_000))
    assert_refused_for_good(response, "more than 2,000,000 JSON values")


def test_a_run_past_its_limit_costs_no_sibling(
    sender: Sender, project: Project, settings: Any
) -> None:
    settings.INGEST_MAX_RUN_BYTES = 1000
    response = sender.batch(run_fields(inputs="x" * 1000), run_fields(SIBLING_ID))
    assert response.status_code == 202
    assert response.json()["rejected"] == [
        {
            "id": str(RUN_ID),
            "reason": "The run has 1,002 bytes; the limit is 1,000.",
            "code": "item_too_large",
        }
    ]


def test_a_full_inbox_is_told_before_the_body_is_read(
    sender: Sender, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BACKLOG_CHECK_SECONDS", 0.0)
    settings.INGEST_MAX_INBOX_BYTES = -1
    assert_put_off(sender.send("/runs/batch", b"not even JSON"), "inbox_full")


def test_more_bytes_than_may_be_in_flight_are_put_off(sender: Sender, settings: Any) -> None:
    settings.INGEST_MAX_IN_FLIGHT_BYTES = 1000
    with in_flight.account() as other:
        other.take(900)
        assert_put_off(sender.batch(run_fields()), "too_many_in_flight")


def test_one_request_alone_may_always_go_on(
    sender: Sender, project: Project, settings: Any
) -> None:
    settings.INGEST_MAX_IN_FLIGHT_BYTES = 10
    assert sender.batch(run_fields()).status_code == 202


def test_what_was_in_flight_is_given_back(sender: Sender, project: Project) -> None:
    sender.batch(run_fields())
    sender.send("/runs/batch", b"nonsense")
    assert in_flight.held == 0


def test_the_account_holds_under_many_threads(settings: Any) -> None:
    settings.INGEST_MAX_IN_FLIGHT_BYTES = 50
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(200):
            try:
                with in_flight.account() as account:
                    account.take(20)
                    most = max(most, in_flight.held)
            except TooManyInFlight:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (in_flight.held, most <= 50) == (0, True)


@pytest.mark.parametrize(
    "error",
    [
        InboxFull(),
        TooManyInFlight(),
        OperationalError("server closed the connection unexpectedly"),
        InterfaceError("connection already closed"),
        InternalError("cannot execute INSERT in a read-only transaction"),
        PoolTimeout("couldn't get a connection after 2.00 sec"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_put_off(error: Exception) -> None:
    response = exception_handler(error, {})
    assert response is not None
    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert set(response.data) == {"detail", "code"}


def test_a_client_that_goes_away_is_no_error_of_ours() -> None:
    response = exception_handler(UnreadablePostError("connection reset"), {})
    assert response is not None
    assert (response.status_code, response.data["code"]) == (400, "truncated_body")


def test_a_database_that_does_not_confirm_is_put_off(
    sender: Sender, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("the connection is lost at COMMIT")

    monkeypatch.setattr(inbox, "put", fail)
    assert_put_off(sender.send("/runs", json.dumps(run_fields()).encode()), "database_unavailable")
