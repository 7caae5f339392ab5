"""What the tests of the ingest routes share: a sender, and what became of what it sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.test import Client

from collector import inbox
from collector.drain import drain_lane
from collector.reads.runs import get_run
from collector.reads.types import RunDetail

RUN_ID = UUID("01a20acb-4a34-78d8-934e-7ba1b08d8cb8")
SIBLING_ID = UUID("01a20acb-0ab5-7086-96fb-bc8cad3e8e33")
BOUNDARY = "7efff9633b68442c9326f08d728d2d90"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


class Sender:
    """Sends bodies with one key, as a client of ours does."""

    def __init__(self, client: Client, key: str) -> None:
        self.client = client
        self.key = key

    def send(
        self,
        path: str,
        body: bytes,
        *,
        method: str = "POST",
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method, path, body, content_type, headers={"X-API-Key": self.key, **named}
        )

    def batch(self, *post: Any) -> Any:
        """Send creates. An item may be JSON text, to be sent as it is."""
        items = b",".join(
            item if isinstance(item, bytes) else json.dumps(item).encode() for item in post
        )
        return self.send("/runs/batch", b'{"post":[%s]}' % items)

    def multipart(self, parts: dict[str, bytes]) -> Any:
        return self.send("/runs/multipart", frame(parts), content_type=MULTIPART)


def run_fields(run_id: UUID = RUN_ID, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(run_id),
        "name": "agent",
        "run_type": "chain",
        "session_name": "test-project",
        "start_time": "2026-11-24T12:00:00Z",
        **fields,
    }


def frame(parts: dict[str, bytes]) -> bytes:
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: application/json\r\n'
        b"Content-Length: %d\r\n\r\n%s\r\n"
        % (BOUNDARY.encode(), name.encode(), len(content), content)
        for name, content in parts.items()
    )
    return body + b"--%s--\r\n" % BOUNDARY.encode()


def inbox_count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inbox")
        count: int = cursor.fetchone()[0]
        return count


def stored(project_id: UUID, run_id: UUID = RUN_ID) -> RunDetail | None:
    """Let the worker's code write what was accepted, and return the run as readers get it."""
    while lanes := inbox.due_lanes():  # an operation that was placed late is in the inbox once more
        for lane_id in lanes:
            drain_lane(lane_id)
    return get_run([project_id], run_id)
