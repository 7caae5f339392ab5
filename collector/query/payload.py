"""What only a run's payload tells: its pairs and its words, and the tests of them.

Pairs are those that `storage.terms.flatten` makes, from the same parser, so that a term never denies
what a test here would find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias, cast

import orjson
import re2

from collector.query.phrases import Phrase
from collector.query.tree import Operator, Scalar, Value
from collector.query.words import storable
from collector.storage import jsonvalue
from collector.storage.blocks import RunPayload
from collector.storage.leaves import json_texts, leaf_texts
from collector.storage.terms import as_text, flatten

Source: TypeAlias = Literal["metadata", "input", "output"]
Area: TypeAlias = Literal["name", "error", "inputs", "outputs", "metadata"]
AREAS: tuple[Area, ...] = ("name", "error", "inputs", "outputs", "metadata")
TextTest: TypeAlias = Callable[[str], bool]


class RunTexts:
    """What one run says, read as it is asked for."""

    def __init__(self, name: str, error: str, payload: RunPayload) -> None:
        """Take the name and the first line of the error from the run's row."""
        self._name = name
        self._error = payload.error or error
        self._payload = payload
        self._pairs: dict[Source, list[tuple[str, str]]] = {}
        self._areas: dict[Area, str] = {}
        self._said: dict[Area, str] = {}
        self._raw_said: dict[Area, str | None] = {}

    def pairs(self, source: Source) -> list[tuple[str, str]]:
        """Return (dotted path, value as text) of a part of the payload."""
        if source not in self._pairs:
            self._pairs[source] = flatten(self._value(source))
        return self._pairs[source]

    def _value(self, source: Source) -> Any:
        return self._metadata if source == "metadata" else jsonvalue.parse(self._raw(source))

    def _raw(self, source: Source) -> bytes:
        fields = {"metadata": "extra", "input": "inputs", "output": "outputs"}
        raw: bytes = getattr(self._payload, fields[source])
        return raw

    def may_say(self, source: Source, word: bytes) -> bool:
        """Return whether a word, of small ASCII letters, may stand in the JSON text.

        A look at the bytes spares most payloads the parsing. Where letters may be written otherwise it
        is no answer.
        """
        raw = self._raw(source)
        return not raw.isascii() or rb"\u" in raw or word in raw.lower()

    def says(self, area: Area, phrase: Phrase) -> bool:
        """Return whether a phrase stands in a text of an area: a value, not a key."""
        raw = self._folded_raw(area)
        if raw is not None and not all(token in raw for token in phrase.tokens):
            return False
        return phrase.is_in(self._folded(area))

    def leaves(self, area: Area) -> list[str]:
        """Return the texts of an area as they are."""
        if area in ("name", "error"):
            return [self._name if area == "name" else self._error]
        if area == "metadata":
            return list(leaf_texts(self._metadata))
        return list(json_texts(getattr(self._payload, area)))

    def _folded(self, area: Area) -> str:
        if area not in self._said:
            # no phrase holds a NUL, so none reaches from one text into the next
            self._said[area] = "\0".join(self.leaves(area)).casefold()
        return self._said[area]

    def _folded_raw(self, area: Area) -> str | None:
        """Return the JSON text, which spares most payloads the parsing; None where letters are escaped in it."""
        if area not in self._raw_said:
            field = "extra" if area == "metadata" else area
            raw: bytes = b"" if area in ("name", "error") else getattr(self._payload, field)
            is_telling = raw and rb"\u" not in raw
            self._raw_said[area] = raw.decode("utf-8", "replace").casefold() if is_telling else None
        return self._raw_said[area]

    @cached_property
    def _metadata(self) -> Any:
        return jsonvalue.parse_object(self._payload.extra).get("metadata")

    def area(self, area: Area) -> str:
        """Return the text of an area in lower case; that of a payload is JSON, non-ASCII letters as such."""
        if area not in self._areas:
            self._areas[area] = self._area(area).lower()
        return self._areas[area]

    def _area(self, area: Area) -> str:
        if area == "name":
            return self._name
        if area == "error":
            return self._error
        if area == "metadata":
            return _json_text(self._metadata) if self._metadata else ""
        text: bytes = getattr(self._payload, area)
        if rb"\u" in text:  # as some clients write every letter outside ASCII
            return _json_text(jsonvalue.parse(text))
        return text.decode("utf-8", "replace")


def _json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError, RecursionError):
        return str(value)


class PayloadTest(Protocol):
    """A test that SQL cannot decide."""

    def holds(self, run: RunTexts) -> bool: ...


