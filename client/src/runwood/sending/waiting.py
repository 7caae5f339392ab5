"""Operations between the callbacks and the sender: bounded in number and in bytes.

A run that ends before its start has left becomes one operation, so that a short run is one item
here, one create on the wire and one version for the server to merge.

The callbacks' side must never block and may be re-entered by the garbage collector in the middle of
any line, so there is no lock that is held for long and none that is not reentrant.
"""

from __future__ import annotations

import threading
from collections import deque

from runwood.recording.operation import BARE_SIZE, Operation

# An end is worth more than a start: it may still come when starts are refused, without its payloads.
END_RESERVE = 1.25
# Of the bytes. What comes above the first is kept without its payloads, above the second only if it is an end.
WHOLE_PART = 0.8
START_PART = 0.95


class WaitingOperations:
    """A queue that counts what it holds until it is settled: sent, or given up."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.accepted = 0  # ever; flush waits until as many are settled
        self.settled = 0
        self.bytes = 0  # about how many those in memory are
        self.items: deque[Operation] = deque()  # what has not been taken
        self._lock = threading.RLock()

    @property
    def held(self) -> int:
        """How many operations are in memory, the ones being sent included."""
        return self.accepted - self.settled

    @property
    def has_plenty_of_room(self) -> bool:
        """Whether less than half of what may wait does."""
        return self.held < self.max_items / 2 and self.bytes < self.max_bytes / 2

    def put(self, operation: Operation, earlier: Operation | None) -> tuple[bool, bool]:
        """Return whether the operation was taken, and whether whole: payloads go before runs do.

        `earlier` is another one of the same run, or None.
        """
        is_whole = True
        with self._lock:
            if earlier is not None and not earlier.is_waiting:
                earlier = None
            if earlier is None and self._is_full(is_end=operation.is_update):
                return False, True
            if self.bytes + operation.size > self.max_bytes * WHOLE_PART:
                operation.strip()
                is_whole = False
            if earlier is not None:
                before = earlier.size
                earlier.absorb(operation)
                self.bytes += earlier.size - before
            else:
                operation.is_waiting = True
                self.items.append(operation)
                self.bytes += operation.size
                self.accepted += 1
        return True, is_whole

    def take(self, limit: int, max_bytes: int) -> list[Operation]:
        """Return the oldest operations, at least one, and no more than stay within both limits.

        They count as held until `settle`. What is taken is soon in memory twice, as it is and encoded.
        """
        taken: list[Operation] = []
        size = 0
        with self._lock:
            while self.items and len(taken) < limit:
                size += self.items[0].size
                if taken and size > max_bytes:
                    break
                operation = self.items.popleft()
                operation.is_waiting = False
                taken.append(operation)
        return taken

    def _is_full(self, *, is_end: bool) -> bool:
        """Whether there is no room for another run, not even without its payloads."""
        items = self.max_items * (END_RESERVE if is_end else 1.0)
        part = 1.0 if is_end else START_PART
        return (
            self.accepted - self.settled >= items or self.bytes + BARE_SIZE > self.max_bytes * part
        )

    def settle(self, operations: list[Operation]) -> None:
        """Let go of operations that were taken."""
        with self._lock:
            self.settled += len(operations)
            self.bytes -= sum(operation.size for operation in operations)
        for operation in operations:
            operation.fields = {}  # a run that is still open knows its last operation
