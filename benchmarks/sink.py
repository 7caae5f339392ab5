"""A server that takes whatever a tracing client sends, and counts: `python -m benchmarks.sink`.

It speaks to Runwood's client, to LangSmith's SDK (which first asks `GET /info`) and to OTLP exporters, answers each as
its own server would, and so at once. It prints its port, and ends when its stdin does. `GET /count` says what came:
requests, bytes of their bodies as they were on the wire, and the distinct runs in them (with `keep` as an argument,
since it then holds every body until it is asked).
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard

# What LangSmith's cloud says of itself: multipart and zstd, its cheapest way.
INFO = {
    "version": "0.10.0",
    "batch_ingest_config": {
        "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20 << 20,
        "scale_up_qsize_trigger": 1000, "scale_up_nthreads_limit": 16, "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": True, "gzip_body_enabled": True},
}  # fmt: skip
CREATED_PART = re.compile(rb'name="post\.([0-9a-f-]{36})"')


class Counts:
    """What has come so far."""

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        self.requests = 0
        self.bytes = 0
        self.bodies: list[tuple[str, str, bytes]] = []
        self.lock = threading.Lock()

    def add(self, path: str, encoding: str, body: bytes) -> None:
        with self.lock:
            self.requests += 1
            self.bytes += len(body)
            if self.keep:
                self.bodies.append((path, encoding, body))

    def told(self) -> dict[str, int]:
        runs: set[bytes | str] = set()
        for path, encoding, body in self.bodies:
            runs |= run_ids(path, unpack(encoding, body))
        return {"requests": self.requests, "bytes": self.bytes, "runs": len(runs)}


def unpack(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
    return body


def run_ids(path: str, body: bytes) -> set[bytes | str]:
    """Return the ids of the runs or spans that a body brings for the first time."""
    if path.endswith("/traces"):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        request = ExportTraceServiceRequest.FromString(body)
        return {
            span.span_id
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
    if path.endswith("/batch"):
        return {run["id"] for run in json.loads(body)["post"]}
    return set(CREATED_PART.findall(body))


class Handler(BaseHTTPRequestHandler):
    """Answers every client as its own server would."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counts: Counts

    def do_GET(self) -> None:
        if self.path == "/count":
            self.answer(200, json.dumps(self.counts.told()).encode())
        else:
            self.answer(200, json.dumps(INFO).encode())

    def do_POST(self) -> None:
        self.counts.add(self.path, self.headers.get("Content-Encoding", ""), self.read_body())
        if self.path.endswith("/traces"):
            self.answer(200, b"", "application/x-protobuf")
        else:
            self.answer(202, b"{}")

    do_PATCH = do_POST  # noqa: N815  the name that http.server asks for

    def read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Sink:
    """The sink as its starter knows it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def count(self) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", "/count")
        told: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return told


@contextmanager
def running_sink(*, keep: bool) -> Iterator[Sink]:
    """Start a sink in a process of its own, and end it."""
    command = [sys.executable, "-m", "benchmarks.sink", *(["keep"] if keep else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Sink(int(process.stdout.readline()))


def main() -> None:
    Handler.counts = Counts(keep="keep" in sys.argv)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
