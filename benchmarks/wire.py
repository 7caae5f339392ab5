"""Which form should our own handler send? Three wires, one workload: CPU of both ends, and bytes.

    .venv/bin/python -m benchmarks.wire [runs]      the wires
    .venv/bin/python -m benchmarks.wire http        HTTP libraries: import, and CPU a request

a  LangSmith's batch JSON, zstd: one JSON object a run, our extra fields in it
b  LangSmith's multipart, zstd: a run and its payloads as parts of their own, as its SDK sends it
c  a native stream: the server's own `RunOperation`s in msgpack, payloads as JSON text in it, zstd

Client: from the copied payloads (what the handler's queue holds) to the compressed body. Server: from
the compressed body to `RunOperation`s with every payload known to be valid JSON; for c, which has no
decoder in the collector, the least that one would have to do. Figures are in
docs/decisions/0006-client-wire.md.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import orjson
import zstandard

from benchmarks.workload import traces
from collector.wire.batch import decode_batch
from collector.wire.dotted_order import parse_lineage
from collector.wire.encoding import decode_body
from collector.wire.jsontext import is_utf8
from collector.wire.limits import DEFAULT_LIMITS
from collector.wire.multipart import decode_multipart
from collector.wire.operations import RunOperation
from collector.wire.runs import Reading

PAYLOADS = ("inputs", "outputs", "events", "extra", "serialized")
BATCH = 100
ROUNDS = 7
MAX_BYTES = 100 << 20
Run = dict[str, Any]


class Wire(NamedTuple):
    name: str
    encode: Callable[[list[Run]], bytes]  # before compression
    decode: Callable[[bytes], list[RunOperation]]  # after decompression


def reading() -> Reading:
    return Reading(datetime.now(UTC), DEFAULT_LIMITS)


# --- a: batch JSON --------------------------------------------------------------------------------
def encode_json(runs: list[Run]) -> bytes:
    return b'{"post":[%b],"patch":[]}' % b",".join(map(orjson.dumps, runs))


def decode_json(body: bytes) -> list[RunOperation]:
    return decode_batch(body, reading()).runs


# --- b: multipart ---------------------------------------------------------------------------------
BOUNDARY = uuid.uuid4().hex


def encode_multipart(runs: list[Run]) -> bytes:
    parts = []
    for run in runs:
        name = f"post.{run['id']}"
        parts.append(part(name, {key: run[key] for key in run if key not in PAYLOADS}))
        parts += [part(f"{name}.{key}", run[key]) for key in PAYLOADS if run.get(key) is not None]
    return b"".join(parts) + b"--%b--\r\n" % BOUNDARY.encode()


def part(name: str, value: Any) -> bytes:
    text = orjson.dumps(value)
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text + b"\r\n"


def decode_parts(body: bytes) -> list[RunOperation]:
    return decode_multipart(body, f"multipart/form-data; boundary={BOUNDARY}", reading()).runs


# --- c: native ------------------------------------------------------------------------------------
_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(list[RunOperation])
_json = msgspec.json.Decoder(msgspec.Raw)


def encode_native(runs: list[Run]) -> bytes:
    operations = []
    for run in runs:
        operation = {
            "id": run["id"],
            "received_at": run["start_time"],
            "project": run["session_name"],
            **{key: run[key] for key in SCALARS if run.get(key) is not None},
        }
        for key in PAYLOADS:
            if run.get(key) is not None:
                operation[key] = orjson.dumps(run[key])
        operations.append(operation)
    return _packer.encode(operations)


SCALARS = (
    "trace_id", "parent_run_id", "dotted_order", "name", "run_type", "start_time", "end_time", "error", "tags",
)  # fmt: skip


def decode_native(body: bytes) -> list[RunOperation]:
    """Decode, and check what a server may not believe: payloads are JSON, the lineage is one."""
    operations = _unpacker.decode(body)
    for operation in operations:
        for key in PAYLOADS:
            text = getattr(operation, key)
            if text:
                if not is_utf8(text):
                    raise ValueError(key)
                _json.decode(text)
        if operation.dotted_order:
            operation.day = parse_lineage(operation.dotted_order).day
    return operations


WIRES = (
    Wire("a batch JSON", encode_json, decode_json),
    Wire("b multipart", encode_multipart, decode_parts),
    Wire("c native msgpack", encode_native, decode_native),
)


# --- measuring ------------------------------------------------------------------------------------
def cpu(work: Callable[[], Any], count: int) -> float:
    """Return the microseconds of CPU for each of `count`, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best / count * 1e6


