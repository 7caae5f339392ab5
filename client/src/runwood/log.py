"""Warnings for the app's log, each kind at most once a minute: a dead server must not flood it."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger("runwood")
QUIET_SECONDS = 60.0

_last_said: dict[str, float] = {}
_held_back: dict[str, int] = {}


def warn(kind: str, message: str, *values: object) -> None:
    """Log `message % values`, unless a warning of the same kind was logged in the last minute."""
    now = time.monotonic()
    last = _last_said.get(kind)
    if last is not None and now - last < QUIET_SECONDS:
        _held_back[kind] = _held_back.get(kind, 0) + 1
        return
    _last_said[kind] = now
    held_back = _held_back.pop(kind, 0)
    if held_back:
        message += f" ({held_back} more of these since the last report)"
    logger.warning(message, *values)
