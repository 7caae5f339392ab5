"""A file that a langsmith package wrote where its server was away (`LANGSMITH_FAILED_TRACES_DIR`).

One JSON object: `{"version": 1, "endpoint": "runs/multipart", "headers": {…}, "body_base64": "…"}`. The body is what it
had tried to send, compressed or not, and goes to our server as it is: it speaks that protocol.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_HEAD_BYTES = 4096  # what stands before the body is short
_ENDPOINTS = ("runs/multipart", "runs/batch", "runs")
_HEADERS = ("content-type", "content-encoding")  # no other: a key of theirs is none of ours


@dataclass(frozen=True)
class FailedRequest:
    """What a client could not send."""

    path: str
    headers: dict[str, str]
    body: bytes


def is_failed_request(path: Path) -> bool:
    """Whether a file is one of these, and not one of ours.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return not head.startswith(b'{"operation"') and b'"body_base64"' in head


def read_failed_request(path: Path) -> FailedRequest:
    """Return what the file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is torn, or of a form that is not known.
    """
    try:
        return _parse(orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, AttributeError) as error:
        msg = "is no whole request of LangSmith's"
        raise ValueError(msg) from error


def _parse(record: Any) -> FailedRequest:
    version, endpoint = record.get("version", 1), str(record["endpoint"]).strip("/")
    if version != 1 or endpoint not in _ENDPOINTS:
        msg = f"is a request of LangSmith's that is not known: version {version}, to {endpoint}"
        raise ValueError(msg)
    headers = {name: value for name, value in record["headers"].items() if name.lower() in _HEADERS}
    return FailedRequest(
        f"/{endpoint}", headers, base64.b64decode(record["body_base64"], validate=True)
    )
