"""What the web server must do with bodies that come in odd ways: read in full, or not at all."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from benchmarks.server import Server

STALLED = 100
CHUNK = 70_001  # no divisor of any buffer


@pytest.fixture(scope="module")
def key(runwood: Server) -> str:
    return runwood.api_key("ingest")


def make_batch(run_id: uuid.UUID, size: int) -> bytes:
    now = datetime.now(UTC)
    run = {
        "id": str(run_id),
        "trace_id": str(run_id),
        "dotted_order": f"{now:%Y%m%dT%H%M%S%fZ}{run_id}",
        "session_name": "bodies",
        "name": "chunked",
        "run_type": "chain",
        "start_time": now.isoformat(),
        "inputs": {"text": "x" * size},
    }
    return json.dumps({"post": [run], "patch": []}).encode()


def chunks(body: bytes) -> Iterator[bytes]:
    for first in range(0, len(body), CHUNK):
        part = body[first : first + CHUNK]
        yield b"%x\r\n%b\r\n" % (len(part), part)


def open_request(server: Server, key: str, *headers: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    lines = ["POST /runs/batch HTTP/1.1", "Host: localhost", f"x-api-key: {key}", *headers]
    connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return connection


def status_of(connection: socket.socket) -> int:
    return int(connection.makefile("rb").readline().split()[1])


def stored_run_ids(server: Server) -> set[uuid.UUID]:
    with psycopg.connect(server.dsn) as database:
        return {row[0] for row in database.execute("SELECT id FROM run WHERE name = 'chunked'")}


def wait_for_run(server: Server, run_id: uuid.UUID) -> None:
    end = time.monotonic() + 30
    while run_id not in stored_run_ids(server):
        assert time.monotonic() < end, "the run was acknowledged and is not there"
        time.sleep(0.2)


def test_a_chunked_body_is_read_in_full(runwood: Server, key: str) -> None:
    run_id = uuid.uuid4()
    with open_request(runwood, key, "Transfer-Encoding: chunked") as connection:
        for chunk in chunks(make_batch(run_id, 3_000_000)):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")
        assert status_of(connection) == 202
    wait_for_run(runwood, run_id)


def test_a_chunked_body_that_breaks_off_is_not_stored(runwood: Server, key: str) -> None:
    # granian ends such a body without an error: that something lacks is for the decoders to see
    broken, whole = uuid.uuid4(), uuid.uuid4()
    with open_request(runwood, key, "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"".join(list(chunks(make_batch(broken, 300_000)))[:-1]))
    with open_request(runwood, key, "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"".join(chunks(make_batch(whole, 10))) + b"0\r\n\r\n")
        assert status_of(connection) == 202
    wait_for_run(runwood, whole)
    assert broken not in stored_run_ids(runwood)


def test_a_body_shorter_than_its_length_is_not_stored(runwood: Server, key: str) -> None:
    broken, whole = uuid.uuid4(), uuid.uuid4()
    body = make_batch(broken, 1_000)
    with open_request(runwood, key, f"Content-Length: {len(body) + 1}") as connection:
        connection.sendall(body)
    body = make_batch(whole, 10)
    with open_request(runwood, key, f"Content-Length: {len(body)}") as connection:
        connection.sendall(body)
        assert status_of(connection) == 202
    wait_for_run(runwood, whole)
    assert broken not in stored_run_ids(runwood)


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Length: 500000"])
def test_stalled_uploads_keep_nobody_waiting(runwood: Server, key: str, header: str) -> None:
    body = make_batch(uuid.uuid4(), 100)
    stalled = [open_request(runwood, key, header) for _ in range(STALLED)]
    try:
        for connection in stalled:
            connection.sendall(b"10\r\n" + body[:16] + b"\r\n")
        started = time.monotonic()
        with open_request(runwood, key, f"Content-Length: {len(body)}") as connection:
            connection.sendall(body)
            status = status_of(connection)
        assert (status, time.monotonic() - started < 2) == (202, True)
    finally:
        for connection in stalled:
            connection.close()
