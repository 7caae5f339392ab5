"""A test trace: sent as the handler sends, and read back, so that a worker that does not run is found out."""

from __future__ import annotations

import json
import time
import uuid
from urllib.parse import urljoin

from runwood.command.doctor.finding import Finding
from runwood.command.doctor.visit import ANSWER_SECONDS, Visit
from runwood.config import Config
from runwood.recording.dotted_order import format_start
from runwood.sending.delivery import Delivery
from runwood.sending.encode import EncodedRun, encode_body

ARRIVAL_SECONDS = 10.0  # for the test trace to be readable
PAUSE_SECONDS = 0.25


def send_and_read_back(visit: Visit) -> Finding:
    """Send a trace and wait until it can be read."""
    run_id = str(uuid.uuid4())
    problem = _send(visit.config, run_id)
    if problem:
        return Finding("wrong", "test trace", f"the server did not take it: {problem}")
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        answer = visit.ask("GET", f"/runs/{run_id}")
        if answer.status == 200:
            page = urljoin(visit.origin, json.loads(answer.body).get("app_path") or "/")
            return Finding("ok", "test trace", f"sent and read back: {page}")
        if answer.status in (401, 403):
            words = f"sent. The key may not read, so look for {run_id} yourself"
            return Finding("ok", "test trace", words)
        time.sleep(PAUSE_SECONDS)
    return Finding("wrong", "test trace", _explain_absence(visit))


def _send(config: Config, run_id: str) -> str:
    """Return why it was not taken; nothing where it was."""
    moment, segment = format_start(time.time_ns(), run_id)
    body = {
        "id": run_id, "trace_id": run_id, "dotted_order": segment,
        "name": "runwood doctor", "run_type": "chain", "start_time": moment, "end_time": moment,
        "session_name": config.project, "tags": ["runwood-doctor"],
        "inputs": {"question": "Does this arrive?"}, "outputs": {"answer": "Yes."},
    }  # fmt: skip
    delivery = Delivery(config)
    delivery.hurry(time.monotonic() + ANSWER_SECONDS)
    delivery.deliver([EncodedRun(run_id, config.project, is_update=False, data=encode_body(body))])
    delivery.close()
    return delivery.problem if delivery.lost.total or delivery.refused else ""


def _explain_absence(visit: Visit) -> str:
    words = f"accepted, but not processed within {ARRIVAL_SECONDS:.0f} s: is the worker running?"
    reasons = visit.ask_origin("/readyz").get("reasons")
    return f"{words} The server says: {'; '.join(map(str, reasons))}" if reasons else words
