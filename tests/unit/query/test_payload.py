"""What only payloads tell: pairs, words and patterns."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.query.payload import (
    AREAS,
    HasWords,
    RunTexts,
    Source,
    all_texts_of,
    like_test,
    longest_word,
    text_test,
)
from collector.storage.blocks import RunPayload
from collector.storage.terms import as_text


def texts(**fields: Any) -> RunTexts:
    return RunTexts(fields.pop("name", ""), fields.pop("row_error", ""), RunPayload(**fields))


def test_pairs_are_flattened_and_lists_add_no_step() -> None:
    run = texts(
        inputs=b'{"messages": [{"content": "hi"}, {"content": 5}], "n": null}',
        extra=b'{"metadata": {"a": {"b": true}}, "runtime": {"sdk": "x"}}',
    )
    assert run.pairs("input") == [
        ("messages.content", "hi"),
        ("messages.content", "5"),
        ("n", "null"),
    ]
    assert run.pairs("metadata") == [("a.b", "true")]
    assert run.pairs("output") == []


@pytest.mark.parametrize(
    "text", [b"", b"not json", b'"text"', b"[1]", b"null", b"\xff", b"[" * 3_000]
)
def test_what_is_no_object_has_no_pairs(text: bytes) -> None:
    run = texts(inputs=text, extra=text)
    assert [run.pairs(source) for source in get_args(Source)] == [[], [], []]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Decimal(5), [5, 5.0, "5", "5.0"]),
        (Decimal("0.1"), [0.1, "0.1"]),
        (Decimal("1E-7"), [1e-7]),
        (Decimal("1e25"), [1e25, 10**25]),
        (True, [True, "true"]),
        (None, [None, "null"]),
        ("5", [5, "5"]),
    ],
)
def test_a_value_equals_the_same_value_however_json_writes_it(
    value: Any, stored: list[Any]
) -> None:
    assert {as_text(item) for item in stored} <= all_texts_of(value)


@pytest.mark.parametrize(
    ("operator", "value", "passing", "failing"),
    [
        ("gt", Decimal(5), ["5.5", "10", "inf"], ["5", "4", "x", "", "nan"]),
        ("lte", Decimal(5), ["5", "-1"], ["6", "x", "true"]),
        ("gt", "2024", ["2025", "x"], ["2024", "10"]),
        ("neq", "a", ["b", ""], ["a"]),
        ("in", ("a", Decimal(1)), ["a", "1", "1.0"], ["b", "01"]),
    ],
)  # fmt: skip
def test_values_compare_as_numbers_with_a_number_and_as_texts_with_a_text(
    operator: Any, value: Any, passing: list[str], failing: list[str]
) -> None:
    test = text_test(operator, value)
    assert [text for text in passing + failing if test(text)] == passing


def naive_like(pattern: str, text: str) -> bool:
    """The definition of LIKE, a character at a time."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive_like(pattern[1:], text[i:]) for i in range(len(text) + 1))
    if pattern[0] == "\\" and len(pattern) > 1:
        pattern = pattern[1:]
    elif pattern[0] == "_":
        return bool(text) and naive_like(pattern[1:], text[1:])
    return (
        bool(text) and text[0].lower() == pattern[0].lower() and naive_like(pattern[1:], text[1:])
    )


small = st.text(alphabet="aA%_\\.\n(*ä", max_size=6)


@given(small, small)
@example("%\\", "x\\")
@example("a\\%", "A%")
def test_a_pattern_matches_as_like_defines_it(pattern: str, text: str) -> None:
    assert like_test(pattern)(text) == naive_like(pattern, text)


@given(st.text(alphabet="abkK\u212a%\\", max_size=8), st.text(alphabet="abkK\u212a\\", max_size=8))
@example("%abcd%", "xABCDx")
@example("\\abcd", "abcd")
@example("kkkk", "\u212a\u212a\u212a\u212a")
def test_a_look_at_the_bytes_never_hides_a_match(pattern: str, text: str) -> None:
    run = texts(inputs=json.dumps({"k": text}, ensure_ascii=False).encode())
    matches = like_test(pattern)(text)
    assert run.may_say("input", longest_word(pattern)) or not matches


def test_a_look_at_the_bytes_tells_what_is_not_said() -> None:
    assert not texts(inputs=b'{"q": "kettle"}').may_say("input", longest_word("%Refund%"))
    assert texts(inputs=b'{"q": "a REFUND\\n"}').may_say("input", longest_word("%Refund%"))


def test_a_hostile_pattern_is_matched_in_good_time() -> None:
    test = like_test("%a" * 125)
    started = time.perf_counter()
    test("a" * 100_000 + "b")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("image CLASSIFICATION", True),
        ("classification agent", True),
        ("kaputt timeout", True),
        ("größe", True),
        ("Straße", True),
        ('say "hi"', True),
        ("metadatavalue", True),
        ("image missing", False),
        ("runtimevalue", False),
    ],
)
def test_each_word_is_looked_for_in_all_that_a_run_says(words: str, is_found: bool) -> None:
    run = texts(
        name="Agent",
        row_error="Timeout",
        error="Timeout: kaputt\nStraße",
        inputs=b'{"q": "image classification", "a": "Gr\\u00f6\\u00dfe"}',
        outputs=b'{"a": "say \\"hi\\""}',
        extra=b'{"metadata": {"k": "metadatavalue"}, "runtime": {"k": "runtimevalue"}}',
    )
    assert HasWords(AREAS, words).holds(run) is is_found
