"""kill -9 of worker, web and Postgres in turn while runs arrive: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

pytestmark = [pytest.mark.live, pytest.mark.faults]

RUNS = 10_000
RUNS_PER_REQUEST = 20
RUNS_PER_TRACE = 10
PATIENCE_SECONDS = 120


def make_requests() -> list[tuple[bytes, list[str]]]:
    """Return (body, run ids): traces whose runs are spread over requests, posts and patches apart."""
    rng = random.Random(7)
    start = datetime.now(UTC)
    operations: list[tuple[str, dict[str, Any]]] = []
    for trace in range(RUNS // RUNS_PER_TRACE):
        root = uuid.UUID(int=rng.getrandbits(128), version=4)
        time_text = (start + timedelta(milliseconds=trace)).strftime("%Y%m%dT%H%M%S%fZ")
        for number in range(RUNS_PER_TRACE):
            run_id = root if number == 0 else uuid.UUID(int=rng.getrandbits(128), version=4)
            order = f"{time_text}{root}" + (f".{time_text}{run_id}" if number else "")
            run = {
                "id": str(run_id),
                "trace_id": str(root),
                "dotted_order": order,
                "session_name": "kills",
            }
            create = run | {
                "name": f"run {number}",
                "run_type": "chain",
                "start_time": start.isoformat(),
                "inputs": {"n": number},
            }
            if number:
                create["parent_run_id"] = str(root)
            operations.append(("post", create))
            operations.append(
                ("patch", run | {"end_time": start.isoformat(), "outputs": {"n": number}})
            )
    rng.shuffle(operations)
    requests = []
    for first in range(0, len(operations), RUNS_PER_REQUEST):
        part = operations[first : first + RUNS_PER_REQUEST]
        body = {kind: [run for k, run in part if k == kind] for kind in ("post", "patch")}
        requests.append((json.dumps(body).encode(), [run["id"] for _, run in part]))
    return requests


class Sender(threading.Thread):
    """Sends requests until each is acknowledged, again and again as a client with patience would."""

    def __init__(self, port: int, key: str, requests: list[bytes], sent: list[int]) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.requests, self.sent = port, key, requests, sent
        self.statuses: dict[int, int] = {}

    def run(self) -> None:
        for body in self.requests:
            end = time.monotonic() + PATIENCE_SECONDS
            while self._send(body) != 202 and time.monotonic() < end:
                time.sleep(0.1)
            self.sent[0] += 1

    def _send(self, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        headers = {"x-api-key": self.key, "Content-Type": "application/json"}
        try:
            connection.request("POST", "/runs/batch", body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0  # nobody answered: it may or may not be stored, so it is sent again
        finally:
            connection.close()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status


def test_every_acknowledged_run_is_stored_once_whatever_is_killed(runwood: Any) -> None:
    key = runwood.api_key("ingest")
    requests = make_requests()
    sent = [0]
    shares = [[body for body, _ in requests[n::4]] for n in range(4)]
    senders = [Sender(runwood.port, key, share, sent) for share in shares]
    for sender in senders:
        sender.start()
    for kill, part in enumerate(["worker", "web", "postgres"] * 3):
        wait_until(lambda kill=kill: sent[0] >= len(requests) * (kill + 1) // 12)
        for pid in runwood.pids()[part]:
            with suppress(ProcessLookupError):  # a leader's end takes its group along
                os.kill(pid, signal.SIGKILL)
    for sender in senders:
        sender.join()
    statuses = {status for sender in senders for status in sender.statuses}
    with psycopg.connect(runwood.dsn, autocommit=True) as database:
        wait_until(lambda: database.execute("SELECT count(*) FROM inbox").fetchone() == (0,))
        stored = database.execute(
            "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE status = 'success'),"
            " count(*) FILTER (WHERE inputs_preview <> '' AND outputs_preview <> '') FROM run"
            " WHERE project_id = (SELECT id FROM collector_project WHERE name = 'kills')"
        ).fetchone()
        totals = database.execute(
            "SELECT count(*), sum(run_count), sum(ended_count), bool_and(has_root) FROM trace"
            " WHERE project_id = (SELECT id FROM collector_project WHERE name = 'kills')"
        ).fetchone()
        buried = database.execute("SELECT count(*) FROM dead_letter").fetchone()
    assert stored == (RUNS, RUNS, RUNS, RUNS)
    assert totals == (RUNS // RUNS_PER_TRACE, RUNS, RUNS, True)
    assert buried == (0,)
    assert statuses <= {0, 202, 503}


def wait_until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.05)
