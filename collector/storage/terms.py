"""What a trace may be found by: hashes of what its runs say, in one row a trace.

Payloads lie in compressed blocks that no index sees. So the worker notes, for each trace, a hash of each
name, tag, model and of each pair in metadata, inputs and outputs. A reader turns a filter into the same
hashes, takes the traces that hold them, and looks at the payloads of those alone. A hash only says
"perhaps", and `OVERFLOW` says it of everything: what is found must be looked at, what is not found is not
there.
"""

from __future__ import annotations

import zlib
from typing import Any, Literal
from uuid import UUID

# What a term speaks of; "…_key" terms say that a pair with this key is there, whatever its value.
Kind = Literal[
    "name", "model", "tag", "error",
    "metadata_key", "metadata", "input_key", "input", "output_key", "output",
]  # fmt: skip

# Stands among the terms of a trace that says more than is noted: perhaps it says anything.
OVERFLOW = 0
MAX_TERMS_PER_TRACE = 2_000

# Of one payload, filters see this much: deeper or later values are stored and shown, not found by key.
MAX_PAIRS = 200
MAX_DEPTH = 12
MAX_VALUE_CHARACTERS = 250  # of a term; readers compare whole values
_SIGN = 1 << 31
_MAX_KNOWN = 100_000


class Terms:
    """Makes the terms of one project, and remembers those that it made: most facts come again and again."""

    def __init__(self, project_id: UUID) -> None:
        self._seed = zlib.crc32(project_id.bytes)
        self._known: dict[tuple[Kind, str, str | None], int] = {}

    def term(self, kind: Kind, key: str, value: str | None = None) -> int:
        """Return the hash of one fact as a signed 32-bit number, never OVERFLOW.

        `key` is the name, tag or model itself, or the dotted path of a pair; "" for a failure.
        """
        fact = (kind, key, value)
        return self._known.get(fact) or self._make(fact)

    def of_pairs(self, key_kind: Kind, kind: Kind, value: Any) -> set[int]:
        """Return the terms of the pairs in a JSON object: of each key, and of each pair."""
        known, make = self._known.get, self._make
        pairs = set(flatten(value))
        terms = {
            known(fact) or make(fact) for path, text in pairs for fact in ((kind, path, text),)
        }
        terms.update(self.term(key_kind, path) for path in {path for path, _ in pairs})
        return terms

    def _make(self, fact: tuple[Kind, str, str | None]) -> int:
        kind, key, value = fact
        text = kind + "\0" + key
        if value is not None:
            text += "\0" + value[:MAX_VALUE_CHARACTERS]
        number = zlib.crc32(text.encode("utf-8", "surrogatepass"), self._seed) - _SIGN
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        if value is None or len(value) <= MAX_VALUE_CHARACTERS:
            self._known[fact] = number or 1
        return number or 1


def term(project_id: UUID, kind: Kind, key: str, value: str | None = None) -> int:
    """Return the hash of one fact, as `Terms.term` does."""
    return Terms(project_id).term(kind, key, value)


def bounded(terms: set[int]) -> list[int]:
    """Return the terms of a trace as they are stored: where there are too many, that they overflow."""
    return [OVERFLOW] if len(terms) > MAX_TERMS_PER_TRACE else sorted(terms)


def flatten(value: Any) -> list[tuple[str, str]]:
    """Return (dotted path, value as text) of the leaves of a JSON object in their order; arrays add no step.

    `{"messages": [{"content": "hi"}]}` gives `messages.content` → `hi`. At most MAX_PAIRS, from no deeper
    than MAX_DEPTH; of a LangChain object (`lc`, `id`, `kwargs`) only what lies under `kwargs`.
    """
    leaves: list[tuple[str, str]] = []
    if isinstance(value, (dict, list)):
        _flatten("", value, 0, leaves)
    return leaves


def _flatten(path: str, value: Any, depth: int, leaves: list[tuple[str, str]]) -> None:
    if depth >= MAX_DEPTH:
        return
    if type(value) is list:
        children = [(path, child) for child in value]
    else:
        kwargs = value.get("kwargs")
        if (
            type(kwargs) is dict and "lc" in value
        ):  # a message of LangChain: the rest names its class
            value = {"kwargs": kwargs}
        children = [(f"{path}.{key}" if path else key, child) for key, child in value.items()]
    for below, child in children:
        kind = type(child)
        if kind is dict or kind is list:
            _flatten(below, child, depth + 1, leaves)
        elif len(leaves) >= MAX_PAIRS:
            return
        elif below:
            leaves.append((below, child if kind is str else as_text(child)))


def as_text(value: Any) -> str:
    """Return a scalar as the text that filters compare it by: 42, true, null, or the string itself."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
