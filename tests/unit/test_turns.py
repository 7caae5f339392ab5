"""The moments at which pages are told of news."""

from __future__ import annotations

import pytest

from viewer.turns import LONGEST_SECONDS, Turns


def test_a_few_go_at_once() -> None:
    turns = Turns(per_second=10, at_once=5)
    assert [turns.seconds(100.0) for _ in range(5)] == [0.0] * 5


def test_many_go_one_after_another() -> None:
    turns = Turns(per_second=10, at_once=1)
    waits = [turns.seconds(100.0) for _ in range(21)]
    assert waits == pytest.approx([number / 10 for number in range(21)])


def test_after_a_while_without_news_nobody_waits() -> None:
    turns = Turns(per_second=10, at_once=1)
    for _ in range(20):
        turns.seconds(100.0)
    assert turns.seconds(200.0) == 0.0


def test_nobody_waits_for_longer_than_a_stream_may_be_silent() -> None:
    turns = Turns(per_second=1, at_once=1)
    assert max(turns.seconds(0.0) for _ in range(1_000)) == LONGEST_SECONDS
