"""What a run says: the texts and whole numbers in its payload, without the keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.storage import jsonvalue

MAX_DEPTH = 200


def leaf_texts(value: Any) -> Iterator[str]:
    """Yield the texts and whole numbers of a JSON value in their order. A float is no text."""
    waiting = [iter((value,))]
    while waiting:
        for item in waiting[-1]:
            kind = type(item)
            if kind is str:
                yield item
            elif kind is int:
                yield str(item)
            elif (kind is dict or kind is list) and len(waiting) < MAX_DEPTH:
                waiting.append(iter(item.values() if kind is dict else item))
                break
        else:
            waiting.pop()


def json_texts(text: bytes) -> Iterator[str]:
    """Yield what a JSON text says; one that nothing can read is what it is."""
    value = jsonvalue.parse(text)
    if value is None and text not in (b"", b"null"):
        yield text.decode("utf-8", "replace")
    else:
        yield from leaf_texts(value)


def said_texts(inputs: bytes, outputs: bytes, extra: bytes, error: str) -> Iterator[str]:
    """Yield what is said in the parts of a run's payload: inputs, outputs, metadata, error."""
    for text in (inputs, outputs):
        yield from json_texts(text)
    if extra:
        yield from leaf_texts(jsonvalue.parse_object(extra).get("metadata"))
    if error:
        yield error
