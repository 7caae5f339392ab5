"""`runwood doctor`: what keeps an app's traces from arriving, asked one question after the other."""

from __future__ import annotations

import difflib
import http.client
import json
import os
import socket
import ssl
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urljoin

from runwood.config import Config, is_on
from runwood.recording.dotted_order import format_segment, format_time
from runwood.sending.delivery import Delivery
from runwood.sending.encode import EncodedRun, encode_body
from runwood.values.payloads import package_version
from runwood.version import __version__

ANSWER_SECONDS = 10.0  # for one request
ARRIVAL_SECONDS = 15.0  # for the test trace to be readable
CLOCK_SECONDS = 30.0  # of difference that a reader of traces would be misled by
VARIABLES = (
    "RUNWOOD_ENDPOINT", "RUNWOOD_API_KEY", "RUNWOOD_PROJECT", "RUNWOOD_TRACING", "RUNWOOD_SAMPLE_RATE",
    "RUNWOOD_REDACT_SECRETS", "RUNWOOD_HIDE_INPUTS", "RUNWOOD_HIDE_OUTPUTS", "RUNWOOD_SPOOL_DIR",
)  # fmt: skip

Verdict = Literal["ok", "note", "wrong", "skipped"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question: `wrong` is what has to be mended, `note` what may be meant so."""

    verdict: Verdict
    about: str
    said: str


@dataclass
class Examination:
    """The settings that hold, and what the server has answered so far."""

    config: Config
    given: dict[str, str | None]  # what the command line said
    is_reachable: bool = False
    may_send: bool = False
    server_date: str | None = None

    def findings(self) -> Iterator[Finding]:
        """Yield what is found, as it is found. A question that makes no sense after another's answer is skipped."""
        yield from self._settings()
        yield from self._packages()
        yield from self._spool()
        yield self._server()
        yield self._clock()
        yield self._key()
        yield self._test_trace()

    # --- here -------------------------------------------------------------------------------------
    def _settings(self) -> Iterator[Finding]:
        config = self.config
        yield Finding("ok", "endpoint", f"{config.endpoint} ({self._source('endpoint')})")
        if config.api_key:
            yield Finding("ok", "api key", f"…{config.api_key[-4:]} ({self._source('api_key')})")
        else:
            yield Finding(
                "wrong", "api key", "none: set RUNWOOD_API_KEY to a key from Settings, API keys"
            )
        yield Finding("ok", "project", f"{config.project} ({self._source('project')})")
        if os.environ.get("RUNWOOD_TRACING"):
            state = (
                "on"
                if is_on("RUNWOOD_TRACING")
                else "off: not even a handler of the environment records"
            )
            yield Finding("ok" if is_on("RUNWOOD_TRACING") else "note", "RUNWOOD_TRACING", state)
        if config.sample_rate < 1:
            yield Finding(
                "note", "sample rate", f"{config.sample_rate:.0%} of all traces are recorded"
            )
        for name in sorted(os.environ):
            if name.startswith("RUNWOOD_") and name not in VARIABLES:
                near = difflib.get_close_matches(name, VARIABLES, 1, cutoff=0.85)
                if near:
                    yield Finding(
                        "note", name, f"the client knows no such variable: is {near[0]} meant?"
                    )

    def _source(self, name: str) -> str:
        if self.given.get(name):
            return "from the command line"
        variable = f"RUNWOOD_{name.upper()}"
        return f"from {variable}" if os.environ.get(variable) else "the default"

    def _packages(self) -> Iterator[Finding]:
        core = package_version("langchain-core")
        yield Finding("ok", "packages", f"runwood {__version__}, langchain-core {core}")

    def _spool(self) -> Iterator[Finding]:
        folder = self.config.spool_dir
        if folder is None:
            return
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103  a str, as the sender has it
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
        except OSError as error:
            yield Finding("wrong", "spool", f"nothing can be written to {folder}: {error.strerror}")
        else:
            yield Finding("ok", "spool", folder)

    # --- there ------------------------------------------------------------------------------------
    def _server(self) -> Finding:
        try:
            status, headers, body = self._ask("/info")
        except (OSError, http.client.HTTPException) as error:
            return Finding("wrong", "server", explain_failure(error, self.config.endpoint))
        self.server_date = headers.get("Date")
        try:
            info = json.loads(body)
            knows_us = status == 200 and "runwood" in info
        except (ValueError, TypeError):
            info, knows_us = None, False
        if knows_us:
            self.is_reachable = True
            return Finding(
                "ok", "server", f"Runwood, which speaks LangSmith's API {info['version']}"
            )
        if isinstance(info, dict) and "batch_ingest_config" in info:
            return Finding(
                "wrong", "server", "this is a LangSmith server, and the handler needs Runwood"
            )
        return Finding(
            "wrong", "server",
            f"something answers there (HTTP {status}), but not Runwood. RUNWOOD_ENDPOINT is the address of the server "
            "itself, like http://127.0.0.1:8000, and not of a page",
        )  # fmt: skip

    def _clock(self) -> Finding:
        try:
            theirs = parsedate_to_datetime(self.server_date or "").timestamp()
        except (TypeError, ValueError):
            return Finding("skipped", "clock", "the server has told no time")
        ahead = time.time() - theirs
        if abs(ahead) > CLOCK_SECONDS:
            which = "ahead of" if ahead > 0 else "behind"
            return Finding(
                "wrong",
                "clock",
                f"this machine is {abs(ahead):,.0f} s {which} the server: set its clock by NTP",
            )
        return Finding("ok", "clock", "agrees with the server's")

    def _key(self) -> Finding:
        if not self.is_reachable:
            return Finding("skipped", "key", "there is no server to ask")
        try:
            status, _, body = self._ask("/runs/batch", b'{"post":[],"patch":[]}')
        except (OSError, http.client.HTTPException) as error:
            return Finding("wrong", "key", explain_failure(error, self.config.endpoint))
        if status in (200, 202):
            self.may_send = True
            return Finding("ok", "key", "may send traces")
        if status == 401:
            return Finding(
                "wrong",
                "key",
                "the server does not know it, or it was revoked: make one in Settings, API keys",
            )
        if status == 403:
            return Finding("wrong", "key", "it may not send traces: it needs the scope ingest")
        return Finding("wrong", "key", f"HTTP {status}: {body[:200].decode('utf-8', 'replace')}")

    def _test_trace(self) -> Finding:
        if not self.may_send:
            return Finding("skipped", "test trace", "nothing can be sent")
        run_id = self._send_test_trace()
        if run_id is None:
            return Finding(
                "wrong", "test trace", "the server did not take it: the log above says why"
            )
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while time.monotonic() < deadline:
            status, _, body = self._ask(f"/runs/{run_id}")
            if status == 200:
                page = urljoin(self.config.endpoint, json.loads(body).get("app_path") or "/")
                return Finding("ok", "test trace", f"sent and read back: {page}")
            if status in (401, 403):
                return Finding(
                    "ok", "test trace", f"sent. The key may not read, so look for {run_id} yourself"
                )
            time.sleep(0.25)
        return Finding(
            "wrong",
            "test trace",
            "the server took it, and it cannot be read yet: is the worker running?",
        )

    def _send_test_trace(self) -> str | None:
        run_id = str(uuid.uuid4())
        now = time.time_ns() // 1000
        moment = format_time(now)
        body = {
            "id": run_id, "trace_id": run_id, "dotted_order": format_segment(now, run_id),
            "name": "runwood doctor", "run_type": "chain", "start_time": moment, "end_time": moment,
            "session_name": self.config.project, "tags": ["runwood-doctor"],
            "inputs": {"question": "Does this arrive?"}, "outputs": {"answer": "Yes."},
        }  # fmt: skip
        delivery = Delivery(self.config)
        delivery.hurry(time.monotonic() + ANSWER_SECONDS)
        delivery.deliver(
            [EncodedRun(run_id, self.config.project, is_update=False, data=encode_body(body))]
        )
        delivery.close()
        return None if delivery.lost.total else run_id

    def _ask(self, path: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
        """Return (status, headers, body) of a request with the key.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"runwood-doctor/{__version__}",
        }
        if self.config.api_key:
            headers["x-api-key"] = self.config.api_key
        request = urllib.request.Request(self.config.endpoint + path, body, headers)  # noqa: S310  http(s) only
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return answer.status, answer.headers, answer.read(1 << 20)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read(1 << 20)


def explain_failure(error: Exception, endpoint: str) -> str:
    """Return in plain words why there was no answer."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        return f"the name in {endpoint} is not known here: is it spelt right, and this machine on that network?"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens at {endpoint}: is the server running, and the port right?"
    if isinstance(cause, ssl.SSLError):
        return f"{endpoint} has no certificate that is trusted here, or speaks no TLS: {cause}"
    if isinstance(cause, TimeoutError):
        return f"{endpoint} has not answered within {ANSWER_SECONDS:.0f} s: is a firewall between?"
    return f"no answer from {endpoint}: {cause}"
