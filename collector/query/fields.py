"""The one table of what a filter can ask for: names, types, operators, and how each is written in SQL.

In SQL `{run}` stands for the alias of the run that is looked at.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

import orjson

from collector.query.tree import Compare, Operator, Scalar
from collector.storage.terms import MAX_DEPTH, MAX_PAIRS, Kind, as_text

Literals: TypeAlias = str | bool | Decimal | None  # what can be written
Group: TypeAlias = Literal["metadata", "input", "output", "feedback"]
Part: TypeAlias = Literal["key", "value", "score", "source"]

EQUAL: tuple[Operator, ...] = ("eq", "neq", "in")
TEXT: tuple[Operator, ...] = (*EQUAL, "like", "search")
ORDER: tuple[Operator, ...] = ("eq", "neq", "gt", "gte", "lt", "lte")
ANY_VALUE: tuple[Operator, ...] = (*ORDER, "in", "like")
TEXT_ONLY = frozenset({"like", "search", "has", "exists"})
OPERATORS: tuple[Operator, ...] = (*ORDER, "in", "like", "has", "exists", "search")

STATUSES = ("pending", "success", "error")
STATES = ("running", "success", "error", "interrupted", "cancelled", "incomplete")  # our own, finer
# Numbers beyond are no measure of a run, and Postgres cannot hold all that can be written.
MAX_EXPONENT = 30
# A pattern full of wildcards is slow whoever matches it.
MAX_PATTERN_CHARACTERS = 250
SECONDS = {
    "ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)
}  # fmt: skip
_DURATION = re.compile(r"\s*(-?[0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(ms|s|m|h|d)\s*")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a filter can ask about a run."""

    operators: tuple[Operator, ...]
    convert: Callable[[Literals], Scalar]  # raises ValueError with words for the user
    sql: str = ""  # its value; "" where only the payload or another table tells
    sql_type: str = "text"
    is_nullable: bool = False  # a run may lack it, and it can be compared with null
    group: Group | None = None  # the pairs that it is a part of
    part: Part = "value"
    term: Kind | None = None  # the kind of term that says which traces have a value


def _text(value: Literals) -> str:
    if not isinstance(value, str):
        raise ValueError("a text in quotes is needed")
    return value


def _uuid(value: Literals) -> UUID:
    try:
        return UUID(_text(value))
    except ValueError as error:
        raise ValueError("a UUID in quotes is needed") from error


def _bool(value: Literals) -> bool:
    known = {"true": True, "false": False}.get(str(value).lower())
    if known is None:
        raise ValueError("true or false is needed")
    return known


def _number(value: Literals) -> Decimal:
    try:
        number = Decimal(cast("str", value)) if isinstance(value, (str, Decimal)) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise ValueError("a number is needed")
    if number and abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"the number is not between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}")
    return number


def _duration(value: Literals) -> Decimal:
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        return Decimal(found[1]) * SECONDS[found[2]]
    try:
        return _number(value)
    except ValueError as error:
        raise ValueError('seconds or a duration like "5s", "1500ms" or "2m" is needed') from error


def _time(value: Literals) -> datetime:
    try:
        time = datetime.fromisoformat(_text(value))
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("a time in ISO 8601, in quotes, is needed") from error


def _status(value: Literals) -> str:
    if value not in STATUSES:
        raise ValueError(f"a status is one of {_listed(STATUSES)}{_nearest(value, STATUSES)}")
    return _text(value)


def _state(value: Literals) -> str:
    if value not in STATES:
        raise ValueError(f"a status is one of {_listed(STATES)}{_nearest(value, STATES)}")
    return _text(value)


def _any(value: Literals) -> Scalar:
    return _number(value) if isinstance(value, Decimal) else value


def _no_value(value: Literals) -> Scalar:
    raise ValueError("a text in quotes is needed")


def _of_trace(column: str) -> str:
    return (
        f"(SELECT trace.{column} FROM trace WHERE trace.project_id = {{run}}.project_id"  # noqa: S608 (our own words)
        " AND trace.id = {run}.trace_id AND trace.day = {run}.day)"
    )


