"""What the search box offers at its caret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.present.suggestions import suggest

SEEN = {"name": [("my agent", 7), ("agent", 3)], "tag": [("prod", 2)], "model": [("gpt-4o", 1)]}


def observe(field: str, part: str) -> list[tuple[str, int]]:
    return [item for item in SEEN[field] if part in item[0]]


def offered(text: str, caret: int | None = None) -> list[str]:
    return [item.shown for item in suggest(text, len(text) if caret is None else caret, observe)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sta", ["status:", "started:"]),
        ("STA", ["status:", "started:"]),
        ("tag:a lat", ["latency:"]),
        ("-ty", ["type:"]),
        ("(mod", ["model:"]),
        ("any(ty", ["type:"]),
        ("status:e", ["error"]),
        ("type:t", ["tool"]),
        ("has:f", ["feedback"]),
        ("name:", ["my agent", "agent"]),
        ("tag:pr", ["prod"]),
        ("model:gpt", ["gpt-4o"]),
        ('"sta', []),
        ("nothing", []),
        ("latency:>5", []),
    ],
)
def test_the_word_before_the_caret_is_completed(text: str, expected: list[str]) -> None:
    assert offered(text) == expected


def test_an_empty_box_offers_fields() -> None:
    assert offered("")[:3] == ["status:", "type:", "name:"]


def test_what_stands_around_the_word_stays() -> None:
    (item,) = suggest("tag:a status:e latency:>1", len("tag:a status:e"), observe)
    assert item.text == "tag:a status:error  latency:>1"
    assert item.text[: item.caret] == "tag:a status:error "


def test_a_value_that_needs_quotes_gets_them() -> None:
    item = suggest("name:my", 7, observe)[0]
    assert item.text == 'name:"my agent" '


@given(st.text(max_size=40), st.integers(0, 40))
def test_no_text_and_no_caret_raises(text: str, caret: int) -> None:
    for item in suggest(text, min(caret, len(text)), observe):
        assert 0 <= item.caret <= len(item.text)
