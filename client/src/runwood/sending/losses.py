"""What was lost, per project, as totals of this process: the server may hear them twice or late."""

from __future__ import annotations

import threading

MAX_PROJECTS = 100


class Losses:
    """Counters that only grow, and how much of them the server knows."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._counts: dict[str, dict[str, int]] = {}
        self.total = 0
        self._reported = 0
        self._flushed = 0

    def count(self, project: str, what: str) -> None:
        """Add one loss: of a run, of its `payloads`, or of its `ends`."""
        with self._lock:
            if project not in self._counts and len(self._counts) >= MAX_PROJECTS:
                project = "…"
            counts = self._counts.setdefault(project, {})
            counts[what] = counts.get(what, 0) + 1
            self.total += 1

    def by_project(self) -> dict[str, dict[str, int]]:
        """Return a copy of all counters."""
        with self._lock:
            return {project: dict(counts) for project, counts in self._counts.items()}

    @property
    def is_unreported(self) -> bool:
        """Whether there are losses of which the server was not told."""
        return self.total > self._reported

    def mark_reported(self, total: int) -> None:
        """Note that the server knows of the first `total` losses."""
        with self._lock:
            self._reported = max(self._reported, total)

    def take_since_flush(self) -> int:
        """Return the losses since this was asked last."""
        with self._lock:
            losses = self.total - self._flushed
            self._flushed = self.total
        return losses
