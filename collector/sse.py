"""Server-sent events: the wire form, and an answer that holds neither a database connection nor a buffer.

Pages and API send them alike. Each stream holds a thread of the web server while it lasts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.http import HttpResponseBase, StreamingHttpResponse

from collector.reads.errors import ReadError

logger = logging.getLogger(__name__)

RETRY_MS = 2_000  # what a browser waits before it connects again
# A stream ends by itself after this and is asked for anew, so that a sign-out reaches it.
MAX_SECONDS = 600.0


def format_event(name: str, data: str) -> str:
    """Return one event. Every line of the data must be marked, or it ends the event."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


HEARTBEAT = ": still here\n\n"


def release_connection() -> None:
    """Give the thread's database connection back, unless it is within a transaction."""
    if not connection.in_atomic_block:
        close_old_connections()


def event_stream(events: Callable[[], Iterator[str]]) -> HttpResponseBase:
    """Answer with the events. `events` must subscribe before its first yield.

    The first piece is taken here, so that a process that is full says so and does not break a stream.

    Raises:
        TooManyStreams: this process serves as many as it may.
    """
    pieces = events()
    try:
        first = next(pieces, "")
    finally:
        release_connection()

    def body() -> Iterator[str]:
        try:
            yield f"retry: {RETRY_MS}\n\n{first}"
            yield from pieces
        except (
            OperationalError,
            InterfaceError,
            ReadError,
        ) as error:  # whoever listens connects again
            logger.warning("a stream was broken off: %s", error)
        finally:
            pieces.close()  # type: ignore[attr-defined]  # an Iterator made by a generator function
            release_connection()

    response = StreamingHttpResponse(body(), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def until_too_old() -> Iterator[None]:
    """Yield until a stream has lasted MAX_SECONDS."""
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end:
        yield
