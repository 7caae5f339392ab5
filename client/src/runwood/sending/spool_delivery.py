"""Brings batches to the server by way of the disk: what is there survives a kill and a long outage.

The sender's thread writes, whatever the server does, and a second thread sends what was written, the oldest
first. What the disk has no room for waits in memory, and there the queue's own bounds hold.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from runwood.config import Config
from runwood.log import warn
from runwood.sending.delivery import Delivery
from runwood.sending.encode import EncodedRun
from runwood.sending.file import format_operations, read_operations
from runwood.sending.losses import Losses
from runwood.sending.spool import Batch, Spool

ROOM_SECONDS = 0.5  # between two tries to write where there is no room
LEAVE_SECONDS = 0.5  # what the second thread has to close its connection
MAX_REMEMBERED_BYTES = 4 << 20  # of batches that need not be read again


class SpoolDelivery:
    """Used by one thread at a time, as `Delivery` is.

    Args:
        config: with a `spool_dir`.
        on_progress: called by the second thread whenever the server has confirmed something.
    """

    def __init__(self, config: Config, spool_dir: str, on_progress: Callable[[], None]) -> None:
        self.unconfirmed = 0  # operations that were written here and that the server has not got
        self.has_resigned = False  # at the end of the process: the rest stays on the disk
        self._project = config.project
        self._delivery = Delivery(config, is_patient=True)
        self._spool = Spool(spool_dir, config.endpoint, config.api_key, config.max_spool_bytes)
        self._on_progress = on_progress
        self._remembered: dict[Batch, list[EncodedRun]] = {}
        self._remembered_bytes = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # of the counts
        self._starting = threading.RLock()  # of the second thread
        self._sending = threading.Lock()  # held over a request
        self._work = threading.Event()
        self._room = threading.Event()
        self._is_closing = False

    @property
    def lost(self) -> Losses:
        """What was lost: refused by the server, or without room on the disk and in memory."""
        return self._delivery.lost

    @property
    def deadline(self) -> float | None:
        """When the process ends, if it is about to."""
        return self._delivery.deadline

    # --- the sender's thread ----------------------------------------------------------------------
    def deliver(self, runs: list[EncodedRun]) -> None:
        """Write these runs. Waits where there is no room, for as long as something is being sent."""
        data = format_operations(runs)
        while True:
            self._room.clear()
            try:
                self._write(runs, data)
            except OSError as error:
                warn("spool", "%d runs cannot be written to the spool: %s", len(runs), error)
                if self._spool.is_empty or self._delivery.is_too_late:
                    with self._sending:
                        self._delivery.deliver(runs)
                    return
                self._room.wait(ROOM_SECONDS)
            else:
                self._wake()
                return

    def _write(self, runs: list[EncodedRun], data: bytes) -> None:
        with self._lock:  # the second thread may have sent the batch before it is counted here
            batch = self._spool.put(data, len(runs))
            self.unconfirmed += len(runs)
            if self._remembered_bytes + batch.size <= MAX_REMEMBERED_BYTES:
                self._remembered[batch] = runs
                self._remembered_bytes += batch.size

    def report_losses(self) -> None:
        """Have the second thread tell the server, if there is something to tell."""
        if self.lost.is_unreported:
            self._wake()

    def hurry(self, deadline: float | None) -> None:
        """Let nothing wait past the deadline: what the server does not take by then stays on the disk."""
        self.has_resigned = False
        self._delivery.hurry(deadline)
        if deadline is not None and self.unconfirmed:
            self._wake()

    def close(self) -> None:
        """End the second thread, which starts again with the next batch."""
        self._is_closing = True
        self._work.set()
        thread = self._thread
        if thread is not None:
            thread.join(LEAVE_SECONDS)

    def forget(self) -> None:
        """Leave files and connection to the process that this one was forked from."""
        self._spool.forget()
        self._delivery.forget()

    def _wake(self) -> None:
        with self._starting:
            self._is_closing = False
            self._work.set()
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="runwood-spool", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends, and starts no more threads
                self._resign()
            else:
                self._thread = thread

    # --- the second thread ------------------------------------------------------------------------
    def _run(self) -> None:
        """Send until told to close."""
        while not self._is_closing:
            self._work.wait()
            self._work.clear()
            try:
                self._send_all()
            except Exception as error:  # noqa: BLE001  the thread must outlive what nobody thought of
                warn("spool thread", "the spool could not be sent, and goes on: %r", error)
        self._delivery.close()
        self._spool.close()
        with self._starting:
            self._thread = None
            self._go_on_if_needed()

    def _go_on_if_needed(self) -> None:
        """Start again where a batch was written before this thread was seen to be gone."""
        if not self._is_closing:
            self._wake()

    def _send_all(self) -> None:
        self._spool.adopt()
        while (batch := self._spool.oldest()) is not None:
            if not self._send(batch):
                self._resign()
                return
        with self._sending:
            self._delivery.report_losses()
        self._on_progress()

    def _send(self, batch: Batch) -> bool:
        """Send a batch and let go of it. False: the process ends, and the server did not take it."""
        runs, is_whole = self._read(batch)
        with self._sending:
            if self._delivery.bring(runs):
                return False
        # The tail that a dead process had no time to write is no loss that a file could make good.
        keep_as = "" if is_whole or batch.path.suffix == ".tmp" else ".bad"
        if keep_as:
            warn(
                "spool file",
                "%s holds lines that are no operations; it is kept as .bad",
                batch.path,
            )
        self._spool.discard(batch, keep_as=keep_as)
        if batch.is_own:
            self._count_missing(batch.count - len(runs))
            with self._lock:
                self.unconfirmed -= batch.count
                if self._remembered.pop(batch, None) is not None:
                    self._remembered_bytes -= batch.size
        self._room.set()
        self._on_progress()
        return True

    def _count_missing(self, count: int) -> None:
        """Count what somebody took out of the folder before it was sent."""
        if count > 0:
            warn(
                "spool gone", "%d runs were no longer in the spool when they were to be sent", count
            )
        for _ in range(count):
            self.lost.count(self._project, "runs")

    def _read(self, batch: Batch) -> tuple[list[EncodedRun], bool]:
        """Return a batch's runs, and whether they are all that its file says."""
        remembered = self._remembered.get(batch)
        if remembered is not None:
            return remembered, True
        runs: list[EncodedRun] = []
        is_whole = True
        with contextlib.suppress(OSError):  # somebody has cleared the folder
            for _, run in read_operations(batch.path):
                if run is None:
                    is_whole = False
                else:
                    runs.append(run)
        return runs, is_whole

    def _resign(self) -> None:
        self.has_resigned = True
        self._on_progress()
