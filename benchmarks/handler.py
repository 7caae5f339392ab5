"""What a handler costs an app: `python -m benchmarks.handler [--runs N] [--rounds N]` prints tables (JSON with --json).

A real chain (prompt, fake chat model, parser; 4 runs and 8 events of 2 KB an invocation) runs with no handler, with an
empty one, with ours, and with those of LangSmith, Langfuse and OpenInference, each set up as its documentation says
and sending to a sink on loopback (`sink.py`). Every figure comes from a process of its own (`traced_app.py`). Times
are taken one process after the other, handlers interleaved in rounds, and compared within a round; medians are
printed. Memory, and what a server that is away does, are taken several processes at once, since nothing there is
timed but waiting.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.server import free_port
from benchmarks.sink import running_sink
from benchmarks.traced_app import EVENTS_PER_INVOKE, HANDLERS, RUNS_PER_INVOKE

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = ("RUNWOOD_", "LANGSMITH_", "LANGCHAIN_", "LANGFUSE_", "OTEL_")
PATIENCE_SECONDS = 60.0  # after the app's work: a process that has not ended then is killed
BASE, OURS = "no handler", "runwood"
PACKAGES = ("langchain-core", "langsmith", "langfuse", "openinference-instrumentation-langchain",
            "opentelemetry-sdk")  # fmt: skip
WITHOUT_RATIO = ("received", "growth")
MIB = 1 << 20
Result = dict[str, float]

UNITS = {
    "invocation": "invocation, app thread, wall µs",
    "wall": "added an event, app thread, wall µs",
    "thread": "added an event, app thread, CPU µs",
    "process": "added a run, all threads, CPU µs",
    "async_waiting": "async, model of 100 ms, added wall %",
    "async_busy": "async, model of 0 ms, added wall %",
    "bytes": "bytes sent a run",
    "received": "runs that arrived, %",
    "growth": "memory growth, MiB",
    "exit_up": "exit, server up, s",
    "exit_refused": "exit, connection refused, s",
    "exit_silent": "exit, server never answers, s",
    "peak_refused": "peak memory, refused, MiB",
    "peak_silent": "peak memory, never answers, MiB",
}


# --- one process ----------------------------------------------------------------------------------
def environment() -> dict[str, str]:
    """Return ours, without what would switch a tracer on or lead it elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client' / 'src'}"}


def run_app(measure: str, handler: str, url: str, *more: str) -> Result:
    """Run one measure in a process of its own; add how long it took to end, and its peak memory."""
    command = [sys.executable, "-m", "benchmarks.traced_app", measure, handler, url, *more]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=output, stderr=errors
        )
        usage = wait_for_end(process, output.fileno())
        ended = time.monotonic()
        output.seek(0)
        errors.seek(0)
        text = output.read()
        if not text:
            raise RuntimeError(f"{handler}, {measure}:\n{errors.read()[-2000:].decode()}")
    result: Result = json.loads(text)
    return result | {"exit": ended - result["left_at"], "peak": usage.ru_maxrss * 1024}


def wait_for_end(process: subprocess.Popen[bytes], output: int) -> Any:
    """Wait for the process, PATIENCE_SECONDS at most after its work is done, and return its usage."""
    done_at = None
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if done_at is None and os.fstat(output).st_size:
            done_at = time.monotonic()
        if done_at is not None and time.monotonic() - done_at > PATIENCE_SECONDS:
            os.kill(process.pid, signal.SIGKILL)  # Popen.kill might reap it, and its usage
        time.sleep(0.005)


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- the three measures ---------------------------------------------------------------------------
def measure_times(handler: str) -> Result:
    with running_sink(keep=True) as sink:
        result = run_app("times", handler, sink.url)
        came = sink.count()
    return result | {
        "bytes": came["bytes"] / result["runs"],
        "received": came["runs"] / result["runs"] * 100,
    }


def measure_memory(handler: str, runs: int) -> Result:
    with running_sink(keep=False) as sink:
        result = run_app("memory", handler, sink.url, str(runs))
    return {"growth": (result["rss_late"] - result["rss_early"]) / MIB}


def measure_refused(handler: str) -> Result:
    result = run_app("down", handler, f"http://127.0.0.1:{free_port()}")
    return {
        "exit_refused": result["exit"],
        "peak_refused": (result["peak"] - result["rss_before"]) / MIB,
    }


