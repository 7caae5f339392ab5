"""Celery's prefork workers: they end with `os._exit`, so no exit hook of Python runs in them.

Celery is never imported from here. Where an app has loaded it, its signals tell when a task and when
a worker process ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

TASK_SECONDS = 2.0  # the longest that the end of a task waits for the server
PAUSE_SECONDS = 30.0  # after a wait in vain: an absent server must not slow every task

_uid = "runwood"  # a second connection under this name changes nothing


class Workers:
    """Sends what a prefork worker has recorded: at the end of a task, and of the worker.

    Args:
        flush: waits for the server, no longer than the given seconds, and says whether it has all.
        drain: sends the rest at the end of a process.
    """

    def __init__(self, flush: Callable[[float], bool], drain: Callable[[], None]) -> None:
        self._flush = flush
        self._drain = drain
        self._next_wait = 0.0

    def watch(self) -> None:
        """Connect to Celery's signals, in a process that has loaded them."""
        signals = sys.modules.get("celery.signals")
        if signals is None:
            return
        signals.task_postrun.connect(self.end_task, weak=False, dispatch_uid=_uid)
        signals.worker_process_shutdown.connect(self.end_worker, weak=False, dispatch_uid=_uid)

    def end_task(self, **_: Any) -> None:
        """Wait for the server after a task: the next thing may be a kill, at a hard limit or for memory."""
        now = time.monotonic()
        if not _is_prefork_worker() or now < self._next_wait:
            return
        if not self._flush(TASK_SECONDS):
            self._next_wait = now + PAUSE_SECONDS

    def end_worker(self, **_: Any) -> None:
        """Send the rest, and close what is open."""
        self._drain()


def _is_prefork_worker() -> bool:
    """Whether this is a child of Celery's pool: elsewhere a task is part of an app, and exits are hooked."""
    billiard = sys.modules.get("billiard.process")
    return billiard is not None and billiard.current_process().name != "MainProcess"
