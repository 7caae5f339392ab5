"""The worker's own loop: finds due inbox rows once a second, deletes what was asked to go, and shows that it lives.

It runs beside the Celery consumer, in a thread of the worker process, so that a broker which is down,
flushed or lying costs a second and nothing else.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

from celery import bootsteps
from django.db import DatabaseError, connection
from django.utils import timezone

from collector import inbox
from collector.deletion import carry_out_due
from collector.drain import drain_lane
from collector.prices.bundled import load_bundled_prices

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0
FORGET_AFTER_SECONDS = 3600
DELETION_SECONDS = 1.0  # a round: a large deletion must not keep the inbox waiting


def sweep() -> int:
    """Drain every lane that has due rows; return how many operations on runs were written."""
    return sum(drain_lane(lane_id, wait=False) for lane_id in inbox.due_lanes())


def beat(name: str) -> None:
    """Note that the worker lives, and forget workers that were not heard of for an hour."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO worker_heartbeat (name, seen_at) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
            [name, now],
        )
        cursor.execute(
            "DELETE FROM worker_heartbeat WHERE seen_at < %s - make_interval(secs => %s)",
            [now, FORGET_AFTER_SECONDS],
        )


class Sweeper(threading.Thread):
    """Sweeps until stopped; outlives any absence of the database."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.stopping = threading.Event()
        self.worker_name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Loop, once what the first drain will need is loaded."""
        load_bundled_prices()
        beat_at = 0.0
        while not self.stopping.wait(INTERVAL_SECONDS):
            try:
                if time.monotonic() >= beat_at:
                    beat(self.worker_name)
                    beat_at = time.monotonic() + HEARTBEAT_SECONDS
                sweep()
                carry_out_due(DELETION_SECONDS)
            except DatabaseError as error:
                logger.warning("the sweep failed and will be tried again: %s", error)
            finally:
                connection.close()

    def stop(self) -> None:
        """Ask the loop to end and wait for the drain that it may be in."""
        self.stopping.set()
        self.join(timeout=10)


class SweeperStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the sweeper with the worker: before the consumer, which waits for the broker."""

    requires = ("celery.worker.components:Beat", "celery.worker.components:Pool")

    def __init__(self, worker: object, **kwargs: object) -> None:
        super().__init__(worker, **kwargs)
        self.sweeper: Sweeper | None = None

    def start(self, worker: object) -> None:
        """Start the thread."""
        self.sweeper = Sweeper()
        self.sweeper.start()

    def stop(self, worker: object) -> None:
        """Stop the thread."""
        if self.sweeper is not None:
            self.sweeper.stop()
            self.sweeper = None
