"""Hypothesis strategies: filters as trees, over words that the runs of the tests say or just not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from collector.query.fields import FIELDS, Field, make_compare
from collector.query.tree import And, Compare, Expression, Not, Or

WORDS = ("agent", "refund", "gpt", "10", "5", "true", "null", "Ä%_\\", 'it\'s "x"', "", "\ud800\0")
KEYS = ("thread_id", "session_id", "variant", "a.b", "messages.content", "n", "missing")
NUMBERS = (
    Decimal(0),
    Decimal("0.5"),
    Decimal(1),
    Decimal(5),
    Decimal("5.0"),
    Decimal(10),
    Decimal(-1),
)
TIMES = (datetime(2026, 11, 24, 12, second, tzinfo=UTC) for second in (0, 1, 5))
TIME_TEXTS = tuple(time.isoformat() for time in TIMES)
IDS = tuple(UUID(int=number) for number in range(1, 6))
CONTAINED = ("variant", '{"variant": "prod"}', '{"a": {"b": 5}, "n": 10}', '{"n": [10]}')
PATTERNS = ("%e%", "re_und", "%", "", "RE%", "%\\", "1_", "%Ä\\%\\_%")


def _values(name: str, field: Field) -> st.SearchStrategy[Any]:
    if field.sql_type == "uuid":
        return st.sampled_from(tuple(map(str, IDS)))
    if field.sql_type == "timestamptz":
        return st.sampled_from(TIME_TEXTS)
    if field.sql_type in ("numeric", "float8"):
        return st.sampled_from(NUMBERS)
    if field.sql_type == "boolean" or name == "error":
        return st.booleans()
    if name == "status":
        return st.sampled_from(("pending", "success", "error"))
    if name == "state":
        return st.sampled_from(("running", "success", "error", "interrupted"))
    if field.part == "key":
        return st.sampled_from(KEYS)
    if field.group is not None and field.part == "value":
        return st.sampled_from((*WORDS, *NUMBERS, True, False, None))
    return st.sampled_from((*WORDS, "llm", "chain", "prod"))


def comparisons(
    names: Sequence[str] = tuple(name for name in FIELDS if name != "execution_order"),
) -> st.SearchStrategy[Compare]:
    return st.sampled_from(("", *names)).flatmap(_comparison)


def _comparison(name: str) -> st.SearchStrategy[Compare]:
    words = st.sampled_from([word for word in WORDS if word.split()])
    if not name:
        return words.map(lambda text: make_compare("", "search", text))
    field = FIELDS[name]

    def with_operator(operator: str) -> st.SearchStrategy[Compare]:
        values = _values(name, field)
        if operator == "search":
            values = words
        elif operator == "like":
            values = st.sampled_from(PATTERNS)
        elif operator in ("has", "exists") and name == "metadata":
            values = st.sampled_from(CONTAINED if operator == "has" else KEYS)
        elif operator == "in":
            values = st.lists(values, max_size=3)
        elif operator in ("eq", "neq") and field.is_nullable:
            values = values | st.none()
        return values.map(lambda value: make_compare(name, operator, value))

    return st.sampled_from(field.operators).flatmap(with_operator)


def expressions(leaves: st.SearchStrategy[Compare] | None = None) -> st.SearchStrategy[Expression]:
    """Trees of up to a dozen tests."""
    return st.recursive(
        leaves or comparisons(),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
        ),
        max_leaves=8,
    )
