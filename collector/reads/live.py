"""News of stored traces: one LISTEN per process, fanned out to the streams that this process serves.

A stream holds no database connection and no queue that grows: what it has not taken yet is a set of
traces, and past MAX_WAITING_TRACES it is one word, "look again". News says that something changed,
never what: whoever hears it reads the rows.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import close_old_connections

from collector.reads.errors import TooManyOfKey, TooManyStreams

logger = logging.getLogger(__name__)

CHANNEL = "runwood"  # the worker sends "<project id> <trace id>", or "<project id>" for many traces
# Each stream is a thread of the web server, which has 1,024. A page that was left counts until the next heartbeat.
MAX_PAGES = 400
MAX_API_STREAMS = 200
MAX_STREAMS_PER_KEY = 50
MAX_WAITING_TRACES = 500
HEARTBEAT_SECONDS = 15.0  # proxies close what says nothing for 30 to 60 s
POLL_SECONDS = 30.0  # after so long without news the listener looks whether its connection lives
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class TraceChanged:
    """Something of this trace was stored. None: of any trace of the project, so look again."""

    project_id: UUID
    trace_id: UUID | None


class Subscription:
    """What one stream has not taken yet."""

    def __init__(
        self, project_ids: Sequence[UUID], trace_id: UUID | None, key_id: UUID | None = None
    ) -> None:
        self.key_id = key_id
        self.project_ids = frozenset(project_ids)
        self._trace_id = trace_id
        self._ready = threading.Condition()
        self._waiting: dict[TraceChanged, None] = {}  # a set that keeps its order

    def put(self, news: TraceChanged) -> None:
        """Add news, once; anything of a trace that this stream is not about is left out."""
        if self._trace_id is not None and news.trace_id not in (None, self._trace_id):
            return
        with self._ready:
            if len(self._waiting) >= MAX_WAITING_TRACES:
                projects = dict.fromkeys(TraceChanged(id_, None) for id_ in self.project_ids)
                self._waiting = projects
            else:
                self._waiting[news] = None
            self._ready.notify()

    def take(self, timeout_seconds: float) -> list[TraceChanged]:
        """Return what is waiting, as soon as there is any; nothing after the timeout.

        Gives this thread's database connection back first: 200 streams would empty any pool.
        """
        close_old_connections()
        with self._ready:
            self._ready.wait_for(lambda: bool(self._waiting), timeout_seconds)
            news = list(self._waiting)
            self._waiting = {}
        return news

    def look_again(self) -> None:
        """Say that news may have been missed."""
        for project_id in self.project_ids:
            self.put(TraceChanged(project_id, None))


@contextmanager
def subscribe(
    project_ids: Sequence[UUID], trace_id: UUID | None = None, *, key_id: UUID | None = None
) -> Iterator[Subscription]:
    """Give the news of some projects, or of one trace in them, to a page or to whoever has an API key.

    News is what is stored from now on: subscribe first, then read what there is.

    Raises:
        TooManyStreams: this process serves as many already.
        TooManyOfKey: … of this key.
    """
    subscription = Subscription(project_ids, trace_id, key_id)
    listener = _listen_for(subscription)
    try:
        yield subscription
    finally:
        listener.remove(subscription)


class Listener(threading.Thread):
    """Holds the LISTEN connection, whatever becomes of the database, and hands out what it hears."""

    def __init__(self) -> None:
        super().__init__(name="live-listener", daemon=True)
        self.process_id = os.getpid()
        self._lock = threading.Lock()
        self._streams: dict[UUID, set[Subscription]] = {}
        self._counts: Counter[UUID | None] = Counter()  # streams by API key; None: of pages
        self._stopping = threading.Event()
        self._waker, self._woken = socket.socketpair()

    def add(self, subscription: Subscription) -> None:
        """Begin to hand news to a stream."""
        with self._lock:
            self._check_room(subscription.key_id)
            self._counts[subscription.key_id] += 1
            for project_id in subscription.project_ids:
                self._streams.setdefault(project_id, set()).add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Stop handing news to a stream."""
        with self._lock:
            self._counts[subscription.key_id] -= 1
            if not self._counts[subscription.key_id]:
                del self._counts[subscription.key_id]
            for project_id in subscription.project_ids:
                streams = self._streams[project_id]
                streams.discard(subscription)
                if not streams:
                    del self._streams[project_id]

    def _check_room(self, key_id: UUID | None) -> None:
        pages = self._counts[None]
        if key_id is None:
            is_full = pages >= MAX_PAGES
        else:
            if self._counts[key_id] >= MAX_STREAMS_PER_KEY:
                raise TooManyOfKey
            is_full = self._counts.total() - pages >= MAX_API_STREAMS
        if is_full:
            raise TooManyStreams

    def stop(self) -> None:
        """End the thread and its connection, and wait for it."""
        self._stopping.set()
        self._waker.send(b"x")
        self.join(timeout=10)

    def run(self) -> None:
        """Listen until stopped, connecting again as often as it takes."""
        failures = 0
        while not self._stopping.is_set():
            try:
                with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    self._look_again()  # of what was committed before this nothing was heard
                    self._listen(connection)
            except (psycopg.Error, OSError) as error:
                if failures == 0:
                    logger.warning("live updates are interrupted: %s", error)
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                self._stopping.wait(delay)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        """Hand out what comes. Sleeps in between: psycopg's own waiting wakes ten times a second."""
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                if not selector.select(POLL_SECONDS):
                    connection.execute("SELECT 1")  # finds out if the other side is gone
                for notification in connection.notifies(timeout=0):
                    self._hand_out(notification.payload)

    def _hand_out(self, text: str) -> None:
        try:
            ids = [UUID(word) for word in text.split(" ")]
            project_id, trace_id = ids[0], ids[1] if len(ids) > 1 else None
        except ValueError:
            return  # another's message on our channel
        news = TraceChanged(project_id, trace_id)
        with self._lock:
            streams = list(self._streams.get(project_id, ()))
        for subscription in streams:
            subscription.put(news)

    def _look_again(self) -> None:
        with self._lock:
            streams = {stream for streams in self._streams.values() for stream in streams}
        for subscription in streams:
            subscription.look_again()


_start_lock = threading.Lock()
_current: Listener | None = None


def _listen_for(subscription: Subscription) -> Listener:
    """Add a stream to this process's listener, started on first use: a forked child has none of its own yet.

    It starts after the stream was added, so that the first stream, too, is told to look again once it listens.
    """
    global _current
    with _start_lock:
        listener = _current
        if listener is None or not listener.is_alive() or listener.process_id != os.getpid():
            listener = _current = Listener()
        listener.add(subscription)
        if listener.ident is None:
            listener.start()
        return listener


def stop_listener() -> None:
    """End this process's listener and its connection, for tests."""
    global _current
    with _start_lock:
        listener, _current = _current, None
    if listener is not None:
        listener.stop()