def measure(wire: Wire, batches: list[list[Run]], level: int) -> dict[str, float]:
    count = sum(map(len, batches))
    bodies = [wire.encode(batch) for batch in batches]
    compressor = zstandard.ZstdCompressor(level=level)
    packed = [compressor.compress(body) for body in bodies]
    decoded = [wire.decode(decode_body(body, "zstd", max_bytes=MAX_BYTES)) for body in packed]
    if sum(map(len, decoded)) != count:
        raise SystemExit(f"{wire.name}: runs were lost")
    return {
        "encode": cpu(lambda: [wire.encode(batch) for batch in batches], count),
        "zstd": cpu(lambda: [compressor.compress(body) for body in bodies], count),
        "unzstd": cpu(lambda: [decode_body(b, "zstd", max_bytes=MAX_BYTES) for b in packed], count),
        "decode": cpu(lambda: [wire.decode(body) for body in bodies], count),
        "raw": sum(map(len, bodies)) / count,
        "wire": sum(map(len, packed)) / count,
    }


def cut(count: int) -> list[list[Run]]:
    runs = [run for trace in traces(count // 8) for run in trace][:count]
    return [runs[start : start + BATCH] for start in range(0, len(runs), BATCH)]


# --- HTTP libraries -------------------------------------------------------------------------------
SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
SETUPS = {
    "http.client": "import http.client, ssl; c = http.client.HTTPConnection('127.0.0.1', port)\n"
    "def post(): c.request('POST', '/x', body, headers); c.getresponse().read()",
    "urllib3": "import urllib3; c = urllib3.PoolManager()\ndef post(): c.request('POST', url, body=body, headers=headers)",
    "requests": "import requests; c = requests.Session()\ndef post(): c.post(url, data=body, headers=headers)",
    "httpx": "import httpx; c = httpx.Client()\ndef post(): c.post(url, content=body, headers=headers)",
}
CLIENT = """
import sys, time
started = time.process_time()
port, body, url, headers = int(sys.argv[1]), b"x" * 30_000, "http://127.0.0.1:" + sys.argv[1] + "/x", {"x-api-key": "k"}
exec(sys.argv[2])
imported = time.process_time() - started
for _ in range(50): post()
started = time.process_time()
for _ in range(500): post()
print(imported, (time.process_time() - started) / 500)
"""


def measure_http() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        print(f"{'library':12} {'import s':>9} {'µs of CPU a POST of 30 KB':>26}")
        for name, setup in SETUPS.items():
            rounds = [run_client(port, setup) for _ in range(3)]
            imported, request = (min(column) for column in zip(*rounds, strict=True))
            print(f"{name:12} {imported:>9.3f} {request * 1e6:>26.0f}")
        server.kill()


def run_client(port: str, setup: str) -> tuple[float, float]:
    command = [sys.executable, "-c", CLIENT, port, setup]
    imported, request = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    return float(imported), float(request)


def main() -> None:
    if sys.argv[1:] == ["http"]:
        measure_http()
        return
    batches = cut(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    sizes = sorted(len(orjson.dumps(run)) for batch in batches for run in batch)
    print(
        f"{len(sizes)} runs, {sizes[len(sizes) // 2]} bytes of JSON at p50, {sizes[len(sizes) * 99 // 100]} at p99"
    )
    print(f"{'wire':18} {'level':>5} {'client µs/run':>20} {'server µs/run':>20} {'bytes/run':>16}")
    print(
        f"{'':18} {'':>5} {'encode':>10}{'zstd':>10} {'unzstd':>10}{'decode':>10} {'raw':>8}{'wire':>8}"
    )
    for wire in WIRES:
        for level in (1, 3):
            row = measure(wire, batches, level)
            print(
                f"{wire.name:18} {level:>5} {row['encode']:>10.1f}{row['zstd']:>10.1f}"
                f" {row['unzstd']:>10.1f}{row['decode']:>10.1f} {row['raw']:>8.0f}{row['wire']:>8.0f}"
            )


if __name__ == "__main__":
    main()
