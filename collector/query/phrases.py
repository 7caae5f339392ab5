"""A text that is looked for: how it is found in what a run says, and which tokens the index must have.

A word stands for all that begin with it, `*fund` and `*fund*` also for what has it inside; of one or two letters it is
the whole word. A quoted text stands as it is, with whole words at its ends. Upper and lower case are the same, and so is
any white space. What stands in the middle of a word no token tells: there the index is no help, and what is left is to
look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from collector.query.words import storable
from collector.storage.text_rows import LONGEST_PHRASE
from collector.storage.tokens import JOINED, TokenPhrase, tokens

SHORT_WORD = 3  # a word of fewer characters is no beginning: too many words begin so
MAX_INDEXED_PARTS = 4  # of one long text, each of LONGEST_PHRASE tokens

_JOINED = re.compile(JOINED)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A folded text, and whether words may go on before and after it."""

    text: str
    goes_on_before: bool = False
    goes_on_after: bool = False

    def find(self, folded: str) -> Iterator[tuple[int, int]]:
        """Yield where it stands in a folded text."""
        return (found.span() for found in _pattern(self).finditer(folded))

    def is_in(self, folded: str) -> bool:
        return _pattern(self).search(folded) is not None

    @property
    def tokens(self) -> list[str]:
        """Tokens that stand, if only as parts of others, in whatever has this phrase."""
        return _tokens(self.text)

    @property
    def indexed(self) -> tuple[TokenPhrase, ...]:
        """What stands in the index of a trace that says this: each in some row of it. None: the index does not tell."""
        found = self.tokens
        if self.goes_on_before and _JOINED.match(self.text):
            found = found[1:]
        is_prefix = self.goes_on_after and _JOINED.match(self.text[-1:]) is not None
        parts = [
            tuple(found[first : first + LONGEST_PHRASE])
            for first in range(0, len(found), LONGEST_PHRASE)
        ]
        last = len(parts) - 1
        return tuple(
            TokenPhrase(part, is_prefix and number == last)
            for number, part in enumerate(parts[:MAX_INDEXED_PARTS])
        )

    def __str__(self) -> str:
        return f"{'…' * self.goes_on_before}{self.text}{'…' * self.goes_on_after}"


def word_phrase(word: str) -> Phrase:
    """Return what a bare word of the search box looks for."""
    text = storable(word.strip("*")).casefold()
    goes_on = "*" in (word[:1], word[-1:]) or len(text) >= SHORT_WORD
    return Phrase(text, word.startswith("*"), goes_on and _JOINED.match(text[-1:]) is not None)


def quoted_phrase(text: str) -> Phrase:
    """Return what a quoted text looks for."""
    return Phrase(" ".join(storable(text).casefold().split()))


@lru_cache(maxsize=512)
def _tokens(text: str) -> list[str]:
    return tokens(text)


@lru_cache(maxsize=512)
def _pattern(phrase: Phrase) -> re.Pattern[str]:
    text = r"\s+".join(map(re.escape, phrase.text.split()))
    before = "" if phrase.goes_on_before or not _JOINED.match(phrase.text) else f"(?<!{JOINED})"
    is_open = phrase.goes_on_after or not _JOINED.match(phrase.text[-1:])
    return re.compile(f"{before}{text}{'' if is_open else f'(?!{JOINED})'}")
