"""What the tests of the wire build requests from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from collector.wire.batch import decode_batch
from collector.wire.limits import DEFAULT_LIMITS
from collector.wire.multipart import decode_multipart
from collector.wire.operations import DecodedRequest, RunOperation
from collector.wire.runs import Reading, decode_run

RECEIVED_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
READING = Reading(RECEIVED_AT, DEFAULT_LIMITS)
RUN_ID = UUID("01a20acb-4a34-78d8-934e-7ba1b08d8cb8")
PARENT_ID = UUID("01a20acb-0abd-71e7-91be-db80afe804c7")
ROOT_ID = UUID("01a20acb-0ab5-7086-96fb-bc8cad3e8e33")
BOUNDARY = b"7efff9633b68442c9326f08d728d2d90"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


def run_fields(**fields: Any) -> dict[str, Any]:
    return {"id": str(RUN_ID), "name": "ChatOpenAI", "run_type": "llm", **fields}


def decode(text: bytes | None = None, *, is_update: bool = False, **fields: Any) -> RunOperation:
    """Decode one run: from its JSON text, or a good run with the given fields."""
    body = json.dumps(run_fields(**fields)).encode() if text is None else text
    return decode_run(body, READING, is_update=is_update)


def batch(post: list[Any] | None = None, patch: list[Any] | None = None) -> DecodedRequest:
    """Decode a batch of runs. An item may be JSON text, to be sent as it is."""
    lists = ((b"post", post), (b"patch", patch))
    members = [
        b'"%s":[%s]' % (name, b",".join(_json(item) for item in items))
        for name, items in lists
        if items is not None
    ]
    return decode_batch(b"{" + b",".join(members) + b"}", READING)


def frame(*parts: tuple[str, bytes, dict[str, str]] | tuple[str, bytes]) -> bytes:
    """Return a multipart body. A part is its name, its content and other headers."""
    body = b""
    for name, content, *rest in parts:
        headers = {"Content-Type": "application/json", **(rest[0] if rest else {})}
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items() if value)
        body += b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n%s\r\n%s\r\n' % (
            BOUNDARY,
            name.encode(),
            lines.encode(),
            content,
        )
    return body + b"--%s--\r\n" % BOUNDARY


def multipart(*parts: tuple[str, bytes, dict[str, str]] | tuple[str, bytes]) -> DecodedRequest:
    return decode_multipart(frame(*parts), CONTENT_TYPE, READING)


def _json(item: Any) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()
