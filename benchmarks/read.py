"""What reading costs: `python -m benchmarks.read [--runs N] [--rounds N]` prints a table (and JSON with --json).

Agent traces (`workload.py`) of a week go to a server of our own through the real ingest path, with feedback on some
of them; then the API is asked over HTTP, one request at a time, by one client: the newest 100 runs, each documented
filter, one run, statistics. Every figure is the time until the whole answer is there, in milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import zstandard

from benchmarks.ingest import BATCH, percentile, seal_all, send_all, show, wait_for_runs
from benchmarks.server import Server, running_server
from benchmarks.workload import batches

DAYS = 7
RUNS_PER_TRACE = 20  # about: it only spreads the traces over the days
BODIES_AT_ONCE = 500
FEEDBACK_EVERY = 5_000  # runs: one trace in 250 is judged
LIST_FIELDS = ["name", "run_type", "start_time", "end_time", "status", "error", "total_tokens",
               "total_cost", "inputs_preview", "outputs_preview", "tags", "trace_id"]  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One request of a client that reads."""

    name: str
    method: str
    path: str
    body: dict[str, Any] | None = None


class Reader:
    """One client on one connection."""

    def __init__(self, server: Server, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"x-api-key": key, "Content-Type": "application/json"}

    def ask(self, question: Question) -> Any:
        body = None if question.body is None else json.dumps(question.body)
        self.connection.request(question.method, f"/api/v1{question.path}", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{question.name}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def time(self, question: Question, rounds: int) -> dict[str, float]:
        self.ask(question)
        seconds = []
        for _ in range(rounds):
            begin = time.perf_counter()
            answer = self.ask(question)
            seconds.append((time.perf_counter() - begin) * 1000)
        found = len(answer["runs"]) if isinstance(answer, dict) and "runs" in answer else 1
        return {
            "p50": statistics.median(seconds),
            "p95": percentile(seconds, 0.95),
            "found": float(found),
        }


def load(server: Server, key: str, runs: int, database: psycopg.Connection[Any]) -> None:
    """Send the runs in portions, so that they need not all be in memory."""
    compressor = zstandard.ZstdCompressor(level=1)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    spacing = DAYS * 86_400 / max(runs / RUNS_PER_TRACE, 1)
    bodies = batches(runs, BATCH, project="read", start=start, spacing=spacing)
    sent = 0
    while portion := [
        compressor.compress(body) for body in itertools.islice(bodies, BODIES_AT_ONCE)
    ]:
        send_all(server, key, portion)
        sent += len(portion) * BATCH
        wait_for_runs(database, min(sent, runs))
        print(f"\r{min(sent, runs):,} of {runs:,} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    seal_all(server, database)
    database.execute("VACUUM ANALYZE")


def judge(reader: Reader, database: psycopg.Connection[Any], runs: int) -> None:
    """Send feedback on some of the roots."""
    roots = database.execute(
        "SELECT id FROM trace ORDER BY start_time DESC LIMIT %s", [max(runs // FEEDBACK_EVERY, 4)]
    ).fetchall()
    for number, (run_id,) in enumerate(roots):
        key = ("Correctness", "star_rating")[number % 2]
        body = {"id": str(uuid.uuid4()), "run_id": str(run_id), "trace_id": str(run_id), "key": key,
                "score": float(number % 6)}  # fmt: skip
        reader.ask(Question("feedback", "POST", "/feedback", body))


def filters(database: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, filter): those that LangSmith documents, in words that the runs hold, and rare ones."""
    newest = "SELECT {} FROM trace WHERE thread_id IS NOT NULL ORDER BY start_time {} LIMIT 1"
    ((thread_id, middle),) = database.execute(
        "SELECT thread_id, start_time FROM trace ORDER BY start_time OFFSET (SELECT count(*) / 2 FROM trace) LIMIT 1"
    ).fetchall()
    ((oldest_id,),) = database.execute(newest.format("id", "ASC")).fetchall()
    ((user_id,),) = database.execute(newest.format("user_id", "ASC")).fetchall()
    since = middle.isoformat()
    yield "roots", "eq(is_root, true)"
    yield "roots that ended", 'and(eq(is_root, true), neq(status, "pending"))'
    yield (
        "slow and long chains",
        'and(eq(run_type, "chain"), gt(latency, 10), gt(total_tokens, 5000))',
    )
    yield "latency as a duration", 'gt(latency, "5s")'
    yield "failed", "neq(error, null)"
    yield (
        "failed or judged wrong",
        f'and(gt(start_time, "{since}"), or(neq(error, null), and(eq(feedback_key, "Correctness"), eq(feedback_score, 0.0))))',
    )
    yield (
        "either of two tags, and slow",
        'and(or(has(tags, "support_agent"), has(tags, "refund_flow")), gt(latency, 2))',
    )
    yield (
        "tags that nothing has",
        'and(or(has(tags, "experimental"), has(tags, "beta")), gt(latency, 2))',
    )
    yield "judged well", 'and(eq(feedback_key, "star_rating"), gt(feedback_score, 4))'
    yield "words anywhere", 'search("expression statement")'
    yield "words in the name", 'search(name, "agent")'
    yield "frequent metadata", 'and(eq(metadata_key, "env"), eq(metadata_value, "prod"))'
    yield "rare metadata", f'and(eq(metadata_key, "user_id"), eq(metadata_value, "{user_id}"))'
    yield (
        "thread by its metadata",
        f'and(in(metadata_key, ["session_id","conversation_id","thread_id"]), eq(metadata_value, "{thread_id}"))',
    )
    yield "metadata contains", 'has(metadata, \'{"langgraph_node": "tools"}\')'
    yield "thread", f'eq(thread_id, "{thread_id}")'
    yield (
        "words in an input",
        'and(eq(name, "search_docs"), and(eq(input_key, "input"), like(input_value, "%object%")))',
    )
    yield (
        "input that nothing has",
        'and(eq(name, "extractor"), and(eq(input_key, "messages.content"), like(input_value, "%refund%")))',
    )
    yield "names", 'in(name, ["ChatOpenAI", "ChatAnthropic"])'
    yield "without a tag", 'not(has(tags, "langsmith:hidden"))'
    yield "by id", f'eq(id, "{oldest_id}")'


def questions(
    session_id: str, run_id: str, database: psycopg.Connection[Any]
) -> Iterator[Question]:
    """Yield everything that is asked."""
    session = {"session": [session_id], "limit": 100}
    yield Question(
        "newest 100, for a list", "POST", "/runs/query", session | {"select": LIST_FIELDS}
    )
    yield Question("newest 100, with payloads", "POST", "/runs/query", session)
    for name, text in filters(database):
        body = session | {"filter": text, "select": LIST_FIELDS}
        yield Question(f"filter: {name}", "POST", "/runs/query", body)
    yield Question(
        "roots of failed traces", "POST", "/runs/query",
        session | {"is_root": True, "tree_filter": "neq(error, null)", "select": LIST_FIELDS},
    )  # fmt: skip
    yield Question("one run", "GET", f"/runs/{run_id}")
    yield Question("a page of projects", "GET", "/sessions?limit=100")
    of_project = {"session": [session_id]}
    yield Question("statistics: all runs", "POST", "/runs/stats", of_project)
    yield Question("statistics: roots", "POST", "/runs/stats", of_project | {"is_root": True})
    yield Question(
        "statistics: model calls", "POST", "/runs/stats", of_project | {"run_type": "llm"}
    )
    yield Question(
        "statistics: by name",
        "POST",
        "/runs/stats",
        of_project | {"group_by": {"attribute": "name"}},
    )
    yield Question("statistics: a project's", "GET", f"/sessions/{session_id}?include_stats=true")
    yield Question("threads", "POST", "/runs/group", {"session_id": session_id, "limit": 50})


def measure(runs: int, rounds: int) -> dict[str, Any]:
    with running_server() as server:
        key = server.manage("create_api_key", "benchmark")
        reader = Reader(server, key)
        with psycopg.connect(server.dsn, autocommit=True) as database:
            load(server, key, runs, database)
            judge(reader, database, runs)
            time.sleep(2)
            rows = database.execute(
                "SELECT project_id, id FROM trace ORDER BY start_time DESC LIMIT 1"
            )
            ((session_id, run_id),) = rows.fetchall()
            asked = list(questions(str(session_id), str(run_id), database))

        return {"runs": runs} | {question.name: reader.time(question, rounds) for question in asked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.runs, options.rounds)
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
