"""A small real HTTP server that stands for the collector, and the merge of what it received."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard
from runwood.recording.operation import merge_fields

Answer = tuple[int, dict[str, str], bytes]


class Request:
    """One request as it came."""

    def __init__(self, path: str, headers: dict[str, str], data: bytes) -> None:
        self.path = path
        self.headers = headers
        self.wire_bytes = len(data)
        self.received = time.monotonic()
        if headers.get("content-encoding") == "zstd":
            data = zstandard.ZstdDecompressor().decompress(data)
        self.data = data
        self.body: dict[str, Any] = json.loads(data)

    @property
    def runs(self) -> list[dict[str, Any]]:
        return [*self.body["post"], *self.body["patch"]]


class Peer:
    """Serves on a free port of loopback. `answers` are used up in order, then all is accepted."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        self.answers: list[Answer] = []
        self.judge: Any = None  # (Request) -> Answer | None
        self.delay = 0.0
        self.connections = 0
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer takes 40 ms

            def setup(self) -> None:
                peer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not self.path.endswith("/runs/batch"):
                    self._answer(202, {}, b"{}")  # the langsmith package, where a test uses it
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, data)
                time.sleep(peer.delay)
                peer.requests.append(request)
                self._answer(*peer._decide(request))

            do_GET = do_PATCH = do_POST  # noqa: N815  the names that http.server asks for

            def _answer(self, status: int, extra: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _decide(self, request: Request) -> Answer:
        if self.judge is not None:
            answer = self.judge(request)
        else:
            answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            self.accepted.append(request)
            answer = (202, {}, b"{}")
        return answer

    # --- what arrived -----------------------------------------------------------------------------
    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """All accepted runs by id, merged: a create, then updates, the later end winning."""
        merged: dict[str, dict[str, Any]] = {}
        ended: dict[str, str] = {}
        for request in self.accepted:
            for body in request.runs:
                known = merged.get(body["id"])
                if known is not None and body.get("end_time", "") < ended[body["id"]]:
                    continue
                if known is not None and "end_time" in body and "status" not in body:
                    known.pop("status", None)
                merge_fields(merged.setdefault(body["id"], {}), body)
                ended[body["id"]] = body.get("end_time", "")
        return merged

    def named(self, name: str) -> dict[str, Any]:
        """The one run of this name."""
        (run,) = [run for run in self.runs.values() if run["name"] == name]
        return run

    def status(self, name: str) -> str:
        return status_of(self.named(name))

    def tree(self) -> list[str]:
        """Indented `name type status` lines, depth first."""
        ordered = sorted(self.runs.values(), key=lambda run: run["dotted_order"])
        return [
            f"{'  ' * run['dotted_order'].count('.')}{run['name']} {run['run_type']} {status_of(run)}"
            for run in ordered
        ]


def status_of(run: dict[str, Any]) -> str:
    """The status that the server concludes."""
    if run.get("status"):
        return str(run["status"])
    if run.get("error"):
        return "error"
    return "success" if run.get("end_time") else "running"
