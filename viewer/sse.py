"""Streams of news for pages that are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.http import HttpResponse, HttpResponseBase

from collector.reads.errors import TooManyStreams
from collector.sse import event_stream

RETRY_AFTER_SECONDS = 30


def page_stream(events: Callable[[], Iterator[str]]) -> HttpResponseBase:
    """Answer with the events, or with a 503 where too many pages are open."""
    try:
        return event_stream(events)
    except TooManyStreams:
        return HttpResponse(
            "Too many live pages are open.",
            status=503,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
