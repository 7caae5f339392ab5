"""What can stand at the caret of the search box: fields, and values that were seen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collector.query.fields import STATES
from collector.query.search import HAS, PAIRS, SEARCH_FIELDS
from viewer.present.run_types import LOOKS

MAX_SUGGESTIONS = 8
_TOKEN = re.compile(r'(?:^|(?<=[\s(-]))[^\s()"-][^\s()"]*$|$')
_OPERATOR = re.compile(r"(?:>=|<=|>|<)?")
_BARE = re.compile(r'[^\s()"<>=*][^\s()"*]*')

FIXED: dict[str, Iterable[str]] = {"status": STATES, "type": LOOKS, "has": HAS}
Observe = Callable[[str, str], list[tuple[str, int]]]  # of a field and a part: values and counts
OBSERVED = ("name", "tag", "model")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing to write: the whole text with it, and where the caret is then."""

    shown: str
    note: str
    text: str
    caret: int


def suggest(text: str, caret: int, observe: Observe) -> list[Suggestion]:
    """Return what the word before the caret may become. Nothing inside of quotes."""
    before, after = text[:caret], text[caret:]
    if before.count('"') % 2:
        return []
    found = _TOKEN.search(before)
    token = found[0] if found else ""
    start = len(before) - len(token)

    def made(shown: str, note: str, written: str) -> Suggestion:
        return Suggestion(shown, note, before[:start] + written + after, start + len(written))

    field, colon, value = token.partition(":")
    if not colon:
        return [made(word, note, word) for word, note in _fields(token)]
    value = value[len(_OPERATOR.match(value)[0]) :]  # type: ignore[index]  # it always matches
    values = _values(field, value, observe)
    return [made(word, note, f"{field}:{_written(word)} ") for word, note in values]


def _fields(part: str) -> list[tuple[str, str]]:
    known = [(f"{word}:", item.example) for word, item in SEARCH_FIELDS.items()]
    known += [(f"{word}.", "with a key") for word in PAIRS if word not in SEARCH_FIELDS]
    known += [("has:", "feedback"), ("any(", "of one run")]
    fitting = [item for item in known if item[0].startswith(part.lower())]
    return fitting[:MAX_SUGGESTIONS]


def _values(field: str, part: str, observe: Observe) -> list[tuple[str, str]]:
    if field in FIXED:
        fitting = [word for word in FIXED[field] if word.startswith(part.lower())]
        return [(word, "") for word in fitting[:MAX_SUGGESTIONS]]
    if field in OBSERVED:
        return [(word, f"{count:,}") for word, count in observe(field, part)]
    return []


def _written(value: str) -> str:
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
