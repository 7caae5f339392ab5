"""Tells the workers that a lane of the inbox has work.

A ring is a hint: the sweeper finds within a second what a lost one left. So it never costs the request
anything: one thread a process sends, at most one message a lane and interval, and errors are swallowed.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from uuid import UUID

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

# pgmq takes 60 to 335 messages a second; a drain takes all that waits, so fewer rings lose nothing.
INTERVAL_SECONDS = 0.05
# After a failed send the broker is left alone for a while: a publish may block for seconds.
SILENCE_SECONDS = 5.0


class _Doorbell:
    """The lanes to ring for, and the thread that rings. Made anew in a forked child."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lanes: set[UUID] = set()
        self.condition = threading.Condition()
        self.thread: threading.Thread | None = None

    def ring(self, lane_id: UUID) -> None:
        with self.condition:
            self.lanes.add(lane_id)
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self.thread.start()
            self.condition.notify()

    def _run(self) -> None:
        while True:
            with self.condition:
                while not self.lanes:
                    self.condition.wait()
                lanes, self.lanes = self.lanes, set()
            time.sleep(SILENCE_SECONDS if not _send(lanes) else INTERVAL_SECONDS)


def _send(lanes: set[UUID]) -> bool:
    from collector.tasks import drain

    try:
        for lane_id in lanes:
            drain.apply_async([str(lane_id)], expires=60)
    except (CeleryError, KombuError, OSError) as error:
        logger.warning("the broker does not answer, the sweeper takes over: %s", error)
        return False
    except Exception:
        logger.warning("the doorbell failed, the sweeper takes over", exc_info=True)
        return False
    return True


_doorbell = _Doorbell()


def ring(lane_id: UUID) -> None:
    """Ask for a drain of the lane soon. Returns at once, never raises."""
    global _doorbell
    if _doorbell.pid != os.getpid():
        _doorbell = _Doorbell()
    _doorbell.ring(lane_id)


def ring_later(lane_id: UUID, seconds: float) -> None:
    """Ask for a drain of the lane in so many seconds."""
    timer = threading.Timer(seconds, ring, [lane_id])
    timer.daemon = True
    timer.start()
