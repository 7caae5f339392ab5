"""Calls the app's own functions in a thread of their own: what they take, raise or hang in costs no run."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
import time
from typing import Any

from runwood.hooks.finished import FinishedRun
from runwood.hooks.record import RunEnd
from runwood.log import warn
from runwood.scope import tracing

MAX_WAITING = 10_000  # finished runs; what ends while so many wait is not told


class Runner:
    """One daemon thread of a process, started with the first finished run."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Make everything that a forked child must not share with its parent."""
        # A SimpleQueue may be put to in the middle of a put: a garbage collection can end a run there.
        self._queue: queue.SimpleQueue[tuple[FinishedRun, tuple[RunEnd, ...]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._put = 0
        self._done = 0
        self._progress = threading.Condition()

    def put(self, run: FinishedRun, functions: tuple[RunEnd, ...]) -> None:
        """Have a run told; waits for nothing."""
        if self._queue.qsize() >= MAX_WAITING:
            warn("on_run_end", "%s and others are not told: %d runs wait", run.name, MAX_WAITING)
            return
        with self._lock:
            self._put += 1
            if self._thread is None:
                self._start()
        self._queue.put((run, functions))

    def wait(self, deadline: float) -> bool:
        """Wait until all that was put so far has been told; False: not by the deadline."""
        if (
            threading.current_thread() is self._thread
        ):  # a function that flushes waits not for itself
            return True
        target = self._put
        with self._progress:
            return self._progress.wait_for(
                lambda: self._done >= target or self._thread is None,
                max(0.0, deadline - time.monotonic()),
            )

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="runwood-hooks", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, and starts no more threads
            warn("on_run_end", "runs that end with the process are not told")
            return
        self._thread = thread

    def _run(self) -> None:
        with tracing(enabled=False):  # what a function runs itself must not end in it again
            while True:
                run, functions = self._queue.get()
                for function in functions:
                    _call(function, run)
                with self._progress:
                    self._done += 1
                    self._progress.notify_all()


def _call(function: RunEnd, run: FinishedRun) -> None:
    try:
        result = function(run)
        if inspect.isawaitable(result):
            asyncio.run(_wait_for(result))
    except BaseException as error:  # noqa: BLE001  the thread is ours, and has to live on
        name = getattr(function, "__name__", type(function).__name__)
        warn(f"on_run_end {name}", "on_run_end: %s raised %r", name, error)


async def _wait_for(result: Any) -> None:
    await result
