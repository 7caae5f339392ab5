"""What ingest costs: `python -m benchmarks.ingest [--runs N]` prints a table (and JSON with --json).

Agent traces (`workload.py`) go to a server of our own through POST /runs/batch, zstd, 100 runs a request, from
several senders. Measured in one run, so that the machine's mood cancels out: acknowledged and queryable runs a
second, CPU of web, worker and Postgres apart, bytes on disk once sealed, and a bare one-connection COPY of the same
runs into a jsonb table of the same Postgres. A second pass at half of the rate gives the latencies.
"""

from __future__ import annotations

import argparse
import http.client
import json
import platform
import statistics
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import zstandard

from benchmarks.server import PARTS, Server, running_server
from benchmarks.workload import batches

BATCH = 100
SENDERS = 4


def send_all(
    server: Server, key: str, bodies: Sequence[bytes], *, requests_per_second: float | None = None
) -> list[float]:
    """POST every body from SENDERS connections and return the seconds that each answer took."""
    seconds: list[float] = [0.0] * len(bodies)
    started = time.perf_counter()
    position = iter(range(len(bodies)))
    lock = threading.Lock()

    def sender() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        headers = {"x-api-key": key, "Content-Type": "application/json", "Content-Encoding": "zstd"}
        while True:
            with lock:
                index = next(position, None)
            if index is None:
                return
            if requests_per_second:
                time.sleep(max(0.0, started + index / requests_per_second - time.perf_counter()))
            begin = time.perf_counter()
            connection.request("POST", "/runs/batch", bodies[index], headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 202:
                raise RuntimeError(f"{answer.status}: {text[:300]!r}")
            seconds[index] = time.perf_counter() - begin

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def count_runs(database: psycopg.Connection[Any]) -> int:
    row = database.execute("SELECT coalesce(sum(run_count), 0) FROM trace").fetchone()
    assert row is not None
    return int(row[0])


def wait_for_runs(database: psycopg.Connection[Any], wanted: int, patience: float = 600) -> float:
    """Return the time at which `wanted` runs were queryable."""
    end = time.perf_counter() + patience
    while (count := count_runs(database)) < wanted:
        if time.perf_counter() > end:
            raise RuntimeError(f"{count} of {wanted} runs after {patience} s")
        time.sleep(0.05)
    return time.perf_counter()


def copy_into_jsonb(
    database: psycopg.Connection[Any], postgres_cpu: Any, bodies: Sequence[bytes]
) -> dict[str, float]:
    """COPY the same runs as jsonb rows over one connection, a transaction a batch."""
    database.execute("CREATE TABLE bare (id uuid PRIMARY KEY, start_time timestamptz, data jsonb)")
    rows = [
        [(run["id"], run["start_time"], json.dumps(run)) for run in json.loads(body)["post"]]
        for body in bodies
    ]
    cpu, own, begin = postgres_cpu(), time.process_time(), time.perf_counter()
    for batch in rows:
        with database.transaction(), database.cursor().copy("COPY bare FROM STDIN") as copy:
            for row in batch:
                copy.write_row(row)
    wall = time.perf_counter() - begin
    count = sum(map(len, rows))
    size = database.execute("SELECT pg_total_relation_size('bare')").fetchone()
    assert size is not None
    result = {
        "runs_per_second": count / wall,
        "cpu_ms_per_run": (postgres_cpu() - cpu + time.process_time() - own) / count * 1000,
        "bytes_per_run": size[0] / count,
    }
    database.execute("DROP TABLE bare")
    return result


def sizes(database: psycopg.Connection[Any], runs: int) -> dict[str, float]:
    """Return bytes a run of each table with its indexes and TOAST, after a vacuum."""
    database.execute("VACUUM")
    result = {}
    for table in ("run", "trace", "payload", "trace_terms"):
        row = database.execute(
            "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        ).fetchone()
        assert row is not None
        result[table] = float(row[0]) / runs
    return result


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def seal_all(server: Server, database: psycopg.Connection[Any]) -> None:
    database.execute("UPDATE follow_up SET due_at = now()")
    end = time.perf_counter() + 60
    while (
        database.execute("SELECT 1 FROM follow_up LIMIT 1").fetchone() and time.perf_counter() < end
    ):
        time.sleep(0.5)


def measure(runs: int) -> dict[str, Any]:
    compressor = zstandard.ZstdCompressor(level=1)
    plain = list(batches(runs, BATCH, project="peak"))
    bodies = [compressor.compress(body) for body in plain]
    half_runs = max(runs // 4, BATCH)
    half = [compressor.compress(body) for body in batches(half_runs, BATCH, project="half", seed=2)]
    with running_server() as server:
        time.sleep(20)  # imports settled, caches quiet
        idle = server.memory_bytes()
        idle_cpu = _idle_cpu(server)
        key = server.manage("create_api_key", "benchmark")
        with psycopg.connect(server.dsn, autocommit=True) as database:
            warm = [
                compressor.compress(body) for body in batches(2000, BATCH, project="warm", seed=3)
            ]
            send_all(server, key, warm)
            before = wait_for_runs(database, 2000) and count_runs(database)
            cpu, begin = server.cpu_seconds(), time.perf_counter()
            acks = send_all(server, key, bodies)
            acknowledged = time.perf_counter()
            queryable = wait_for_runs(database, before + runs)
            after = server.cpu_seconds()
            seal_all(server, database)
            sealed = server.cpu_seconds()
            disk = sizes(database, before + runs)
            rate = runs / (queryable - begin)
            half_acks = send_all(server, key, half, requests_per_second=rate / BATCH / 2)
            sent = time.perf_counter()
            lag = wait_for_runs(database, before + runs + half_runs) - sent
            bare = copy_into_jsonb(database, lambda: server.cpu_seconds()["postgres"], plain)
    per_run = {part: (after[part] - cpu[part]) / runs * 1000 for part in PARTS}
    return {
        "machine": f"{platform.machine()}, {psutil_cores()} cores, Python {platform.python_version()}",
        "runs": runs,
        "json_bytes_per_run": sum(map(len, plain)) / runs,
        "acknowledged_runs_per_second": runs / (acknowledged - begin),
        "queryable_runs_per_second": rate,
        "ack_ms_at_peak": {
            "p50": statistics.median(acks) * 1000,
            "p99": percentile(acks, 0.99) * 1000,
        },
        "ack_ms_at_half": {
            "p50": statistics.median(half_acks) * 1000,
            "p99": percentile(half_acks, 0.99) * 1000,
        },
        "queryable_after_last_ack_at_half_s": lag,
        "cpu_ms_per_run": per_run | {"total": sum(per_run.values())},
        "cpu_ms_per_run_sealing": sum(sealed[part] - after[part] for part in PARTS) / runs * 1000,
        "bytes_per_run": disk | {"total": sum(disk.values())},
        "bare_jsonb_copy": bare,
        "queryable_over_bare_copy": rate / bare["runs_per_second"],
        "idle_pss_mib": {part: size / 2**20 for part, size in idle.items()}
        | {"total": sum(idle.values()) / 2**20},
        "idle_cpu_percent": idle_cpu,
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def psutil_cores() -> int:
    import os

    return os.cpu_count() or 1


def _idle_cpu(server: Server, window: timedelta = timedelta(seconds=10)) -> float:
    before = sum(server.cpu_seconds().values())
    time.sleep(window.total_seconds())
    return (sum(server.cpu_seconds().values()) - before) / window.total_seconds() * 100


def show(result: dict[str, Any], indent: str = "") -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{name.replace('_', ' ')}")
            show(value, indent + "    ")
        else:
            text = (
                f"{value:,.3f}"
                if isinstance(value, float) and value < 100
                else f"{value:,.0f}"
                if isinstance(value, float)
                else value
            )
            print(f"{indent}{name.replace('_', ' '):<40} {text}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.runs)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
