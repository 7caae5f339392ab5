"""A search in the reader's words: each condition said, and the text without it; an error with its place."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from collector.query.errors import FilterError
from collector.query.phrases import quoted_phrase, word_phrase
from collector.query.search import SEARCH_FIELDS, Condition, Search, parse_search
from collector.query.tree import And, Compare, Expression, Not, Or, Value, render

SAID_OPERATORS = {
    "eq": "is",
    "neq": "is not",
    "gt": "over",
    "gte": "at least",
    "lt": "under",
    "lte": "at most",
    "in": "is one of",
}
SAID_FIELDS = {known.field: known.said for known in SEARCH_FIELDS.values()} | {"": "text"}


@dataclass(frozen=True, slots=True)
class SaidCondition:
    """One condition in words, and the text of the search without it."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class SearchFault:
    """What is wrong with a text, and where: the text before, at and after the place."""

    message: str
    before: str
    at: str
    after: str


@lru_cache(maxsize=256)
def understand(text: str) -> tuple[Search | None, SearchFault | None]:
    """Return the search, or what is wrong with it. Neither: the text is empty."""
    try:
        search = parse_search(text)
    except FilterError as error:
        return None, _fault(error)
    return (search if search.conditions else None), None


def _fault(error: FilterError) -> SearchFault:
    position = min(error.position, len(error.text))
    rest = error.text[position:]
    at = rest[:1] if rest.startswith(("(", ")", '"')) else rest.partition(" ")[0]
    return SearchFault(error.message, error.text[:position], at, rest[len(at) :])


def say_conditions(search: Search) -> list[SaidCondition]:
    """Return the conditions in words, each with the text that lacks it."""
    return [
        SaidCondition(_say_condition(item), _without(search.text, item))
        for item in search.conditions
    ]


def as_langsmith(search: Search) -> list[tuple[str, str]]:
    """Return (argument, filter) for LangSmith's `list_runs`: what the search says in its language.

    A second condition on some run has no argument of its own there; `list_runs` would ask both of one run.
    """
    arguments = []
    if search.of_root is not None:
        arguments.append(("filter", render(search.of_root)))
    some = [item.expression for item in search.of_some_run if not item.is_negated]
    arguments += [("tree_filter", render(expression)) for expression in some]
    return arguments


def inside_words(search: Search) -> str:
    """Return the text that looks for its words inside of words too; "" where it does already."""
    text = search.text
    for item in reversed(search.conditions):
        test = item.expression
        if isinstance(test, Compare) and test.operator == "word" and not test.field:
            word = f"*{str(test.value).strip('*')}*"
            text = text[: item.start] + "-" * item.is_negated + word + text[item.end :]
    return "" if text == search.text else text


def _without(text: str, item: Condition) -> str:
    return " ".join((text[: item.start] + text[item.end :]).split())


def _say_condition(item: Condition) -> str:
    said = _say(item.expression)
    if item.scope == "root":
        return said
    return f"{'no run' if item.is_negated else 'some run'}: {said}"


def _say(expression: Expression) -> str:
    match expression:
        case Not(operand):
            return f"not ({_say(operand)})"
        case Or(operands):
            return " or ".join(_say_part(part) for part in operands)
        case And(operands) if _is_pair(expression):
            return _say_pair(operands)
        case And(operands):
            return " and ".join(_say_part(part) for part in operands)
        case Compare():
            return _say_compare(expression)


def _say_part(expression: Expression) -> str:
    is_joined = isinstance(expression, Or) or (
        isinstance(expression, And) and not _is_pair(expression)
    )
    return f"({_say(expression)})" if is_joined else _say(expression)


def _is_pair(expression: And) -> bool:
    first = expression.operands[0]
    return isinstance(first, Compare) and first.field.endswith("_key")


def _say_pair(operands: tuple[Expression, ...]) -> str:
    key, test = operands
    assert isinstance(key, Compare)
    assert isinstance(test, Compare)
    group = key.field.removesuffix("_key")
    return f"{group} {key.value} {_say_test(test)}"


def _say_compare(test: Compare) -> str:
    if test.operator in ("word", "phrase"):
        make = word_phrase if test.operator == "word" else quoted_phrase
        where = "" if not test.field else f"{SAID_FIELDS.get(test.field, test.field)} "
        return f"{where}has “{make(str(test.value))}”"
    if test.operator == "search":
        where = "" if not test.field else f"{SAID_FIELDS.get(test.field, test.field)} "
        return f"{where}has {_say_words(str(test.value))}"
    if test.value is None:
        return (
            f"has {'no ' if test.operator == 'eq' else ''}{SAID_FIELDS.get(test.field, test.field)}"
        )
    if test.field.endswith("_key"):
        group = test.field.removesuffix("_key")
        return f"has {group}" if test.operator == "like" else f"has {group} {test.value}"
    return f"{SAID_FIELDS.get(test.field, test.field)} {_say_test(test)}"


def _say_test(test: Compare) -> str:
    if test.operator == "like":
        pattern = str(test.value).replace("%", "*").replace("\\", "")
        return f"matches {pattern}"
    if test.operator == "has":
        return f"is {test.value}"
    unit = " s" if test.field == "latency" else ""
    return f"{SAID_OPERATORS[test.operator]} {_say_value(test.value)}{unit}"


def _say_words(text: str) -> str:
    words = [f"“{word}”" for word in text.split()]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _say_value(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_say_value, value))
    return format(value, "f") if isinstance(value, Decimal) else str(value)
