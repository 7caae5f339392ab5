"""What a trace may be found by: hashes of what its runs say, in one row a trace.

Payloads lie in compressed blocks that no index sees. So the worker notes, for each trace, a hash of each
name, tag, model and of each pair in metadata, inputs and outputs. A reader turns a filter into the same
hashes, takes the traces that hold them, and looks at the payloads of those alone. A hash only says
"perhaps", and `OVERFLOW` says it of everything: what is found must be looked at, what is not found is not
there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Literal
from uuid import UUID

# What a term speaks of; "…_key" terms say that a pair with this key is there, whatever its value.
Kind = Literal[
    "name", "model", "tag", "error",
    "metadata_key", "metadata", "input_key", "input", "output_key", "output",
]  # fmt: skip

# A trace or run that says too much to note all of it.
OVERFLOW = 0
MAX_TERMS_PER_TRACE = 2_000

MAX_PAIRS = 100  # of one payload
MAX_DEPTH = 8
MAX_VALUE_CHARACTERS = 250  # of a term; readers compare whole values
_SIGN = 1 << 31


def term(project_id: UUID, kind: Kind, key: str, value: str | None = None) -> int:
    """Return the hash of one fact as a signed 32-bit number, never OVERFLOW.

    `key` is the name, tag or model itself, or the dotted path of a pair; "" for an error.
    """
    text = f"{kind}\0{key}" if value is None else f"{kind}\0{key}\0{value[:MAX_VALUE_CHARACTERS]}"
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"), zlib.crc32(project_id.bytes))
    return (number - _SIGN) or 1


def flatten(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, value as text) of the leaves of a JSON object, depth first; arrays add no step.

    `{"messages": [{"content": "hi"}]}` gives `messages.content` → `hi`. Ends after MAX_PAIRS leaves, and
    then yields one pair of empty texts: there was more.
    """
    count = 0
    # Of (path, value): a stack keeps hostile depth off the interpreter's.
    stack: list[tuple[str, Any, int]] = [("", value, 0)]
    while stack:
        path, item, depth = stack.pop()
        if isinstance(item, dict) and depth < MAX_DEPTH:
            children = [
                (f"{path}.{key}" if path else str(key), child, depth + 1)
                for key, child in item.items()
            ]
            stack.extend(reversed(children))
        elif isinstance(item, list) and depth < MAX_DEPTH:
            stack.extend((path, child, depth + 1) for child in reversed(item))
        elif path:
            if count == MAX_PAIRS or isinstance(item, (dict, list)):
                yield "", ""
                return
            count += 1
            yield path, as_text(item)


def as_text(value: Any) -> str:
    """Return a scalar as the text that filters compare it by: 42, true, null, or the string itself."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