def _total(column: str) -> Field:
    """A sum over the run and all below it; until the trace is rolled up, what is known already."""
    of_trace = _of_trace(column)
    if column.endswith("tokens"):
        of_trace = f"nullif({of_trace}, 0)"  # a trace counts from 0, also where nothing was counted
    sql = (
        f"coalesce({{run}}.subtree_{column},"
        f" CASE WHEN {{run}}.id = {{run}}.trace_id THEN {of_trace} END,"
        f" CASE WHEN {{run}}.run_type IN ('llm', 'embedding') THEN {{run}}.{column} END)"
    )
    return Field(ORDER, _number, sql, "numeric", is_nullable=True)


def _pairs(group: Group) -> dict[str, Field]:
    return {
        f"{group}_key": Field((*EQUAL, "like"), _text, group=group, part="key"),
        f"{group}_value": Field(ANY_VALUE, _any, group=group),
    }


STATUS_SQL = """(CASE WHEN {run}.error IS NOT NULL OR {run}.status = 'cancelled' THEN 'error'
 WHEN {run}.status IN ('running', 'incomplete') THEN 'pending' ELSE 'success' END)"""

STATE_SQL = "(CASE WHEN {run}.error IS NOT NULL THEN 'error' ELSE {run}.status END)"

# The two times may come from two clocks: never below zero.
LATENCY_SQL = """(CASE WHEN {run}.end_time >= {run}.start_time
 THEN extract(epoch FROM {run}.end_time - {run}.start_time) WHEN {run}.end_time IS NOT NULL THEN 0 END)"""

_EXAMPLE = Field(EQUAL, _uuid, "{run}.reference_example_id", "uuid", is_nullable=True)

FIELDS: dict[str, Field] = {
    "id": Field(EQUAL, _uuid, "{run}.id", "uuid"),
    "trace_id": Field(EQUAL, _uuid, "{run}.trace_id", "uuid"),
    "parent_run_id": Field(EQUAL, _uuid, "{run}.parent_run_id", "uuid", is_nullable=True),
    "session_id": Field(EQUAL, _uuid, "{run}.project_id", "uuid"),
    "reference_example": _EXAMPLE,
    "reference_example_id": _EXAMPLE,
    "name": Field(TEXT, _text, "{run}.name", is_nullable=True, term="name"),
    "run_type": Field(EQUAL, _text, "coalesce({run}.run_type, 'chain')"),
    "status": Field(EQUAL, _status, STATUS_SQL),
    "state": Field(EQUAL, _state, STATE_SQL),
    "error": Field(("eq", "neq", "like", "search"), _bool, "{run}.error", is_nullable=True),
    "model": Field(TEXT, _text, "{run}.model", is_nullable=True, term="model"),
    "start_time": Field(ORDER, _time, "{run}.start_time", "timestamptz"),
    "end_time": Field(ORDER, _time, "{run}.end_time", "timestamptz", is_nullable=True),
    "first_token_time": Field(
        ORDER, _time, "{run}.first_token_time", "timestamptz", is_nullable=True
    ),
    "latency": Field(ORDER, _duration, LATENCY_SQL, "numeric", is_nullable=True),
    **{
        name: _total(name)
        for name in (
            *("total_tokens", "prompt_tokens", "completion_tokens"),
            *("total_cost", "prompt_cost", "completion_cost"),
        )
    },
    "tags": Field(("has", *EQUAL), _text, "{run}.tags", term="tag"),
    "metadata": Field(("has", "exists", "search"), _no_value),
    "inputs": Field(("search",), _no_value),
    "outputs": Field(("search",), _no_value),
    **_pairs("metadata"),
    **_pairs("input"),
    **_pairs("output"),
    "feedback_key": Field((*EQUAL, "like"), _text, "feedback.key", group="feedback", part="key"),
    "feedback_score": Field(
        ORDER, _number, "feedback.score", "float8", group="feedback", part="score"
    ),
    "feedback_value": Field(EQUAL, _any, "nullif(feedback.value, '')", "bytea", group="feedback"),
    "feedback_source": Field(
        EQUAL, _text, "feedback.source_type", group="feedback", part="source"
    ),
    "is_root": Field(
        ("eq", "neq"), _bool, "({run}.parent_run_id IS NULL OR {run}.id = {run}.trace_id)", "boolean"
    ),
    "thread_id": Field(EQUAL, _text, "{run}.thread_id", is_nullable=True),
    "execution_order": Field(("eq",), _number),
}  # fmt: skip

