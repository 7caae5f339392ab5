"""LangSmith's filter language: what is understood, and what is said of what is not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.errors import FilterError
from collector.query.langsmith import MAX_CHARACTERS, MAX_CLAUSES, MAX_DEPTH, parse_filter
from collector.query.tree import And, Compare, Expression, Not, Or, render
from tests.unit.query.strategies import expressions

NAME = Compare("name", "eq", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eq(is_root,true)", Compare("is_root", "eq", value=True)),
        (' eq ( "name" , "x" , ) ', NAME),
        ("eq('name', 'x')", NAME),
        ("eq(execution_order, 1)", Compare("is_root", "eq", value=True)),
        ("neq(error, null)", Compare("error", "neq", None)),
        ("not(eq(name, 'x'))", Not(NAME)),
        ("and(eq(name, 'x'),)", And((NAME,))),
        ("or(eq(name, 'x'), and(eq(name, 'x'), eq(name, 'x')))", Or((NAME, And((NAME, NAME))))),
        ("in(name, ['a', \"b\",],)", Compare("name", "in", ("a", "b"))),
        ("in(name, [])", Compare("name", "in", ())),
        ('search("two words")', Compare("", "search", "two words")),
        ('search(name, "agent")', Compare("name", "search", "agent")),
        ('like(name, "%a_")', Compare("name", "like", "%a_")),
        ("has(metadata, '{\"k\": \"v\"}')", Compare("metadata", "has", '{"k": "v"}')),
        ('exists(metadata, "k")', Compare("metadata", "exists", "k")),
    ],
)  # fmt: skip
def test_a_filter_is_read_as_a_tree(text: str, expected: Expression) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('gt(latency, "5s")', Decimal(5)),
        ('gt(latency, "1500ms")', Decimal("1.5")),
        ('gt(latency, "2m")', Decimal(120)),
        ('gt(latency, "1.5h")', Decimal(5400)),
        ("gt(latency, 5.5)", Decimal("5.5")),
        ('gt(latency, "5")', Decimal(5)),
        ('lt(total_cost, "0.000001")', Decimal("0.000001")),
        ("gt(total_tokens, -1e3)", Decimal(-1000)),
        ('gt(start_time, "2023-07-15T12:34:56Z")', datetime(2023, 7, 15, 12, 34, 56, tzinfo=UTC)),
        ('gt(start_time, "2023-07-15T12:34:56")', datetime(2023, 7, 15, 12, 34, 56, tzinfo=UTC)),
        ('gt(start_time, "2023-07-15T14:34:56+02:00")', datetime(2023, 7, 15, 12, 34, 56, tzinfo=UTC)),
        ('gt(start_time, "2023-07-15")', datetime(2023, 7, 15, tzinfo=UTC)),
        (r'eq(name, "\"a\" \\ \u00e9 \ud83d\ude00 é")', '"a" \\ é 😀 é'),
        (r"""eq(name, 'it\'s "x"')""", 'it\'s "x"'),
        (r"""eq(name, "it\'s")""", "it's"),
        ('eq(name, "two\nlines")', "two\nlines"),
        (r'eq(name, "\ud800")', "\ud800"),
        ('eq(name, "a), eq(x")', "a), eq(x"),
        ("eq(metadata_value, 5)", Decimal(5)),
        ("eq(metadata_value, null)", None),
        ("eq(is_root, 'true')", True),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_fields_type(text: str, value: Any) -> None:
    expression = parse_filter(text)
    assert isinstance(expression, Compare)
    assert expression.value == value
    assert type(expression.value) is type(value)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "the filter is empty"),
        ('eq(is_root, true) and eq(name, "x")', 18, "and(a, b)"),
        ('eq(is_root, true) or eq(name, "x")', 18, "or(a, b)"),
        ('eq(metadata.key, "v")', 3, 'write and(eq(metadata_key, "key"), eq(metadata_value, "…"))'),
        ('eq(metadata["k"], "v")', 11, 'write and(eq(metadata_key, "k"), eq(metadata_value, "…"))'),
        ("eq(inputs['q'], 'v')", 9, 'write and(eq(input_key, "q"), eq(input_value, "…"))'),
        ("latency > 5", 8, "gt(field, 5)"),
        ('eq(naem, "x")', 3, "did you mean name?"),
        ('eqq(name, "x")', 0, "did you mean eq?"),
        ('AND(eq(name, "x"))', 0, "did you mean and?"),
        ('gt(name, "x")', 3, "eq, neq, in, like or search"),
        ("eq(name, x)", 9, "quotes"),
        ("eq(name, 5)", 9, "a text in quotes"),
        ('eq(name, ["x"])', 10, "in(name, [a, b])"),
        ('in(name, "x")', 9, "in(field, [a, b])"),
        ("in(name, [[1]])", 10, "missing"),
        ('eq(name, eq(name, "x"))', 9, "not a function"),
        ('eq("x")', 0, "a field and a value"),
        ("and()", 0, "at least one function"),
        ("and(name)", 4, "a function"),
        ('not(eq(name, "x"), eq(name, "y"))', 19, "not(or(a, b))"),
        ('"x"', 0, "a function like eq(field, value)"),
        ('eq(name, "x', 9, "no closing quote"),
        ('eq(name, "x"', 12, "ends too early"),
        ('eq(name, "x"))', 13, "a closing bracket too many"),
        (r'eq(name, "\q")', 9, "escape"),
        ('eq(status, "pendin")', 11, "did you mean pending?"),
        ('gt(latency, "5 parsecs")', 12, "5s"),
        ('gt(start_time, "yesterday")', 15, "ISO 8601"),
        ('gt(start_time, "0001-01-01T00:00:00+23:00")', 15, "ISO 8601"),
        ('eq(id, "1")', 7, "UUID"),
        ("gt(total_tokens, 1e999999)", 17, "1e30"),
        ('gt(total_tokens, "NaN")', 17, "a number"),
        ("eq(is_root, 5)", 12, "true or false"),
        ("eq(run_type, null)", 13, "a text in quotes"),
        ("eq(execution_order, 2)", 20, "eq(execution_order, 1)"),
        ("has(metadata, '{bad')", 14, "valid JSON"),
        ("has(metadata, '{}')", 14, "empty object"),
        ("has(metadata, '{\"a\": {}}')", 14, "empty object"),
        ('search("  ")', 7, "a word"),
        ('search(tags, "x")', 7, "tags does not take search"),
        (f'like(name, "{"%" * 251}")', 11, "250"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_with_its_place_and_what_was_meant(
    text: str, position: int, words: str
) -> None:
    with pytest.raises(FilterError) as error:
        parse_filter(text)
    assert error.value.position == position
    assert words in error.value.message
    assert f"at character {position + 1}: " in str(error.value)


def test_an_error_shows_what_lies_around_it_on_one_line() -> None:
    with pytest.raises(FilterError) as error:
        parse_filter(
            "and(" + "eq(name, 'x'),\n" * 10 + "eq(naem, 'x')" + ", eq(name, 'x')" * 10 + ")"
        )
    assert error.value.excerpt == (
        "… 'x'), eq(name, 'x'), eq(name, 'x'), eq(▸naem, 'x'), eq(name, 'x'), eq(name, 'x'),"
        " eq(name, 'x'), eq(…"
    )


@pytest.mark.parametrize(
    "text",
    [
        "and(" + 'eq(name, "x"),' * 10_000 + ")",
        "not(" * 1_000 + 'eq(name, "x")' + ")" * 1_000,
        "in(name, [" + '"x",' * 1_001 + "])",
        "(" * MAX_CHARACTERS,
        "[" * MAX_CHARACTERS,
        '"\\"' * (MAX_CHARACTERS // 3),
        'eq(name, "' + '\\"' * 8_000,
        "eq(total_tokens, " + "9" * 10_000 + ")",
        "x" * MAX_CHARACTERS,
        "eq(" + "x" * 10_000 + ", 1)",
        'has(metadata, "' + "{'a':" * 2_000 + '")',
        " " * (MAX_CHARACTERS + 1),
    ],
    ids=lambda text: text[:20],
)
def test_hostile_filters_are_refused_in_a_few_milliseconds(text: str) -> None:
    fastest = 1.0
    for _ in range(5):
        started = time.perf_counter()
        with pytest.raises(FilterError):
            parse_filter(text)
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.01


def test_a_filter_may_be_as_large_as_the_caps_say() -> None:
    deep = "not(" * (MAX_DEPTH - 1) + 'eq(name, "x")' + ")" * (MAX_DEPTH - 1)
    wide = "and(" + ",".join(['eq(name, "x")'] * (MAX_CLAUSES - 1)) + ")"
    long = "in(name, [" + ",".join(['"x"'] * 1_000) + "])"
    for text in (deep, wide, long):
        parse_filter(text)


@given(expressions())
def test_a_tree_that_is_written_is_read_as_the_same_tree(expression: Expression) -> None:
    assert parse_filter(render(expression)) == expression


@given(st.text(alphabet="eqandor(),[]\"'\\ \n.truename5", max_size=60))
def test_any_text_is_a_filter_or_is_refused_with_a_place_in_it(text: str) -> None:
    try:
        expression = parse_filter(text)
    except FilterError as error:
        place = error.position
    else:
        assert parse_filter(render(expression)) == expression
        place = 0
    assert 0 <= place <= len(text)
