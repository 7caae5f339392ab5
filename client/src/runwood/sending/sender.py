"""The one thread of a process that talks to a server, and what it does about every answer.

No thread and no socket before the first operation. Nothing that a callback touches waits for the
network. The thread sleeps without a timer while there is nothing to send.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from runwood.config import Config
from runwood.log import warn
from runwood.recording.operation import Operation
from runwood.sending.delivery import Delivery
from runwood.sending.encode import MAX_BATCH_BYTES, MAX_BATCH_RUNS, cut_batches, encode_operations
from runwood.sending.file import FileDelivery
from runwood.sending.spool_delivery import SpoolDelivery
from runwood.sending.waiting import WaitingOperations

GATHER_SECONDS = (
    0.25  # a run that ends within it is sent once, and a live trace is half a second old
)
TAKE = 4 * MAX_BATCH_RUNS
MAX_BEHIND = 1_000  # operations on the disk: beyond it answers are not sent while they stream


class Sender:
    """Queue, thread and connection of one process for one server and key."""

    def __init__(self, config: Config, on_first_thread: Callable[[], None]) -> None:
        self.config = config
        self._on_first_thread = on_first_thread
        self._start_over()

    def _start_over(self) -> None:
        """Make everything that a forked child must not share with its parent."""
        self._pid = os.getpid()
        self._waiting = WaitingOperations(self.config.max_queue_items, self.config.max_queue_bytes)
        self._delivery = self._make_delivery()
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.RLock()
        self._send_lock = (
            threading.Lock()
        )  # held over I/O: by the thread, or by who drains without it
        self._settled = threading.Condition()
        # A bare lock as a bell: ringing it allocates nothing, so a callback inside a garbage
        # collection cannot meet itself in here, as it could in an Event.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_idle = False
        self._is_urgent = False
        self._is_stopping = False

    def _make_delivery(self) -> Delivery | FileDelivery | SpoolDelivery:
        if self.config.path:
            return FileDelivery(self.config.path)
        if self.config.spool_dir:
            return SpoolDelivery(self.config, self.config.spool_dir, self._tell_settled)
        return Delivery(self.config)

    # --- the callbacks' side ----------------------------------------------------------------------
    def put(self, operation: Operation, earlier: Operation | None) -> bool:
        """Take an operation, or return False where there is no room for it."""
        if self._pid != os.getpid():
            self._start_over()
        is_taken, is_whole = self._waiting.put(operation, earlier)
        if not is_whole:
            self.count_lost(operation.run.project, "payloads")
        if self._thread is None:
            self._start_thread()
        elif self._is_idle:
            self._is_idle = False
            self._ring()
        elif not self._is_urgent and (
            len(self._waiting.items) >= TAKE or self._waiting.bytes > MAX_BATCH_BYTES
        ):
            self._is_urgent = True
            self._ring()
        return is_taken

    def offer(self, operation: Operation, earlier: Operation | None) -> bool:
        """Take an operation that can be done without, if the server keeps up."""
        is_behind = self._delivery.unconfirmed > MAX_BEHIND
        if self._pid == os.getpid() and (is_behind or not self._waiting.has_plenty_of_room):
            return False
        return self.put(operation, earlier)

    def count_lost(self, project: str, what: str) -> None:
        """Count what was lost, to tell the server and the log."""
        self._delivery.lost.count(project, what)
        warn("lost", "the queue is full: %s of project %r are dropped", what, project)

    # --- the app's side ---------------------------------------------------------------------------
    def flush(self, timeout: float) -> bool:
        """Wait until all that was put so far is settled; False if not all of it was acknowledged.

        It tells of every loss once: for the app's own asking. The library's is `wait_until_sent`.
        """
        is_sent = self.wait_until_sent(timeout)
        return not self._delivery.lost.take_since_flush() and is_sent

    def wait_until_sent(self, timeout: float) -> bool:
        """Wait until all that was put so far is settled; False: not within the time."""
        if self._pid != os.getpid():
            self._start_over()
        return self._wait_until_settled(time.monotonic() + timeout)

    def send_now(self) -> None:
        """Have what waits sent without the pause that gathers a batch; wait for nothing."""
        self._is_urgent = True
        self._ring()

    def close(self, timeout: float) -> bool:
        """Flush within the time, give up on the rest, and end the thread."""
        self.begin_closing(time.monotonic() + timeout)
        return self.finish_closing()

    def begin_closing(self, deadline: float) -> None:
        """Tell the thread how long it has. Apart, so that several senders share one deadline."""
        if self._pid != os.getpid():
            self._start_over()
        self._is_stopping = True
        self._delivery.hurry(deadline)
        self._ring()

    def finish_closing(self) -> bool:
        """Wait for the end of the thread, no longer than the deadline."""
        deadline = self._delivery.deadline or time.monotonic()
        is_sent = self._wait_until_settled(deadline)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.05, deadline - time.monotonic()))
        self._is_stopping = False
        self._delivery.hurry(None)
        return not self._delivery.lost.take_since_flush() and is_sent

    def forget_parent_process(self) -> None:
        """Start anew in a forked child: the parent keeps its thread, its queue and its connection."""
        self._delivery.forget()
        self._start_over()

    def _wait_until_settled(self, deadline: float) -> bool:
        target = self._waiting.accepted
        if not self._is_confirmed(target):
            self._is_urgent = True
            if self._start_thread():
                self._ring()
            else:
                self._send_without_thread(deadline)
        with self._settled:
            self._settled.wait_for(
                lambda: self._is_confirmed(target) or self._delivery.has_resigned,
                max(0.0, deadline - time.monotonic()),
            )
        return self._is_confirmed(target)

    def _is_confirmed(self, target: int) -> bool:
        """Whether the first `target` operations are settled, and the server knows what was lost."""
        delivery = self._delivery
        confirmed = self._waiting.settled - delivery.unconfirmed
        return confirmed >= target and not delivery.lost.is_unreported

    def _send_without_thread(self, deadline: float) -> None:
        """Send in the caller's thread: at its end the interpreter starts no more threads."""
        earlier = self._delivery.deadline
        self._delivery.hurry(deadline)
        self._send_waiting()
        self._delivery.hurry(earlier)

    # --- the thread -------------------------------------------------------------------------------
    def _start_thread(self) -> bool:
        """Make sure that there is a thread. False: the interpreter starts none any more."""
        with self._thread_lock:
            if self._thread is not None and self._thread.is_alive():
                return True
            thread = threading.Thread(target=self._run, name="runwood-sender", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        self._on_first_thread()
        return True

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is ringing already
            self._bell.release()

    def _run(self) -> None:
        while True:
            try:
                if self._has_nothing_to_do() and self._leave():
                    return
                self._sleep_until_due()
                self._send_waiting()
            except Exception as error:  # noqa: BLE001  the thread must outlive what nobody thought of
                warn("sender", "the sender failed and goes on: %r", error)

    def _has_nothing_to_do(self) -> bool:
        return not len(self._waiting.items) and not (
            self._is_urgent and self._delivery.lost.is_unreported
        )

    def _leave(self) -> bool:
        """Wait for work. True: the thread has to end."""
        if not self._is_stopping:
            self._is_idle = True
            # What was put before this thread was seen to be idle rang no bell.
            if not len(self._waiting.items) and not self._is_stopping:
                self._bell.acquire()
            self._is_idle = False
            return False
        self._delivery.close()
        self._thread = None
        if len(self._waiting.items):  # put before the thread was seen to be gone
            self._start_thread()
        return True

    def _sleep_until_due(self) -> None:
        due = time.monotonic() + GATHER_SECONDS
        while not self._is_urgent and not self._is_stopping:
            remaining = due - time.monotonic()
            if remaining <= 0:
                return
            self._bell.acquire(timeout=remaining)

    def _send_waiting(self) -> None:
        """Send what waits. An operation is settled once it is acknowledged or given up."""
        self._is_urgent = False
        with self._send_lock:
            while operations := self._waiting.take(TAKE, MAX_BATCH_BYTES):
                try:
                    runs = encode_operations(operations, redact_secrets=self.config.redact_secrets)
                    for batch in cut_batches(runs):
                        self._delivery.deliver(batch)
                finally:
                    self._waiting.settle(operations)
                    self._tell_settled()
            self._delivery.report_losses()
        self._tell_settled()

    def _tell_settled(self) -> None:
        with self._settled:
            self._settled.notify_all()
