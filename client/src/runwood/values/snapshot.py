"""Copies a payload by value, inside the event, into what JSON can hold.

The app and LangGraph itself change inputs, outputs and metadata after the event, so nothing may be
read later. The walk is bounded in depth, items and bytes, follows no cycle, calls no code of the app
that it can avoid, and turns whatever cannot be read into a word about it. It cuts values and keeps
the run. Strings are shared and not copied: what the app's thread pays for is the number of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from math import isfinite
from typing import Any

from runwood.values.convert import MAX_ITEMS, converter_for, converters, key_text, kind_name
from runwood.values.redaction import REDACTED, Redactor, is_worth_hiding

MAX_DEPTH = (
    64  # two frames a level: far from the recursion limit, even deep inside an app's own stack
)
MAX_NUMBERS = 100_000  # of one list of nothing but numbers
MAX_VALUES = 200_000  # of one payload: 40 ms of walking at worst
MAX_STRING = 4 << 20  # characters; an image as base64 fits
SHORT_STRING = 4096  # bytes; up to here a string needs no look at the budget
CUT_STRING = 1000  # what is kept of a string once the payload's bytes are used up

# What things take in memory, a little more rather than less (CPython 3.11 to 3.14, 64 bit).
DICT_SIZE, ENTRY_SIZE = 120, 36
LIST_SIZE, ITEM_SIZE = 80, 9
SCALAR_SIZE = 32
_sizeof = str.__sizeof__  # as quick as `len`, and knows how wide the characters are

Verdict = Callable[[Any], "bool | None"]  # of a key: whether it names a secret, None for not known

_SCALARS = frozenset((int, bool, type(None)))
_NUMBERS = frozenset((int, float))
_CONTAINERS = frozenset((dict, list))
_NOTHING_KNOWN: Verdict = {}.get
_LONG_LIST = 48  # from here on it pays to ask first whether all items are numbers


class Snapshot:
    """One walk over one payload. `size` is about the bytes that the copy takes in memory."""

    __slots__ = ("max_bytes", "path", "redactor", "size", "values")

    def __init__(self, max_bytes: int, redactor: Redactor) -> None:
        self.max_bytes = max_bytes
        self.redactor = redactor
        self.size = 0
        self.values = 0
        self.path: set[int] = set()  # ids of the containers around the current value

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Return the value as JSON types, sharing no container with it."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind in _SCALARS:
            self.values += 1
            self.size += SCALAR_SIZE
            return value
        if kind is dict:
            if len(value) > MAX_ITEMS:
                return self.mapping(value, list(islice(value.items(), MAX_ITEMS)), depth)
            # A copy, made in one step: another thread may be adding keys.
            return self.mapping(value, value.copy().items(), depth)
        if kind is list or kind is tuple:
            return self.sequence(value, depth)
        if kind is float:
            self.values += 1
            self.size += SCALAR_SIZE
            return value if isfinite(value) else str(value)
        try:
            return (converters.get(kind) or converter_for(kind))(self, value, depth)
        except Exception as error:  # noqa: BLE001  a raising repr, property or iterator of the app
            return f"<{kind_name(kind)}, unreadable: {kind_name(type(error))}>"

    def text(self, value: str) -> str:
        """Return the string, cut where it is longer than what is left for it."""
        self.values += 1
        length, size = len(value), _sizeof(value)
        allowed, room = MAX_STRING, self.max_bytes - self.size
        if size > room:
            allowed = max(CUT_STRING, min(allowed, length * room // size))
        if length > allowed:
            # Three dots: one `…` would double what a long ASCII text takes.
            value = f"{value[:allowed]}... [cut: {allowed:,} of {length:,} characters]"
            size = size * allowed // length
        self.size += size
        return value

    def mapping(  # noqa: C901  its cases are written out for speed
        self,
        owner: Any,
        items: Iterable[tuple[Any, Any]],
        depth: int,
        *,
        skip_none: bool = False,
    ) -> Any:
        """Copy the items of `owner`, which is what a cycle would come back to.

        The common cases are written out, and sums kept in locals between two nested containers:
        this loop is half of what the handler costs.
        """
        identity, path = id(owner), self.path
        if (
            depth >= MAX_DEPTH
            or identity in path
            or self.size > self.max_bytes
            or self.values > MAX_VALUES
        ):
            return self._left_out(owner, identity)
        path.add(identity)
        copied: dict[str, Any] = {}
        known: Verdict = self.redactor.known.get
        size = 0
        for key, value in items:
            hides = known(key)
            if hides is None:  # a key that was never seen, or none that JSON can have
                if type(key) is not str:
                    known = _NOTHING_KNOWN  # from here on every key may meet this one's text
                key, hides = self._learn(key, copied)
                size += _sizeof(key)
            kind = type(value)
            if kind in _SCALARS:
                if value is not None or not skip_none:
                    copied[key] = value
            elif hides and is_worth_hiding(value):
                copied[key] = REDACTED
            elif kind is str and (weight := _sizeof(value)) <= SHORT_STRING:
                copied[key] = value
                size += weight
            elif not value and kind in _CONTAINERS:
                copied[key] = kind()
            else:
                self.size += size
                size = 0
                if kind is list:
                    copied[key] = self.sequence(value, depth + 1)
                else:
                    copied[key] = self.copy(value, depth + 1)
                if self.values > MAX_VALUES:
                    break
        path.discard(identity)
        self.size += size + DICT_SIZE + ENTRY_SIZE * len(copied)
        self.values += len(copied)
        if len(copied) >= MAX_ITEMS or self.values > MAX_VALUES:
            _mark_cut(copied, owner)
        return copied

    def sequence(self, value: Any, depth: int) -> Any:
        """Copy a list, or anything that has a length and is not used up by iterating."""
        identity = id(value)
        if depth >= MAX_DEPTH or identity in self.path or self.is_used_up:
            return self._left_out(value, identity)
        total = len(value)
        items = list(value) if total <= MAX_NUMBERS else list(islice(value, MAX_NUMBERS))
        if total > _LONG_LIST and _are_numbers(items):
            return self._numbers(items, total)
        self.path.add(identity)
        copied: list[Any] = []
        append, size = copied.append, LIST_SIZE
        for item in items if total <= MAX_ITEMS else items[:MAX_ITEMS]:
            kind = type(item)
            if kind in _SCALARS:
                append(item)
                size += SCALAR_SIZE
            elif kind is str and (weight := _sizeof(item)) <= SHORT_STRING:
                append(item)
                size += weight
            else:
                append(self.copy(item, depth + 1))
                if self.values > MAX_VALUES:
                    break
            size += ITEM_SIZE
        self.path.discard(identity)
        self.values += len(copied)
        self.size += size
        if len(copied) < total:
            append(f"… [cut: {len(copied):,} of {total:,} items]")
        return copied

    @property
    def is_used_up(self) -> bool:
        """Whether no further container may be opened."""
        return self.size > self.max_bytes or self.values > MAX_VALUES

    def _numbers(self, items: list[Any], total: int) -> list[Any]:
        each = SCALAR_SIZE + ITEM_SIZE
        del items[max(0, (self.max_bytes - self.size) // each) :]
        self.values += len(items) // 16  # each costs a sixteenth of a walked value
        self.size += LIST_SIZE + each * len(items)
        if len(items) < total:
            items.append(f"… [cut: {len(items):,} of {total:,} items]")
        return items

    def _learn(self, key: Any, taken: dict[str, Any]) -> tuple[str, bool]:
        """Return the key as JSON can have it, and whether it names a secret."""
        name = key_text(key, taken)
        return name, self.redactor.names_secret(name)

    def _left_out(self, value: Any, identity: int) -> str:
        self.values += 1
        self.size += 100
        name = kind_name(type(value))
        if identity in self.path:
            return f"<{name}, left out: it contains itself>"
        if self.is_used_up:
            return f"<{name}, left out: the payload is over its limit>"
        return f"<{name}, left out: deeper than {MAX_DEPTH} levels>"


def _are_numbers(items: list[Any]) -> bool:
    """Whether all are finite numbers, as in an embedding. Both questions are answered in C."""
    if not _NUMBERS.issuperset(map(type, items)):
        return False
    try:
        return isfinite(sum(items))
    except OverflowError:
        return False


def _mark_cut(copied: dict[str, Any], owner: Any) -> None:
    try:
        total = len(owner)
    except TypeError:  # not everything with items has a length
        total = len(copied) + 1
    if total > len(copied):
        copied["…"] = f"[cut: {len(copied):,} of {total:,} keys]"
