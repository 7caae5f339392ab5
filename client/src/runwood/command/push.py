"""Sends what waits in files: a `RunwoodFileHandler`'s, a spool's, and those that LangSmith's SDK could not send.

Sending a file twice changes nothing: the server knows its runs.
"""

from __future__ import annotations

import base64
import http.client
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from runwood.config import Config
from runwood.log import warn
from runwood.sending.delivery import Delivery
from runwood.sending.encode import MAX_BATCH_RUNS, EncodedRun, cut_batches
from runwood.sending.file import read_operations
from runwood.sending.transport import REQUEST_SECONDS, Transport

SUFFIXES = (".jsonl", ".json")  # what is taken of a folder
KEPT_HEADERS = frozenset({"content-type", "content-encoding"})  # of a request of LangSmith's SDK
PAUSE_SECONDS = 1.0  # between two tries of one


@dataclass
class Report:
    """What became of a push."""

    sent: int = 0
    lost: int = 0  # refused by the server, or not brought to it in time
    bad_lines: list[tuple[Path, int]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every line reached the server."""
        return not self.lost and not self.bad_lines


def files_in(paths: list[Path]) -> list[Path]:
    """Return the files, and those in the folders among them, in the order of their names: of a spool, of their times."""
    found = []
    for path in paths:
        if path.is_dir():
            inside = (item for item in path.rglob("*") if item.suffix in SUFFIXES)
            found += sorted(item for item in inside if item.is_file())
        else:
            found.append(path)
    return found


def push(
    config: Config,
    paths: list[Path],
    patience_seconds: float,
    on_sent: Callable[[int], None],
    *,
    remove: bool = False,
) -> Report:
    """Send what is in these files, in order; `on_sent` hears how much of it is done.

    The server may be away for `patience_seconds`, counted anew after each batch. `remove` takes a file away once all
    of it was sent.

    Raises:
        OSError: a file cannot be read. What came before it was sent.
    """
    report = Report()
    delivery = Delivery(config)
    for path in paths:
        before = (report.lost, len(report.bad_lines))
        request = _failed_request(path)
        if request is None:
            _push_operations(path, delivery, patience_seconds, report, on_sent)
        else:
            is_sent = _post(config, request, patience_seconds)
            report.sent += is_sent
            report.lost += not is_sent
            on_sent(1)
        if remove and before == (report.lost, len(report.bad_lines)):
            path.unlink()
    delivery.close()
    return report


def _push_operations(
    path: Path,
    delivery: Delivery,
    patience_seconds: float,
    report: Report,
    on_sent: Callable[[int], None],
) -> None:
    operations = _good_operations(path, report)
    while portion := list(islice(operations, MAX_BATCH_RUNS)):
        for batch in cut_batches(portion):
            before = delivery.lost.total
            delivery.hurry(time.monotonic() + patience_seconds)
            delivery.deliver(batch)
            lost = delivery.lost.total - before
            report.lost += lost
            report.sent += len(batch) - lost
            on_sent(len(batch))


def _good_operations(path: Path, report: Report) -> Iterator[EncodedRun]:
    for number, operation in read_operations(path):
        if operation is None:
            report.bad_lines.append((path, number))
        else:
            yield operation


# --- Requests of LangSmith's SDK, as it leaves them in LANGSMITH_FAILED_TRACES_DIR --------------------
@dataclass(frozen=True)
class _Request:
    path: str
    headers: dict[str, str]
    body: bytes


def _failed_request(path: Path) -> _Request | None:
    """Return the request that the file is, or None: `{"version": 1, "endpoint", "headers", "body_base64"}`."""
    if path.suffix != ".json":
        return None
    try:
        envelope: dict[str, Any] = orjson.loads(path.read_bytes())
        headers = {
            name: str(value)
            for name, value in envelope["headers"].items()
            if name.lower() in KEPT_HEADERS
        }
        body = base64.b64decode(envelope["body_base64"], validate=True)
        return _Request(f"/{str(envelope['endpoint']).strip('/')}", headers, body)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _post(config: Config, request: _Request, patience_seconds: float) -> bool:
    """Send a request as it is, with our key; again while the server is away."""
    key = {"x-api-key": config.api_key} if config.api_key else {}
    transport = Transport(config.endpoint, key, request.path)
    deadline = time.monotonic() + patience_seconds
    try:
        while True:
            try:
                answer = transport.post(request.body, request.headers, REQUEST_SECONDS)
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            else:
                if answer.status // 100 == 2:
                    return True
                said = f"HTTP {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
                if answer.status < 500 and answer.status not in (408, 425, 429):
                    warn("push", "the server refused a request: %s", said)
                    return False
            pause = PAUSE_SECONDS * random.uniform(1, 2)  # noqa: S311
            if time.monotonic() + pause > deadline:
                warn("push", "a request could not be sent: %s", said)
                return False
            time.sleep(pause)
    finally:
        transport.close()
