"""Slows down the guessing of passwords. Counts are kept per process: W processes allow W times as many tries."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_SECONDS = 300.0
MAX_FAILURES = 8  # of one name from one address; a person who forgot rarely tries more
MAX_KEYS = 10_000  # an attacker's invented names must not fill the memory


class FailureThrottle:
    """Remembers when each key last failed, for the length of a window."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, key: str) -> int:
        """Return how long `key` must wait before its next try: 0 is now."""
        with self._lock:
            times = self._failures.get(key)
            if times is None or len(times) < MAX_FAILURES:
                return 0
            return max(0, round(times[0] + WINDOW_SECONDS - self._clock() + 0.5))

    def note_failure(self, key: str) -> None:
        with self._lock:
            times = self._failures.setdefault(key, deque(maxlen=MAX_FAILURES))
            times.append(self._clock())
            self._failures.move_to_end(key)
            while len(self._failures) > MAX_KEYS:
                self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        with self._lock:
            self._failures.pop(key, None)

    def forget_all(self) -> None:
        with self._lock:
            self._failures.clear()


sign_in_failures = FailureThrottle()