def measure_silent(handler: str) -> Result:
    with silent_server() as url:
        result = run_app("down", handler, url)
    return {
        "exit_silent": result["exit"],
        "peak_silent": (result["peak"] - result["rss_before"]) / MIB,
    }


def added(result: Result, base: Result) -> Result:
    """Return what a handler costs over none, of two results of one round."""
    return {
        "invocation": result["wall"] * 1e6,
        "wall": (result["wall"] - base["wall"]) / EVENTS_PER_INVOKE * 1e6,
        "thread": (result["thread"] - base["thread"]) / EVENTS_PER_INVOKE * 1e6,
        "process": (result["process"] - base["process"]) / RUNS_PER_INVOKE * 1e6,
        "async_waiting": (result["async_waiting"] / base["async_waiting"] - 1) * 100,
        "async_busy": (result["async_busy"] / base["async_busy"] - 1) * 100,
        "bytes": result["bytes"],
        "received": result["received"],
        "exit_up": result["exit"],
    }


def in_rounds(rounds: int) -> dict[str, Result]:
    """Return the medians of each handler's costs."""
    found: dict[str, list[Result]] = {handler: [] for handler in HANDLERS}
    for number in range(rounds):
        note(f"times, round {number + 1} of {rounds}")
        results = {handler: measure_times(handler) for handler in HANDLERS}
        for handler, result in results.items():
            found[handler].append(added(result, results[BASE]))
    return {
        handler: {name: statistics.median(one[name] for one in several) for name in several[0]}
        for handler, several in found.items()
    }


def at_once(runs: int) -> dict[str, Result]:
    """Return memory, and what a server that is away does, of each handler."""
    note(f"servers that are away, and memory over {runs:,} runs")
    found: dict[str, list[Future[Result]]] = {handler: [] for handler in HANDLERS}
    with ThreadPoolExecutor(2) as busy, ThreadPoolExecutor(4) as waiting:
        for handler in reversed(HANDLERS):  # the slow ones first
            found[handler].append(waiting.submit(measure_silent, handler))
            found[handler].append(waiting.submit(measure_refused, handler))
            found[handler].append(busy.submit(measure_memory, handler, runs))
    return {
        handler: {name: value for one in several for name, value in one.result().items()}
        for handler, several in found.items()
    }


def measure(runs: int, rounds: int) -> dict[str, Any]:
    begun = time.monotonic()
    load = os.getloadavg()[0]
    timed, other = in_rounds(rounds), at_once(runs)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": load,
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "memory_runs": runs,
        "rounds": rounds,
        "handlers": {handler: timed[handler] | other[handler] for handler in HANDLERS},
        "seconds": time.monotonic() - begun,
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


# --- printing -------------------------------------------------------------------------------------
def show(result: dict[str, Any]) -> None:
    handlers: dict[str, Result] = result["handlers"]
    packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items())
    print(f"{result['machine']}, load {result['load_before']:.1f} before; {packages}")
    print(f"{result['rounds']} rounds, memory over {result['memory_runs']:,} runs\n")
    rows = {name: {handler: handlers[handler][name] for handler in HANDLERS} for name in UNITS}
    show_table("measured", rows)
    for title, other in (("times runwood", OURS), ("times no handler", BASE)):
        ratios = {
            name: ratios_to(other, row) for name, row in rows.items() if name not in WITHOUT_RATIO
        }
        show_table(title, {name: row for name, row in ratios.items() if any(row.values())})
    print(
        f"An exit of {PATIENCE_SECONDS:.0f} s had not ended by then. All took {result['seconds']:.0f} s."
    )


def ratios_to(other: str, row: dict[str, float]) -> dict[str, float | None]:
    """Return each value over another's, and None where that is nothing to divide by."""
    base = row[other]
    return {handler: value / base if base > 0.01 else None for handler, value in row.items()}


def show_table(title: str, rows: dict[str, dict[str, Any]]) -> None:
    print(f"{title:38}" + "".join(f"{handler:>15}" for handler in HANDLERS))
    for name, row in rows.items():
        print(f"{UNITS[name]:38}" + "".join(f"{shown(row[handler]):>15}" for handler in HANDLERS))
    print()


def shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=50_000, help="for memory alone; up to 1,000,000"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the times")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.runs, options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
