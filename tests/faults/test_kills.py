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
import requests

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


def test_a_worker_that_is_killed_between_the_move_to_a_late_parent_and_its_write_loses_nothing(
    runwood: Any,
) -> None:
    root, step, child, judgement = (str(uuid.uuid4()) for _ in range(4))
    headers, dsn = {"x-api-key": runwood.api_key("ingest")}, runwood.dsn
    with psycopg.connect(dsn, autocommit=True) as database, psycopg.connect(dsn) as blocker:

        def has(query: str, *parameters: str) -> bool:
            return bool(database.execute(f"SELECT EXISTS ({query})", parameters).fetchone()[0])

        alone = run_of(child, parent_run_id=step)
        assert requests.post(f"{runwood.url}/runs", json=alone, headers=headers).status_code == 202
        database.execute(
            "UPDATE inbox SET received_at = received_at - interval '2 minutes', not_before = NULL"
        )
        wait_until(lambda: has("SELECT 1 FROM provisional_trace WHERE trace_id = %s", step))
        # the write of the parent, and not the move, waits for the end of this transaction
        blocker.execute(
            "INSERT INTO feedback (project_id, id, created_at, modified_at, key)"
            " SELECT project_id, %s, now(), now(), 'k' FROM run WHERE id = %s",
            [judgement, child],
        )
        orders = [f"20261124T120000000000Z{root}", f"20261124T120000000000Z{step}"]
        place = {"trace_id": root, "dotted_order": ".".join(orders), "parent_run_id": root}
        parts = {
            f"post.{root}": run_of(root, trace_id=root, dotted_order=orders[0]),
            f"post.{step}": run_of(step, **place),
            f"feedback.{judgement}": {"key": "k", "run_id": step},
        }
        files = {name: (None, json.dumps(part), "application/json") for name, part in parts.items()}
        answer = requests.post(f"{runwood.url}/runs/multipart", files=files, headers=headers)
        assert answer.status_code == 202
        wait_until(
            lambda: has(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO feedback%%'"
            )
        )
        assert not has("SELECT 1 FROM run WHERE id = %s", step)
        assert has("SELECT 1 FROM run WHERE id = %s AND trace_id = %s", child, root)  # moved
        for pid in runwood.pids()["worker"]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        blocker.rollback()
        wait_until(lambda: not has("SELECT 1 FROM inbox"))
        assert database.execute(
            "SELECT run_count, has_root FROM trace WHERE id = ANY(%s)", [[root, step, child]]
        ).fetchall() == [(3, True)]
        assert has("SELECT 1 FROM feedback WHERE id = %s AND run_id = %s", judgement, step)


def run_of(run_id: str, **fields: str) -> dict[str, Any]:
    """Return a run of the project that what is placed by a guess goes to."""
    start = "2026-11-24T12:00:00+00:00"
    named = {"id": run_id, "name": "run", "run_type": "chain", "session_name": "default"}
    return named | {"start_time": start, "end_time": start, "inputs": {}} | fields


def wait_until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.05)
