"""Bodies that do not come: they are cut off and told why, and hold nothing that others need."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from collector import inbox
from collector.api import ingest
from collector.api.ingest import MAX_DRAINED_OF_STRANGERS
from config import uploads
from config.uploads import BodyTooSlow, Upload
from tests.api.ingesting import Sender, run_fields


class Source:
    """WSGI's input over a real connection: it blocks until all of `size` is there, or the end."""

    def __init__(self, connection: socket.socket) -> None:
        self.file = connection.makefile("rb")

    def read(self, size: int) -> bytes:
        return self.file.read(size)

    readline = read


class Endless:
    """A body that never ends."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b" " * size

    readline = read


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sender,
        listener.accept()[0] as receiver,
    ):
        yield sender, receiver


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(10)
def test_a_read_that_nothing_comes_for_is_ended() -> None:
    with connected() as (_, receiver), pytest.raises(BodyTooSlow):
        Upload(Source(receiver), 0.3).read(100)


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(10)
def test_a_body_that_drips_is_ended() -> None:
    with connected() as (sender, receiver):
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.02):
                sender.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            with pytest.raises(BodyTooSlow):
                Upload(Source(receiver), 0.3).read(100_000)
        finally:
            stop.set()
            dripping.join()


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(10)
def test_connections_that_are_answered_stay() -> None:
    with connected() as (_, stalled), connected() as (reader, page):
        stop = threading.Event()

        def answer() -> None:
            while not stop.wait(0.05):
                page.sendall(b"x")

        answering = threading.Thread(target=answer)
        answering.start()
        try:
            with pytest.raises(BodyTooSlow):
                Upload(Source(stalled), 0.4).read(100)
        finally:
            stop.set()
            answering.join()
        reader.sendall(b"still there")
        assert page.recv(100) == b"still there"


def test_a_body_that_comes_steadily_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = Upload(Endless(), 30)
    upload.read(3 << 20)
    assert not upload.is_overdue(time.monotonic() + 200)
    assert upload.is_overdue(time.monotonic() + 230)


@pytest.mark.django_db
def test_a_body_that_came_too_slowly_is_told_so(
    client: Client, make_api_key: Callable[..., str]
) -> None:
    upload = Upload(Endless(), -1e9)
    response = post(client, upload, make_api_key("ingest"))
    assert (response.status_code, response.json()["code"]) == (408, "body_too_slow")


@pytest.mark.django_db
def test_little_is_read_from_strangers(client: Client) -> None:
    source = Endless()
    assert post(client, source, "no key of ours").status_code == 401
    assert source.taken <= MAX_DRAINED_OF_STRANGERS


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(20)
def test_a_database_that_hangs_is_told_as_503(
    client: Client, make_api_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(15)")

    sender = Sender(client, make_api_key("ingest"))
    monkeypatch.setattr(inbox, "accept", hang)
    monkeypatch.setattr(ingest, "DATABASE_SECONDS", 0.5)
    response = sender.batch(run_fields())
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    connection.close()


@pytest.mark.django_db
def test_a_defect_is_json_and_its_log_repeats_no_content(
    client: Client,
    make_api_key: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    word = "secret"

    def fail(*args: Any) -> None:
        raise RuntimeError(f"a customer's {word}")

    monkeypatch.setattr(inbox, "accept", fail)
    with caplog.at_level(logging.ERROR):
        response = Sender(client, make_api_key("ingest")).batch(run_fields())
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "RuntimeError" in caplog.text
    assert "in fail" in caplog.text
    assert "customer's secret" not in caplog.text


def post(client: Client, source: Any, key: str) -> Any:
    return client.generic(
        "POST",
        "/runs/batch",
        b"x",
        "application/json",
        headers={"X-API-Key": key},
        CONTENT_LENGTH="30000000",
        **{"wsgi.input": source},
    )
