"""A bound on what a hung database may hold a request for.

Its own timeouts do not help against a server that is stopped or starved, nor do the kernel's: the
connection is well, only nobody answers. So a watchdog hangs up, which the waiting thread gets to see
as an OperationalError: 503, "send it again later".
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import connection

LOOK_SECONDS = 0.2


class _Watchdog(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="database-watchdog", daemon=True)
        self.ends: dict[socket.socket, float] = {}
        self.lock = threading.Lock()
        self.is_needed = threading.Event()

    def watch(self, line: socket.socket, end: float) -> None:
        with self.lock:
            self.ends[line] = end
            if self.ident is None:
                self.start()
        self.is_needed.set()

    def leave(self, line: socket.socket) -> None:
        with self.lock:
            del self.ends[line]

    def run(self) -> None:
        while self.is_needed.wait():
            self.is_needed.clear()
            while self.ends:
                time.sleep(LOOK_SECONDS)
                self.look(time.monotonic())

    def look(self, now: float) -> None:
        with self.lock:
            for line, end in self.ends.items():
                if end < now:
                    with suppress(OSError):
                        line.shutdown(socket.SHUT_RDWR)


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Hang up on the database if what is done inside takes longer.

    Raises:
        OperationalError: from inside, where it did.
    """
    connection.ensure_connection()
    # a duplicate: it stays the same socket, whatever becomes of the connection meanwhile
    line = socket.socket(fileno=os.dup(connection.connection.pgconn.socket))
    _watchdog.watch(line, time.monotonic() + seconds)
    try:
        yield
    finally:
        _watchdog.leave(line)
        line.close()


_watchdog = _Watchdog()
