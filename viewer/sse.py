"""Server-sent events: the wire form, and an answer that holds neither a database connection nor a buffer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from collector.reads.errors import TooManyStreams

logger = logging.getLogger(__name__)

RETRY_MS = 2_000  # what a browser waits before it connects again
# A stream ends by itself after this and is asked for anew, so that a sign-out reaches it.
MAX_SECONDS = 600.0
RETRY_AFTER_SECONDS = 30


def format_event(name: str, data: str) -> str:
    """Return one event. Every line of the data must be marked, or it ends the event."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


HEARTBEAT = ": still here\n\n"


def event_stream(events: Callable[[], Iterator[str]]) -> HttpResponseBase:
    """Answer with the events. `events` must subscribe before its first yield.

    The first piece is taken here, so that a process that is full answers 503 and not a broken stream.
    """
    pieces = events()
    try:
        first = next(pieces, "")
    except TooManyStreams:
        return HttpResponse(
            "Too many live pages are open.",
            status=503,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    finally:
        close_old_connections()

    def body() -> Iterator[str]:
        try:
            yield f"retry: {RETRY_MS}\n\n{first}"
            yield from pieces
        except (OperationalError, InterfaceError) as error:  # the browser connects again by itself
            logger.warning("a live page lost the database: %s", error)
        finally:
            pieces.close()  # type: ignore[attr-defined]  # an Iterator made by a generator function
            close_old_connections()

    response = StreamingHttpResponse(body(), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def until_too_old() -> Iterator[None]:
    """Yield until a stream has lasted MAX_SECONDS."""
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end:
        yield
