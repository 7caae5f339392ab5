"""Request bodies that come too slowly, or not at all: each holds a thread, so it is cut off.

A read of WSGI's input blocks in the server until the bytes are there, without a timeout, and does not
tell which socket it waits for. So a watchdog looks at all of the process's sockets while a read is
overdue, and ends those from which the kernel has received too little. Linux only (TCP_INFO);
elsewhere a proxy has to do it.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

MIN_BYTES_PER_SECOND = 16 << 10  # what a body must come with once its first seconds have passed
LOOK_SECONDS = 1.0
MAX_OPEN_FILES = 65_536
_BYTES_ACKED_AND_RECEIVED = 120  # where the two stand in Linux's struct tcp_info


class BodyTooSlow(OSError):
    """The body did not come in time."""


class Upload:
    """WSGI's input, with a deadline: `seconds`, and more as long as bytes come."""

    def __init__(self, source: Any, seconds: float) -> None:
        self.source = source
        self.seconds = seconds
        self.started = 0.0
        self.received = 0

    def read(self, size: int = -1) -> bytes:
        """Raises BodyTooSlow once the deadline has passed."""
        return self._take(self.source.read, size)

    def readline(self, size: int = -1) -> bytes:
        """As `read`."""
        return self._take(self.source.readline, size)

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        self.started = self.started or time.monotonic()
        watchdog.watch(self)
        try:
            chunk = read(size)
        finally:
            watchdog.leave(self)
        self.received += len(chunk)
        if self.is_overdue(time.monotonic()):
            raise BodyTooSlow("the body did not come in time")
        return chunk

    def is_overdue(self, now: float) -> bool:
        return now - self.started > self.seconds + self.received / MIN_BYTES_PER_SECOND


class Traffic(NamedTuple):
    """What a connection had carried at a time."""

    time: float
    sent: int
    received: int


class Watchdog(threading.Thread):
    """Ends connections that keep a read waiting for too long."""

    def __init__(self) -> None:
        super().__init__(name="upload-watchdog", daemon=True)
        self.reads: dict[int, Upload] = {}
        self.traffic: dict[int, Traffic] = {}
        self.lock = threading.Lock()
        self.is_needed = threading.Event()

    def watch(self, upload: Upload) -> None:
        self.reads[id(upload)] = upload
        if not self.is_needed.is_set():
            with self.lock:
                if self.ident is None:
                    self.start()
            self.is_needed.set()

    def leave(self, upload: Upload) -> None:
        self.reads.pop(id(upload), None)

    def run(self) -> None:
        while True:
            self.is_needed.wait()
            time.sleep(LOOK_SECONDS)
            if self.reads:
                self.look()
            else:
                self.traffic.clear()
                self.is_needed.clear()

    def look(self) -> None:
        """Note what each connection carries; end those that are too slow if a read is overdue."""
        now = time.monotonic()
        reads = list(self.reads.values())
        if not any(now - read.started > LOOK_SECONDS for read in reads):
            return
        overdue = [read.seconds for read in reads if read.is_overdue(now)]
        seconds = max((read.seconds for read in reads), default=0.0)
        seen: dict[int, Traffic] = {}
        cut_count = 0
        for number, connection in _connections():
            sent, received = _traffic(connection)
            then = self.traffic.get(number)
            if then is None or _is_moving(then, sent, received, seconds):
                then = Traffic(now, sent, received)
            elif overdue and now - then.time > seconds:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
                cut_count += 1
            seen[number] = then
        self.traffic = seen
        if cut_count:
            logger.warning("cut %d connections whose request bodies did not come", cut_count)


def _is_moving(then: Traffic, sent: int, received: int, seconds: float) -> bool:
    """Whether a connection has had an answer since, or has brought enough of a body."""
    return sent != then.sent or received - then.received > MIN_BYTES_PER_SECOND * seconds


def _connections() -> Iterator[tuple[int, socket.socket]]:
    """Yield this process's TCP connections by their inodes. Each is ours only until the next."""
    if sys.platform != "linux":
        return
    for path in Path("/proc/self/fd").iterdir():
        try:
            duplicate = os.dup(int(path.name))
        except OSError:  # closed meanwhile
            continue
        try:
            connection = socket.socket(fileno=duplicate)
        except OSError:  # no socket
            os.close(duplicate)
            continue
        with connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                with suppress(OSError):  # a listener has no peer
                    connection.getpeername()
                    yield os.fstat(duplicate).st_ino, connection


def _traffic(connection: socket.socket) -> tuple[int, int]:
    """Return the bytes sent and received so far."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    sent, received = struct.unpack_from("=QQ", info, _BYTES_ACKED_AND_RECEIVED)
    return sent, received


def allow_many_connections() -> None:
    """Raise the soft limit of open files, which many shells set to 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


watchdog = Watchdog()