@dataclass(frozen=True, slots=True)
class HasPair:
    """Some one pair whose key and value pass all of their tests."""

    source: Source
    key_tests: tuple[TextTest, ...]
    value_tests: tuple[TextTest, ...]
    words: tuple[bytes, ...] = ()  # that a passing value says

    def holds(self, run: RunTexts) -> bool:
        return all(run.may_say(self.source, word) for word in self.words) and any(
            all(test(key) for test in self.key_tests)
            and all(test(value) for test in self.value_tests)
            for key, value in run.pairs(self.source)
        )


@dataclass(frozen=True, slots=True)
class HasMetadata:
    """All of these pairs of the metadata."""

    pairs: frozenset[tuple[str, str]]

    def holds(self, run: RunTexts) -> bool:
        return self.pairs.issubset(run.pairs("metadata"))


@dataclass(frozen=True, slots=True)
class ErrorLike:
    """A run whose whole error, not just its first line, passes."""

    test: TextTest

    def holds(self, run: RunTexts) -> bool:
        error = run.area("error")
        return bool(error) and self.test(error)


class HasWords:
    """Each word somewhere in some of the areas, as a part of a longer word too, in upper or lower case."""

    def __init__(self, areas: tuple[Area, ...], text: str) -> None:
        self._areas = areas
        # as it stands in plain text, and as in JSON
        self._words = [(word, escaped_for_json(word)) for word in text.lower().split()]

    def holds(self, run: RunTexts) -> bool:
        return all(
            any(
                (word if area in ("name", "error") else escaped) in run.area(area)
                for area in self._areas
            )
            for word, escaped in self._words
        )


@dataclass(frozen=True, slots=True)
class HasPhrase:
    """A phrase in a text of some of the areas."""

    areas: tuple[Area, ...]
    phrase: Phrase

    def holds(self, run: RunTexts) -> bool:
        return any(run.says(area, self.phrase) for area in self.areas)


def escaped_for_json(word: str) -> str:
    """Return a word as it stands within JSON text in lower case."""
    return orjson.dumps(storable(word)).decode()[1:-1].lower()


def texts_of(value: Scalar) -> frozenset[str]:
    """Return the texts that a value in a payload may have to equal this one: 5 equals 5, 5.0 and "5"."""
    if isinstance(value, Decimal):
        texts = {repr(float(value))}
        if value == value.to_integral_value():
            texts.add(str(int(value)))
        return frozenset(texts)
    return frozenset({as_text(value)})


def text_test(operator: Operator, value: Value) -> TextTest:
    """Return the test of a key or value in a payload."""
    if operator in ("eq", "in"):
        wanted = all_texts_of(value)
        return lambda text: text in wanted
    if operator == "neq":
        unwanted = all_texts_of(value)
        return lambda text: text not in unwanted
    if operator == "like":
        return like_test(cast("str", value))
    return _order_test(operator, cast("Scalar", value))


def all_texts_of(value: Value) -> frozenset[str]:
    """Return the texts of a value, or of all the values of a list."""
    values = value if isinstance(value, tuple) else (value,)
    return frozenset[str]().union(*map(texts_of, values))


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def _order_test(operator: Operator, value: Scalar) -> TextTest:
    """Numbers compare as numbers, and nothing else is above or below a number; texts compare as texts."""
    compare = _ORDER[operator]
    if not isinstance(value, Decimal):
        limit_text = as_text(value)
        return lambda text: compare(text, limit_text)
    limit = float(value)

    def test(text: str) -> bool:
        try:
            return compare(float(text), limit)
        except ValueError:
            return False

    return test


# Four letters: fewer stand in the text of a number, which may be written otherwise in JSON (1e-07, inf)
_WORD = re.compile("[a-z]{4,}")


def longest_word(pattern: str) -> bytes:
    """Return the longest word of ASCII letters that whatever a LIKE pattern matches holds."""
    # an escape may make a letter of it: it ends a word
    words = _WORD.findall(re.sub(r"\\.", " ", pattern.lower(), flags=re.DOTALL))
    return max(words, key=len, default="").encode()


_QUIET = re2.Options()
_QUIET.log_errors = False


def like_test(pattern: str) -> TextTest:
    """Return the test of SQL's ILIKE: % is any text, _ any one character. In time linear in the text."""
    parts: list[str] = []
    characters = iter(storable(pattern))
    for character in characters:
        if character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        else:
            literal = next(characters, "\\") if character == "\\" else character
            parts.append(re2.escape(literal))
    matcher = re2.compile("(?is)" + "".join(parts), _QUIET)
    return lambda text: matcher.fullmatch(storable(text)) is not None