EVERYTHING = Field(("search",), _no_value)  # what a search without a field looks in


def find_field(name: str) -> Field:
    """Return the field of that name; "" is all that a run says.

    Raises:
        ValueError: there is none, with the nearest name.
    """
    if not name:
        return EVERYTHING
    field = FIELDS.get(name)
    if field is None:
        raise ValueError(f"there is no field {name[:60]!r}{_nearest(name, FIELDS)}")
    return field


def check_operator(name: str, operator: str) -> Operator:
    """Return the operator, if the field takes it.

    Raises:
        ValueError: it does not, or there is no such field.
    """
    field = find_field(name)
    if operator not in field.operators:
        raise ValueError(f"{name} does not take {operator}, but {_listed(field.operators)}")
    return operator


def make_compare(name: str, operator: str, value: Literals | Sequence[Literals]) -> Compare:
    """Return the checked test. `value` is a sequence for `in`.

    Raises:
        ValueError: the field is unknown, does not take the operator, or not this value.
    """
    field, known = find_field(name), check_operator(name, operator)
    if operator == "in":
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError("in needs a list: in(field, [a, b])")
        return Compare(name, known, tuple(field.convert(item) for item in value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise ValueError(f"{operator} needs one value; for several there is in({name}, [a, b])")
    return _compare(name, field, known, value)


def _compare(name: str, field: Field, operator: Operator, value: Literals) -> Compare:
    if operator in TEXT_ONLY:
        text = _text(value)
        if operator == "search" and not text.split():
            raise ValueError("a search needs a word")
        if operator == "like" and len(text) > MAX_PATTERN_CHARACTERS:
            raise ValueError(f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters")
        if name == "metadata" and operator == "has":
            contained_pairs(text)
        return Compare(name, operator, text)
    if name == "execution_order":
        if field.convert(value) != 1:
            raise ValueError("execution_order can only be asked for as eq(execution_order, 1)")
        return Compare("is_root", "eq", value=True)
    if value is None and field.is_nullable and operator in ("eq", "neq"):
        return Compare(name, operator, None)
    return Compare(name, operator, field.convert(value))


def contained_pairs(text: str) -> list[tuple[str, str]] | None:
    """Return the pairs of has(metadata, '{…}'), or None where the text is the name of a key.

    Raises:
        ValueError: it begins like an object, and is none that can be looked for.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = orjson.loads(text.encode("utf-8", "replace"))
    except orjson.JSONDecodeError as error:
        raise ValueError("has(metadata, …) needs a key, or an object in valid JSON") from error
    pairs: list[tuple[str, str]] = []
    _collect("", value, 0, pairs)
    return pairs


def _collect(path: str, value: Any, depth: int, pairs: list[tuple[str, str]]) -> None:
    """Flatten as the stored side does. What it would leave out is refused: it would not be looked for."""
    if depth > MAX_DEPTH or len(pairs) >= MAX_PAIRS:
        raise ValueError(f"more than {MAX_DEPTH} levels or {MAX_PAIRS} values cannot be looked for")
    if isinstance(value, dict) and value:
        for key, child in value.items():
            _collect(f"{path}.{key}" if path else key, child, depth + 1, pairs)
    elif isinstance(value, list) and value:
        for child in value:
            _collect(path, child, depth + 1, pairs)
    elif isinstance(value, (dict, list)):
        raise ValueError(
            "an empty object or list cannot be looked for; for a key, has(metadata, 'key')"
        )
    else:
        pairs.append((path, as_text(value)))


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _nearest(word: object, known: Iterable[str]) -> str:
    """Return a question that names what was meant, or "". Only for short words: difflib is slow."""
    close = difflib.get_close_matches(str(word)[:40].lower(), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return a question that names the word that was meant, or ""."""
    return _nearest(word, known)


def nearest_operator(name: str) -> str:
    """Return a question that names the function that was meant, or ""."""
    return _nearest(name, (*OPERATORS, "and", "or", "not"))
