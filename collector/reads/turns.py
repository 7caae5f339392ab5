"""Turns: of what may hold a database connection for seconds, a process does few things at once.

A process has few connections (setting RUNWOOD_DB_POOL_SIZE), and ingest needs one of them. Twenty slow searches would
take them all, and the applications that send runs would be answered 503. So a search waits for its turn,
without a connection, while as many others run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from collector.reads.errors import ReadTimeout


class Turns:
    """So many at once, in this process."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def one(self, wait_seconds: float) -> Iterator[None]:
        """Wait for a turn, and have it until the end.

        Raises:
            ReadTimeout: there was none within that time.
        """
        if not self._free.acquire(blocking=False):
            if not connection.in_atomic_block:
                connection.close()  # back to the pool
            if not self._free.acquire(timeout=wait_seconds):
                raise ReadTimeout
        try:
            yield
        finally:
            self._free.release()


def _share() -> int:
    """Return a quarter of the connections, so that both kinds together leave half of them."""
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]
    return max(int(pool["max_size"]) // 4, 1)


PAYLOAD_SEARCHES = Turns(_share())  # up to 8 seconds each
INDEX_WALKS = Turns(_share())  # mostly milliseconds; not behind the others
