"""How many pages may be told of news in a second: each then asks for what it shows, which is what watching costs.

The first to wait is the first to go on. A few readers hear of everything at once; two hundred of one busy project
hear of it every few seconds, and whoever opens a page meanwhile does not wait behind them.
"""

from __future__ import annotations

import time
from threading import Lock

PER_SECOND = 25.0  # of a web process
AT_ONCE = 10  # after a time without news
LONGEST_SECONDS = 15.0  # a stream that says nothing for longer counts as dead


class Turns:
    """Hands out moments that lie apart."""

    def __init__(self, per_second: float = PER_SECOND, at_once: int = AT_ONCE) -> None:
        self._step = 1 / per_second
        self._ahead = (at_once - 1) * self._step
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Sleep until it is the caller's turn."""
        time.sleep(self.seconds(time.monotonic()))

    def seconds(self, now: float) -> float:
        """Return in how many seconds from now it is the caller's turn."""
        with self._lock:
            self._next = max(self._next + self._step, now - self._ahead)
            return min(max(self._next - now, 0.0), LONGEST_SECONDS)


turns = Turns()
