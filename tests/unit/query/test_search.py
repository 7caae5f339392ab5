"""The search box's language: what is understood, and what is said of what is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.errors import FilterError
from collector.query.langsmith import parse_filter
from collector.query.search import HAS, MAX_TERMS, PAIRS, SEARCH_FIELDS, parse_search
from collector.query.tree import render


def read(text: str) -> list[str]:
    """Each condition as LangSmith writes it, with `any` or `none` before what is asked of any run."""
    marks = {("root", False): "", ("any", False): "any ", ("any", True): "none "}
    return [
        marks[item.scope, item.is_negated] + render(item.expression)
        for item in parse_search(text).conditions
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("status:error", ['eq(state, "error")']),
        ("latency:>5s", ["gt(latency, 5)"]),
        ("latency:<=1500ms", ["lte(latency, 1.500)"]),
        ("model:gpt-4o*", ['any like(model, "gpt-4o%")']),
        ('model:"gpt-4o*"', ['any eq(model, "gpt-4o*")']),
        ("name:100%_*", [r'like(name, "100\\%\\_%")']),
        ("tag:prod", ['has(tags, "prod")']),
        ("metadata.user_id:42", ['and(eq(metadata_key, "user_id"), eq(metadata_value, 42))']),
        ('metadata.user_id:"42"', ['and(eq(metadata_key, "user_id"), eq(metadata_value, "42"))']),
        ('metadata."a b":x*', ['and(eq(metadata_key, "a b"), like(metadata_value, "x%"))']),
        ("metadata.a.b:x", ['and(eq(metadata_key, "a.b"), eq(metadata_value, "x"))']),
        ("tokens:>1000", ["gt(total_tokens, 1000)"]),
        ("cost:>0.01", ["gt(total_cost, 0.01)"]),
        ('name:"my agent"', ['eq(name, "my agent")']),
        ("has:feedback", ['any like(feedback_key, "%")']),
        ("has:metadata.user_id", ['eq(metadata_key, "user_id")']),
        ("feedback.score:>=0.5", ['any and(eq(feedback_key, "score"), gte(feedback_score, 0.5))']),
        ("feedback.label:good", ['any and(eq(feedback_key, "label"), eq(feedback_value, "good"))']),
        ("-type:tool", ['none eq(run_type, "tool")']),
        ("NOT tag:test", ['not(has(tags, "test"))']),
        ("--tag:test", ['any search("--tag:test")']),
        ("status:(error OR running)", ['or(eq(state, "error"), eq(state, "running"))']),
        ("(a OR b)", ['any or(search("a"), search("b"))']),
        ("a b", ['any search("a")', 'any search("b")']),
        ("a AND b", ['any search("a")', 'any search("b")']),
        ('"refund policy"', ['any search("refund policy")']),
        ('"say \\"hi\\""', ['any search("say \\"hi\\"")']),
        ("any(type:tool status:error)", ['any and(eq(run_type, "tool"), eq(state, "error"))']),
        ("-any(type:tool status:error)", ['none and(eq(run_type, "tool"), eq(state, "error"))']),
        ("root(type:chain)", ['eq(run_type, "chain")']),
        ("(status:error tag:a) latency:>1", ['eq(state, "error")', 'has(tags, "a")', "gt(latency, 1)"]),
        ("error:timeout", ['any search(error, "timeout")']),
        ("or and not", ['any search("or")', 'any search("and")', 'any search("not")']),
        ("task-force", ['any search("task-force")']),
        ("返金 naïve", ['any search("返金")', 'any search("naïve")']),
    ],
)  # fmt: skip
def test_a_search_is_read_as_conditions(text: str, expected: list[str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("tag:a statsu:error", 6, "did you mean status?"),
        ("status:errr", 7, "did you mean error?"),
        ("latency:>fast", 9, "duration"),
        ("tokens:many", 7, "number"),
        ("name:>x", 6, "does not take gt"),
        ("metadata:x", 0, "needs a key"),
        ("size.x:1", 0, "takes no key"),
        ("has:feedbak", 4, "did you mean feedback?"),
        ('a "b', 2, "not closed"),
        ("a (b", 4, "bracket is missing"),
        ("a b)", 3, "bracket too many"),
        ("a OR", 4, "ends too early"),
        ("a OR status:error", 0, "any(…)"),
        ("any(root(a))", 4, "inside of one another"),
        ("http://x", 0, "needs quotes"),
        ("latency >5", 8, "latency:>5s"),
        ("metadata.a:>x", 12, "number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, position: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_search(text)
    assert caught.value.position == position
    assert words in caught.value.message


def test_each_condition_knows_its_place_in_the_text() -> None:
    text = 'status:error any(type:tool "x y") -tag:a (b OR c)'
    places = [text[item.start : item.end] for item in parse_search(text).conditions]
    assert places == ["status:error", 'any(type:tool "x y")', "-tag:a", "b OR c"]


@pytest.mark.parametrize("text", ["(" * 10_000, "a " * 5_000, "a OR " * 900 + "b", '"' * 3_999])
def test_a_hostile_search_is_refused_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(FilterError):
        parse_search(text)
    assert time.monotonic() - began < 1


def test_so_many_conditions_and_no_more() -> None:
    assert len(parse_search(" ".join(["a"] * MAX_TERMS)).conditions) == MAX_TERMS
    with pytest.raises(FilterError, match="more than"):
        parse_search(" ".join(["a"] * (MAX_TERMS + 1)))


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused_with_a_place(text: str) -> None:
    search, position = None, 0
    try:
        search = parse_search(text)
    except FilterError as error:
        position = error.position
    assert 0 <= position <= len(text)
    for item in search.conditions if search else ():
        rendered = render(item.expression)
        assert render(parse_filter(rendered)) == rendered


def words() -> st.SearchStrategy[str]:
    return st.text("abzé1", min_size=1, max_size=4)


def terms() -> st.SearchStrategy[str]:
    texts = st.one_of(
        words(),
        words().map(lambda word: f'"{word} {word}"'),
        words().map(lambda word: f"tag:{word}"),
        words().map(lambda word: f"model:{word}*"),
        st.integers(0, 99).map(lambda number: f"latency:>{number}s"),
        words().map(lambda word: f"metadata.{word}:{word}"),
    )
    return (
        texts | texts.map(lambda text: f"-{text}") | texts.map(lambda text: f"any({text} {text})")
    )


@given(st.lists(terms(), min_size=1, max_size=6))
def test_conditions_side_by_side_are_those_of_each(parts: list[str]) -> None:
    assert read(" ".join(parts)) == [line for part in parts for line in read(part)]


def test_every_field_of_the_language_is_one_that_filters_know() -> None:
    for word in SEARCH_FIELDS:
        example = SEARCH_FIELDS[word].example or "0193f1d0-0000-7000-8000-000000000000"
        assert parse_search(f"{word}:{example}").conditions
    for word in PAIRS:
        assert parse_search(f"{word}.key:1").conditions
    for word in HAS:
        assert parse_search(f"has:{word}").conditions
