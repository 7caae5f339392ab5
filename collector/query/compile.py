"""Tree → SQL: the one compiler of filters, whatever language they were written in.

SQL decides all that stands in rows. What only payloads tell it narrows by the terms of the trace
(`storage/terms.py`); then the payloads of what it found must be looked at. A compiled filter is so
two things: a condition that no matching run fails, and, where that is not exact, a test that takes the
truth of each row-level part from SQL and the rest from the payload.

Truth has two values. A comparison with what a run lacks is false; `not` and `neq` are plain negations,
so `neq(thread_id, "x")` holds of a run without a thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol, TypeAlias, cast
from uuid import UUID

from collector.query.fields import FIELDS, Field, Group, contained_pairs, find_field
from collector.query.payload import (
    AREAS,
    Area,
    ErrorLike,
    HasMetadata,
    HasPair,
    HasPhrase,
    HasWords,
    PayloadTest,
    RunTexts,
    Source,
    all_texts_of,
    like_test,
    longest_word,
    text_test,
    texts_of,
)
from collector.query.phrases import quoted_phrase, word_phrase
from collector.query.tree import And, Compare, Expression, Not, Or, Scalar, Value
from collector.query.words import escape_like, storable, whole_pattern
from collector.storage.terms import OVERFLOW, Kind, Terms
from collector.storage.tokens import TokenPhrase

# Past so many alternatives of one fact, terms lead nowhere.
MAX_ALTERNATIVES = 1_000
# Threads' ids are cut at 256 characters where they are stored, and not in the terms of the metadata.
MAX_THREAD_CHARACTERS = 250
THREAD_KEYS = ("session_id", "thread_id", "conversation_id")

OF_FEEDBACK = """EXISTS (SELECT 1 FROM feedback
 WHERE feedback.project_id = {run}.project_id AND feedback.run_id = {run}.id"""
OF_TERMS = """EXISTS (SELECT 1 FROM trace_terms WHERE trace_terms.project_id = {run}.project_id
 AND trace_terms.trace_id = {run}.trace_id AND trace_terms.day = {run}.day"""

SYMBOLS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

Alternatives: TypeAlias = tuple[int, ...]  # a matching run's trace has at least one of these


class Params(dict[str, Any]):
    """The parameters of one query, each under a name of its own."""

    def add(self, value: Any) -> str:
        """Return the placeholder of a value."""
        if isinstance(value, str):
            value = storable(value)
        elif isinstance(value, (list, tuple)):
            value = [storable(item) if isinstance(item, str) else item for item in value]
        name = f"filter_{len(self)}"
        self[name] = value
        return f"%({name})s"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a test is made of: the truth of each row-level part as SQL saw it, and what the run says."""

    truths: Sequence[bool]
    texts: RunTexts


class Node(Protocol):
    """A part of a compiled filter."""

    def condition(self, *, is_upper: bool) -> str:
        """Return SQL that is true wherever this holds (upper), or only where it holds (lower)."""

    def holds(self, run: RunFacts) -> bool: ...


@dataclass(frozen=True, slots=True)
class RowTest:
    """A part that SQL decides."""

    sql: str
    number: int  # among the row-level parts of the filter
    terms: tuple[Alternatives, ...] = ()
    index: str = ""  # the kind of index that serves it: "key" or "error"
    feedback: str = ""  # for a test of feedback: what a row of it must be

    def condition(self, *, is_upper: bool) -> str:
        return self.sql

    def holds(self, run: RunFacts) -> bool:
        return run.truths[self.number]


@dataclass(frozen=True, slots=True)
class PayloadPart:
    """A part that only the payload decides."""

    test: PayloadTest
    sql: str  # true wherever it holds
    terms: tuple[Alternatives, ...] = ()
    phrases: tuple[tuple[TokenPhrase, ...], ...] = ()

    def condition(self, *, is_upper: bool) -> str:
        return self.sql if is_upper else "false"

    def holds(self, run: RunFacts) -> bool:
        return self.test.holds(run.texts)


@dataclass(frozen=True, slots=True)
class All:
    """Every one of its parts."""

    parts: tuple[Node, ...]

    def condition(self, *, is_upper: bool) -> str:
        return f"({' AND '.join(part.condition(is_upper=is_upper) for part in self.parts)})"

    def holds(self, run: RunFacts) -> bool:
        return all(part.holds(run) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of its parts."""

    parts: tuple[Node, ...]

    def condition(self, *, is_upper: bool) -> str:
        return f"({' OR '.join(part.condition(is_upper=is_upper) for part in self.parts)})"

    def holds(self, run: RunFacts) -> bool:
        return any(part.holds(run) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Negated:
    """The contrary, where NULL counts as false."""

    part: Node

    def condition(self, *, is_upper: bool) -> str:
        return f"({self.part.condition(is_upper=not is_upper)}) IS NOT TRUE"

    def holds(self, run: RunFacts) -> bool:
        return not self.part.holds(run)


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """A filter of one run, ready for a query on any alias of `run`."""

    node: Node
    needs_payload: bool
    row_tests: tuple[str, ...]
    # Every one of these sets has a term that the trace of a matching run has too.
    terms: tuple[Alternatives, ...]
    # Every one of these sets has a phrase that the trace of a matching run says.
    phrases: tuple[tuple[TokenPhrase, ...], ...]
    conjuncts: tuple[Node, ...]  # parts that each matching run passes

    def condition(self, alias: str = "run") -> str:
        """Return the condition: exact unless `needs_payload`, and then one that no match fails."""
        return _for_alias(self.node.condition(is_upper=True), alias)

    def certainty(self, alias: str = "run") -> str:
        """Return a condition that only matches pass, and all of them unless `needs_payload`."""
        return _for_alias(self.node.condition(is_upper=False), alias)

    def truths(self, alias: str = "run") -> str:
        """Return a column: the truth of each row-level part, as an array."""
        tests = ", ".join(f"({test}) IS TRUE" for test in self.row_tests)
        return _for_alias(f"ARRAY[{tests}]::boolean[]", alias)

    def served_by(self, index: str, alias: str = "run") -> list[str]:
        """Return the conditions that every match passes and an index of this kind serves."""
        return [
            _for_alias(part.sql, alias)
            for part in self.conjuncts
            if isinstance(part, RowTest) and part.index == index
        ]

    @property
    def feedback(self) -> list[str]:
        """For each test of feedback that every match passes: what a row of feedback must be."""
        return [
            part.feedback for part in self.conjuncts if isinstance(part, RowTest) and part.feedback
        ]


def _for_alias(sql: str, alias: str) -> str:
    return sql.replace("{run}", alias)


def compile_expression(
    expression: Expression, project_ids: Iterable[UUID], params: Params
) -> CompiledExpression:
    """Return the filter compiled for runs of these projects; adds its values to `params`."""
    compiler = _Compiler(params, [Terms(project_id) for project_id in project_ids])
    node = compiler.compile(expression)
    conjuncts = tuple(_conjuncts(node))
    return CompiledExpression(
        node=node,
        needs_payload=compiler.needs_payload,
        row_tests=tuple(compiler.row_tests),
        terms=tuple(terms for part in conjuncts for terms in _terms_of(part)),
        phrases=tuple(phrases for part in conjuncts for phrases in _phrases_of(part)),
        conjuncts=conjuncts,
    )


def _conjuncts(node: Node) -> Iterable[Node]:
    if isinstance(node, All):
        for part in node.parts:
            yield from _conjuncts(part)
    elif isinstance(node, Some) and len(node.parts) == 1:
        yield from _conjuncts(node.parts[0])
    else:
        yield node


def _terms_of(node: Node) -> tuple[Alternatives, ...]:
    """Return the sets of terms that a part demands."""
    if isinstance(node, (RowTest, PayloadPart)):
        return node.terms
    if isinstance(node, All):
        return tuple(terms for part in node.parts for terms in _terms_of(part))
    if isinstance(node, Some):
        demanded = [_terms_of(part) for part in node.parts]
        if all(demanded):
            # of each alternative the set that says most, all in one
            smallest = [min(sets, key=len) for sets in demanded]
            merged = tuple({term for terms in smallest for term in terms})
            return (merged,) if len(merged) <= MAX_ALTERNATIVES else ()
    return ()


def _phrases_of(node: Node) -> tuple[tuple[TokenPhrase, ...], ...]:
    """Return the sets of phrases that a part demands."""
    if isinstance(node, PayloadPart):
        return node.phrases
    if isinstance(node, All):
        return tuple(phrases for part in node.parts for phrases in _phrases_of(part))
    if isinstance(node, Some):
        demanded = [_phrases_of(part) for part in node.parts]
        if all(demanded):
            # of each alternative the longest, all in one
            return (tuple(phrase for sets in demanded for phrase in max(sets, key=_characters)),)
    return ()


def _characters(phrases: Sequence[TokenPhrase]) -> int:
    return min(sum(map(len, phrase.tokens)) for phrase in phrases)


@dataclass
class _Compiler:
    params: Params
    projects: Sequence[Terms]
    row_tests: list[str] = field(default_factory=list)
    needs_payload: bool = False

    def compile(self, expression: Expression) -> Node:
        match expression:
            case And(operands):
                return self._all(operands)
            case Or(operands):
                return Some(tuple(map(self.compile, operands)))
            case Not(operand):
                return Negated(self.compile(operand))
            case Compare():
                return self._all((expression,))

    def _all(self, operands: Sequence[Expression]) -> Node:
        """Compile what holds together: tests of one kind of pair speak of the same pair."""
        parts: list[Node] = []
        pairs: dict[Group, list[Compare]] = {}
        for operand in operands:
            if not isinstance(operand, Compare):
                parts.append(self.compile(operand))
            elif group := find_field(operand.field).group:
                pairs.setdefault(group, []).append(operand)
            else:
                parts.append(self._compare(operand))
        for group, tests in pairs.items():
            parts += self._pairs(group, tests)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    # Pairs --------------------------------------------------------------------------------------------

    def _pairs(self, group: Group, tests: Sequence[Compare]) -> Iterable[Node]:
        """Compile the tests of one kind of pair that stand in one and().

        A `neq` of a key says that there is no such pair at all. A `neq` of a value says so too, unless a
        key is named beside it: then that the pair of this key has another value.
        """
        has_key = any(_is_key(test) and test.operator != "neq" for test in tests)
        apart = [
            test for test in tests if test.operator == "neq" and (_is_key(test) or not has_key)
        ]
        bound = [test for test in tests if test not in apart]
        if bound:
            yield self._pair(group, bound)
        for test in apart:
            yield Negated(self._pair(group, [Compare(test.field, "eq", test.value)]))

    def _pair(self, group: Group, tests: Sequence[Compare]) -> Node:
        if group == "feedback":
            return self._feedback(tests)
        keys = [test for test in tests if _is_key(test)]
        values = [test for test in tests if not _is_key(test)]
        test = HasPair(
            group,
            tuple(text_test(key.operator, key.value) for key in keys),
            tuple(text_test(value.operator, value.value) for value in values),
            tuple(longest_word(str(value.value)) for value in values if value.operator == "like"),
        )
        return self._payload_part(test, self._pair_terms(group, keys, values))

    def _pair_terms(
        self, group: Source, keys: Sequence[Compare], values: Sequence[Compare]
    ) -> tuple[Alternatives, ...]:
        named_keys = _wanted_texts(keys)
        if named_keys is None:
            return ()
        named_values = _wanted_texts(values)
        if named_values is None or len(named_keys) * len(named_values) > MAX_ALTERNATIVES:
            return self._any_term([(cast("Kind", f"{group}_key"), key, None) for key in named_keys])
        return self._any_term([(group, *pair) for pair in product(named_keys, named_values)])

    def _feedback(self, tests: Sequence[Compare]) -> Node:
        conditions = " AND ".join(map(self._feedback_condition, tests))
        return self._row_test(f"{OF_FEEDBACK} AND {conditions})", feedback=conditions)

    def _feedback_condition(self, test: Compare) -> str:
        known = FIELDS[test.field]
        if test.field == "feedback_value":
            forms = self.params.add(
                [form for value in _listed(test.value) for form in _json_forms(value)]
            )
            matches = f"{known.sql} = ANY({forms}::bytea[])"
            return f"NOT {matches}" if test.operator == "neq" else matches
        return self._comparison(known, test)

    # Everything else ----------------------------------------------------------------------------------

    def _compare(self, test: Compare) -> Node:
        if test.operator in ("word", "phrase"):
            return self._phrase(test)
        known = find_field(test.field)
        if test.operator == "search" and test.field not in ("name", "model"):
            return self._search(test)
        if test.field == "metadata":
            return self._has_metadata(cast("str", test.value))
        if test.operator == "neq" and test.value is not None:
            return Negated(self._compare(Compare(test.field, "eq", test.value)))
        match test.field:
            case "tags":
                return self._tags(test)
            case "error":
                return self._error(test)
            case "thread_id":
                terms = self._thread_terms(test)
            case _:
                terms = self._row_terms(known, test)
        return self._row_test(self._comparison(known, test), terms=terms, index=_index_of(test))

    def _comparison(self, known: Field, test: Compare) -> str:
        """Return the SQL of one test of one value; NULL where the run lacks it."""
        operator, value, sql = test.operator, test.value, known.sql
        match operator:
            case "eq" | "neq" if value is None:
                return f"{sql} IS {'NOT ' * (operator == 'neq')}NULL"
            case "in":
                return f"{sql} = ANY({self.params.add(list(_listed(value)))}::{known.sql_type}[])"
            case "like":
                return f"{sql} ILIKE {self.params.add(whole_pattern(cast('str', value)))}"
            case "search":
                words = cast("str", value).split()
                patterns = [self.params.add(f"%{escape_like(word)}%") for word in words]
                return f"({' AND '.join(f'{sql} ILIKE {pattern}' for pattern in patterns)})"
        return f"{sql} {SYMBOLS[operator]} {self.params.add(value)}::{known.sql_type}"

    def _tags(self, test: Compare) -> Node:
        tags = [cast("str", tag) for tag in _listed(test.value)]
        terms = self._any_term([("tag", storable(tag), None) for tag in tags])
        return self._row_test(f"{{run}}.tags && {self.params.add(tags)}::text[]", terms=terms)

    def _error(self, test: Compare) -> Node:
        if test.operator == "like":
            part = ErrorLike(like_test(cast("str", test.value)))
            return self._payload_part(part, (), "{run}.error IS NOT NULL")
        has_error = test.value is True or (test.operator, test.value) == ("neq", None)
        if has_error:
            return self._row_test("{run}.error IS NOT NULL", index="error")
        return self._row_test("{run}.error IS NULL")

    def _search(self, test: Compare) -> Node:
        areas = (cast("Area", test.field),) if test.field else AREAS
        sql = "{run}.error IS NOT NULL" if test.field == "error" else "true"
        return self._payload_part(HasWords(areas, cast("str", test.value)), (), sql)

    def _phrase(self, test: Compare) -> Node:
        areas = (cast("Area", test.field),) if test.field else AREAS
        text = cast("str", test.value)
        phrase = word_phrase(text) if test.operator == "word" else quoted_phrase(text)
        self.needs_payload = True
        indexed = tuple((part,) for part in phrase.indexed)
        return PayloadPart(HasPhrase(areas, phrase), "true", phrases=indexed)

    def _has_metadata(self, text: str) -> Node:
        pairs = contained_pairs(text)
        if pairs is None:
            return self._pair("metadata", [Compare("metadata_key", "eq", text)])
        terms = tuple(
            terms for key, value in pairs for terms in self._any_term([("metadata", key, value)])
        )
        return self._payload_part(HasMetadata(frozenset(pairs)), terms)

    def _row_test(
        self, sql: str, *, terms: tuple[Alternatives, ...] = (), index: str = "", feedback: str = ""
    ) -> Node:
        self.row_tests.append(sql)
        return RowTest(sql, len(self.row_tests) - 1, terms, index, feedback)

    def _payload_part(
        self, test: PayloadTest, terms: tuple[Alternatives, ...], sql: str = "true"
    ) -> Node:
        self.needs_payload = True
        if terms:
            sql = " AND ".join(
                f"trace_terms.terms && {self.params.add(list(group))}::integer[]" for group in terms
            )
            sql = f"{OF_TERMS} AND {sql})"
        return PayloadPart(test, sql, terms)

    # Terms --------------------------------------------------------------------------------------------

    def _any_term(self, facts: Sequence[tuple[Kind, str, str | None]]) -> tuple[Alternatives, ...]:
        """Return one set: the terms of these facts, in whichever of the projects."""
        if not facts or len(facts) * len(self.projects) > MAX_ALTERNATIVES:
            return ()
        found = {terms.term(*fact) for terms in self.projects for fact in facts}
        return ((OVERFLOW, *sorted(found)),)

    def _row_terms(self, known: Field, test: Compare) -> tuple[Alternatives, ...]:
        if (test.field, test.operator, test.value) == ("status", "eq", "error"):
            return self._any_term([("error", "", None)])
        if known.term is None or test.operator not in ("eq", "in") or test.value is None:
            return ()
        texts = [storable(cast("str", value)) for value in _listed(test.value)]
        return self._any_term([(known.term, text, None) for text in texts])

    def _thread_terms(self, test: Compare) -> tuple[Alternatives, ...]:
        """Threads are named in the metadata, under one of three keys."""
        if test.value is None:
            return ()
        texts = [cast("str", value) for value in _listed(test.value)]
        if any(len(text) > MAX_THREAD_CHARACTERS or "\ufffd" in storable(text) for text in texts):
            return ()
        return self._any_term([("metadata", *pair) for pair in product(THREAD_KEYS, texts)])


def _is_key(test: Compare) -> bool:
    return FIELDS[test.field].part == "key"


def _listed(value: Value) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def _wanted_texts(tests: Sequence[Compare]) -> frozenset[str] | None:
    """Return the texts of which one is demanded by the first test that names any, or None."""
    for test in tests:
        if test.operator in ("eq", "in"):
            return all_texts_of(test.value)
    return None


def _index_of(test: Compare) -> str:
    is_key = test.field in ("id", "trace_id", "reference_example", "reference_example_id")
    return "key" if is_key and test.operator in ("eq", "in") and test.value is not None else ""


def _json_forms(value: Scalar) -> Iterable[bytes]:
    """Return the JSON texts that a client may have written a value of feedback as: 5 as 5 or "5"."""
    for text in texts_of(value):
        quoted = (json.dumps(text, ensure_ascii=is_ascii) for is_ascii in (True, False))
        yield from (form.encode("utf-8", "replace") for form in (text, *quoted))
