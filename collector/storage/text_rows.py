"""What a trace says → the rows of tokens that its part of the text index is made of.

Postgres keeps 256 positions of a word in a row and none past 16,383, and says nothing of what it drops. So a row has
4,000 tokens at most, and no token of it comes more often than 256 times; rows overlap, so that a phrase of
`LONGEST_PHRASE` tokens stands whole in one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from collector.storage.tokens import tokens

MAX_TOKENS = 4_000
MAX_REPEATS = 256
OVERLAP = 8
LONGEST_PHRASE = OVERLAP + 1

# A trace that says more is indexed so far, and marked: it may say anything, and is looked at.
MAX_ROWS = 500
CHUNK_CHARACTERS = 1 << 18


def token_rows(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the tokens of a trace's texts in rows; a text that came before is left out."""
    waiting: list[str] = []
    for chunk in _chunks(texts):
        waiting += tokens(chunk)
        while len(waiting) > MAX_TOKENS:
            row = _first_row(waiting)
            yield row
            del waiting[: len(row) - OVERLAP]
    while waiting:
        row = _first_row(waiting)
        yield row
        if len(row) == len(waiting):
            return
        del waiting[: len(row) - OVERLAP]


def _chunks(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts joined to long ones: a call for each would cost more than its work."""
    seen: set[int] = set()
    chunk: list[str] = []
    size = 0
    for text in texts:
        mark = hash(text)
        if mark in seen:
            continue
        seen.add(mark)
        chunk.append(text)
        size += len(text)
        if size > CHUNK_CHARACTERS:
            yield "\n".join(chunk)
            chunk, size = [], 0
    if chunk:
        yield "\n".join(chunk)


def _first_row(waiting: list[str]) -> list[str]:
    row = waiting[:MAX_TOKENS]
    often = {token for token, count in Counter(row).items() if count > MAX_REPEATS}
    if not often:
        return row
    counts = dict.fromkeys(often, 0)
    for place, token in enumerate(row):
        if token in counts:
            counts[token] += 1
            if counts[token] > MAX_REPEATS:
                return row[:place]
    return row
