"""Tokens: the same of a text and of what is looked for in it, whatever Postgres makes of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from collector.query.phrases import Phrase, quoted_phrase, word_phrase
from collector.storage.text_candidates import make_queries
from collector.storage.text_rows import MAX_REPEATS, MAX_TOKENS, OVERLAP, token_rows
from collector.storage.tokens import MAX_TOKEN_BYTES, tokens

ALPHABETS = (
    "abc XYZ019 _-./:@#'\"\\\n\t",
    "aé ßǅİ\u0131\u017fK\u212aﬁ ²½ⅷ٣٤ e\u0301 ",
    "返金ポリシー、。テスト 한국어 ไทยคืนเงิน ລາວ ខ្មែរ မြန်မာ ab ",
    "नमस्ते दुनिया سياسة الاسترداد עברית русский ",
    "🎉✅ a\u200db \u202e\ufeff \u3000 x",
)
TEXTS = st.one_of(
    *(st.text(st.sampled_from(alphabet), max_size=80) for alphabet in ALPHABETS),
    st.text(max_size=40),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INV-2024-00991", ["inv", "2024", "00991"]),
        ("snake_case, Camel", ["snake", "case", "camel"]),
        ("返金ポリシー。ab", [*"返金ポリシー", "ab"]),
        ("คืนเงิน", list("คืนเงิน")),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("Straße e\u0301", ["strasse", "e\u0301"]),
        ("…🎉!", []),
        ("a" * 200, ["a" * 128]),
        ("é" * 100, ["é" * 64]),
    ],
)
def test_text_is_cut_at_what_parts_words(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_of_base64_only_the_beginning_is_kept() -> None:
    assert len(tokens(f"data:image/png;base64,{'AbC+/9' * 5_000} and words")) < 40


@given(TEXTS)
def test_tokens_are_short_and_have_no_white_space(text: str) -> None:
    for token in tokens(text):
        assert 0 < len(token.encode()) <= MAX_TOKEN_BYTES
        assert token.split() == [token]


@given(TEXTS)
def test_folding_a_text_first_changes_no_token(text: str) -> None:
    assert tokens(text.casefold()) == tokens(text)


@given(st.lists(st.sampled_from(["0", "a", "b", "kettle", *"cdefgh"]), max_size=3_000))
def test_rows_hold_all_tokens_and_no_more_than_postgres_keeps(words: list[str]) -> None:
    rows = list(token_rows([" ".join(words)]))
    joined = [token for number, row in enumerate(rows) for token in row[OVERLAP if number else 0 :]]
    assert joined == words
    for row in rows:
        assert len(row) <= MAX_TOKENS
        assert max(map(row.count, set(row))) <= MAX_REPEATS


@pytest.mark.django_db
@given(TEXTS, st.data())
def test_what_stands_in_a_text_postgres_finds_in_its_tokens(text: str, data: Any) -> None:
    """Whoever passes the exact test passes the index: it may say too much, and never too little."""
    start = data.draw(st.integers(0, len(text)))
    part = text[start : data.draw(st.integers(start, len(text)))]
    folded = text.casefold()
    asked: list[Phrase] = []
    if part.strip():
        asked = [quoted_phrase(part), *map(word_phrase, part.split()[:2])]
        asked += [word_phrase(f"*{word}*") for word in part.split()[:1]]
    for phrase in asked:
        if phrase.text and phrase.is_in(folded):
            assert is_indexed(text, phrase), phrase


def is_indexed(text: str, phrase: Phrase) -> bool:
    project = UUID(int=1)
    queries = make_queries(project, [[part] for part in phrase.indexed])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_and(to_tsvector('simple', %s) @@ query::tsquery) FROM unnest(%s::text[]) AS q (query)",
            [f"p{project.hex} {' '.join(tokens(text))}", queries],
        )
        (is_found,) = cursor.fetchone()
    return is_found is not False
