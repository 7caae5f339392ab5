"""Copies of components' own descriptions (`serialized`), kept as long as they stay the same.

langchain-core hands over the same dict at each call of a model or prompt. To walk it would be half of what
such a start costs; to compare it with its copy takes a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MAX_KEPT = 128
MAX_KEPT_BYTES = 16 << 10  # of one


class _Kept(NamedTuple):
    source: dict[str, Any]  # held, so that nothing else gets its id
    copied: Any
    size: int


class Descriptions:
    """The descriptions of an app's components, by identity."""

    def __init__(self, take: Callable[[dict[str, Any]], tuple[Any, int]]) -> None:
        self._take = take
        self._kept: dict[int, _Kept] = {}

    def copy(self, serialized: dict[str, Any]) -> tuple[Any, int]:
        """Return a description by value, and about its bytes. The copy is shared: nobody may change it."""
        kept = self._kept.get(id(serialized))
        if kept is not None and _is_same(kept, serialized):
            return kept.copied, kept.size
        copied, size = self._take(serialized)
        if size <= MAX_KEPT_BYTES:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[id(serialized)] = _Kept(serialized, copied, size)
        return copied, size


def _is_same(kept: _Kept, serialized: dict[str, Any]) -> bool:
    """Whether the copy is still what it was made of. One in which something was hidden or cut never is."""
    try:
        return kept.source is serialized and bool(kept.copied == serialized)
    except Exception:  # noqa: BLE001  a value of the app's that does not let itself be compared
        return False
