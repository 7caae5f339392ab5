"""The search box's language → tree: `status:error latency:>5s model:gpt-4o* -tag:test (a OR b) "refund policy"`.

It is parsed to the same tree as LangSmith's filters, and so means the same and can be written as one. Of a trace,
what is asked of a type, a model, an error, feedback or a text holds where some run of it does; everything else is
asked of its root. `any(…)` and `root(…)` say it otherwise, and what stands in one `any(…)` is asked of one run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from collector.query.errors import FilterError
from collector.query.fields import Literals, make_compare
from collector.query.fields import nearest_word as nearest
from collector.query.tree import And, Compare, Expression, Not, Or
from collector.query.words import escape_like

MAX_CHARACTERS = 4_000
MAX_DEPTH = 20
MAX_TERMS = 100

Scope: TypeAlias = Literal["root", "any"]
OPERATORS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "": "eq"}


@dataclass(frozen=True, slots=True)
class SearchField:
    """A word before a colon: the field that it stands for, and which run of a trace it is asked of."""

    field: str
    scope: Scope
    said: str  # for the reader: what stands before "is", "over" and the like
    example: str = ""


SEARCH_FIELDS: dict[str, SearchField] = {
    "status": SearchField("state", "root", "status", "error"),
    "type": SearchField("run_type", "any", "type", "tool"),
    "name": SearchField("name", "root", "name", '"my agent"'),
    "model": SearchField("model", "any", "model", "gpt-4o*"),
    "tag": SearchField("tags", "root", "tag", "prod"),
    "latency": SearchField("latency", "root", "latency", ">5s"),
    "tokens": SearchField("total_tokens", "root", "tokens", ">1000"),
    "input_tokens": SearchField("prompt_tokens", "root", "input tokens", ">1000"),
    "output_tokens": SearchField("completion_tokens", "root", "output tokens", ">1000"),
    "cost": SearchField("total_cost", "root", "cost", ">0.01"),
    "thread": SearchField("thread_id", "root", "thread", "t-42"),
    "error": SearchField("error", "any", "error", "timeout"),
    "input": SearchField("inputs", "root", "input", '"refund policy"'),
    "output": SearchField("outputs", "root", "output", '"refund policy"'),
    "id": SearchField("id", "any", "id"),
    "trace": SearchField("trace_id", "root", "trace"),
    "started": SearchField("start_time", "root", "start", ">2026-11-24"),
    "ended": SearchField("end_time", "root", "end", ">2026-11-24"),
}
# Words with a key behind a dot: the parts of the pair.
PAIRS: dict[str, tuple[str, str, Scope]] = {
    "metadata": ("metadata_key", "metadata_value", "root"),
    "feedback": ("feedback_key", "feedback_score", "any"),
    "input": ("input_key", "input_value", "root"),
    "output": ("output_key", "output_value", "root"),
}
HAS: dict[str, tuple[Expression, Scope]] = {
    "feedback": (Compare("feedback_key", "like", "%"), "any"),
    "error": (Compare("error", "neq", None), "any"),
    "thread": (Compare("thread_id", "neq", None), "root"),
    "model": (Compare("model", "neq", None), "any"),
    "cost": (Compare("total_cost", "neq", None), "root"),
    "tokens": (Compare("total_tokens", "neq", None), "root"),
}
WORDS = (*SEARCH_FIELDS, *(f"{name}.key" for name in PAIRS), "has")

_PARSER = Lark(
    (Path(__file__).parent / "search.lark").read_text(encoding="utf-8"),
    parser="lalr",
    lexer="contextual",
    maybe_placeholders=False,
    propagate_positions=True,
)

Node = Tree[Token] | Token


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions of a search, all of which have to hold.

    Of a trace: of its root, or of some run of it (`any`). With `is_negated`, of no run of it.
    """

    expression: Expression
    scope: Scope
    is_negated: bool = False
    start: int = 0  # where it stands in the text
    end: int = 0

    @property
    def of_run(self) -> Expression:
        """The condition as it is asked of a single run, in a list of runs."""
        return Not(self.expression) if self.is_negated else self.expression


@dataclass(frozen=True, slots=True)
class Search:
    """A text of the search box, understood."""

    text: str
    conditions: tuple[Condition, ...] = ()

    @property
    def of_run(self) -> Expression | None:
        """All conditions on one run; None: there are none."""
        return _all([condition.of_run for condition in self.conditions])

    @property
    def of_root(self) -> Expression | None:
        """The conditions on a trace's root."""
        return _all([item.of_run for item in self.conditions if item.scope == "root"])

    @property
    def of_some_run(self) -> list[Condition]:
        """The conditions that some run of a trace has to pass, each on its own, or none may."""
        return [item for item in self.conditions if item.scope == "any"]


def _all(expressions: list[Expression]) -> Expression | None:
    return And(tuple(expressions)) if expressions else None


def parse_search(text: str) -> Search:
    """Return what a text of the search box asks for.

    Raises:
        FilterError: it is none, or asks for what there is not; says where and what was meant.
    """
    _check_size(text)
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput as error:
        _refuse(text, error)
    if not tree.children:
        return Search(text)
    (alternatives,) = tree.children
    reader = _Reader(text)
    return Search(text, tuple(reader.conditions(alternatives)))


def _check_size(text: str) -> None:
    """Refuse what would be costly to parse or to look for."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"longer than {MAX_CHARACTERS:,} characters", MAX_CHARACTERS, text)
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            raise FilterError(f"more than {MAX_DEPTH} levels deep", position, text)


@dataclass
class _Reader:
    """Turns what was parsed into conditions, and knows the text to point into."""

    text: str
    terms: int = 0

    def conditions(self, node: Node) -> Iterator[Condition]:
        """Yield the conditions that all have to hold."""
        node = _only(node)
        if isinstance(node, Tree) and node.data == "together":
            for term in node.children:
                if not isinstance(term, Token):
                    yield from self.conditions(term)
        elif isinstance(node, Tree) and node.data == "group":
            yield from self.conditions(node.children[0])
        else:
            yield self._condition(node)

    def _condition(self, node: Node) -> Condition:
        start, end = _span(node)
        expression, scope = self._expression(node)
        is_negated = isinstance(expression, Not) and scope == "any"
        if is_negated and isinstance(expression, Not):
            expression = expression.operand
        return Condition(expression, scope or "root", is_negated, start, end)

    def _expression(self, node: Node) -> tuple[Expression, Scope | None]:
        """Return an expression on one run, and of which run of a trace it is asked."""
        node = _only(node)
        assert isinstance(node, Tree)
        match node.data:
            case "alternatives" | "together":
                parts = [item for item in node.children if not isinstance(item, Token)]
                return self._joined(node, parts)
            case "negated":
                expression, scope = self._expression(node.children[1])
                return Not(expression), scope
            case "group":
                return self._expression(node.children[0])
            case "some":
                return self._of(node)
            case "test":
                return self._test(node)
            case _:
                return self._text(node)

    def _joined(self, node: Tree[Token], parts: Sequence[Node]) -> tuple[Expression, Scope | None]:
        found = [self._expression(part) for part in parts]
        scopes = {scope for _, scope in found}
        if len(scopes) > 1:
            self._fail(
                "one part is asked of the trace's root and another of any run: put any(…) around",
                node,
            )
        operands = tuple(expression for expression, _ in found)
        return (Or if node.data == "alternatives" else And)(operands), scopes.pop()

    def _of(self, node: Tree[Token]) -> tuple[Expression, Scope | None]:
        """Read any(…) and root(…): inside, all is asked of one run."""
        word, inner = node.children
        expression = self._on_one_run(inner)
        return expression, "any" if str(word).startswith("any") else "root"

    def _on_one_run(self, node: Node) -> Expression:
        node = _only(node)
        assert isinstance(node, Tree)
        match node.data:
            case "alternatives" | "together":
                parts = [item for item in node.children if not isinstance(item, Token)]
                operands = tuple(map(self._on_one_run, parts))
                return (Or if node.data == "alternatives" else And)(operands)
            case "negated":
                return Not(self._on_one_run(node.children[1]))
            case "group":
                return self._on_one_run(node.children[0])
            case "some":
                self._fail("any(…) and root(…) do not stand inside of one another", node)
        return self._expression(node)[0]

    # --- tests ------------------------------------------------------------------------------------
    def _text(self, node: Tree[Token]) -> tuple[Expression, Scope]:
        self._count(node)
        return self._words(node, ""), "any"

    def _test(self, node: Tree[Token]) -> tuple[Expression, Scope]:
        self._count(node)
        field, *rest = node.children
        word, _, key = str(field)[:-1].partition(".")
        if key.startswith('"'):
            key = self._unquoted(key, node)
        operator = (
            str(rest.pop(0)) if isinstance(rest[0], Token) and rest[0].type == "OPERATOR" else ""
        )
        values = [item for item in rest if isinstance(item, Tree)]
        if not key and word == "has":
            return self._any_of(node, [self._has(value) for value in values])
        if key:
            return self._any_of(
                node, [self._pair(node, word, key, operator, value) for value in values]
            )
        known = SEARCH_FIELDS.get(word)
        if known is None:
            if word in PAIRS:
                self._fail(f"{word} needs a key: {word}.user_id:42", node)
            hint = nearest(word, SEARCH_FIELDS) or "; a text to look for needs quotes"
            self._fail(f"there is no field {word[:60]!r}{hint}", node)
        return self._any_of(
            node, [(self._compare(known, operator, value), known.scope) for value in values]
        )

    def _any_of(
        self, node: Node, found: list[tuple[Expression, Scope]]
    ) -> tuple[Expression, Scope]:
        expressions = tuple(expression for expression, _ in found)
        if len({scope for _, scope in found}) > 1:
            self._fail("these are asked of different runs: write them apart, with OR between", node)
        return (expressions[0] if len(expressions) == 1 else Or(expressions)), found[0][1]

    def _compare(self, known: SearchField, operator: str, value: Tree[Token]) -> Expression:
        text = self._string(value.children[0])
        is_quoted = _is_quoted(value)
        if known.field in ("inputs", "outputs"):
            return self._words(value, known.field)
        if known.field == "error":
            return self._made(value, known.field, "search", text)
        if known.field == "tags":
            return self._made(value, "tags", "has", text)
        if "*" in text and not is_quoted and not operator:
            return self._made(value, known.field, "like", _pattern(text))
        return self._made(value, known.field, OPERATORS[operator], text)

    def _pair(
        self, node: Node, word: str, key: str, operator: str, value: Tree[Token]
    ) -> tuple[Expression, Scope]:
        if word not in PAIRS:
            self._fail(f"{word[:60]!r} takes no key; {', '.join(PAIRS)} do", node)
        key_field, value_field, scope = PAIRS[word]
        text = self._string(value.children[0])
        number = _number(text) if not _is_quoted(value) else None
        if operator and number is None:
            self._fail("a number is needed here", value)
        if word == "feedback" and number is None:
            value_field = "feedback_value"
        has_star = "*" in text and not _is_quoted(value) and word != "feedback"
        test = (
            self._made(value, value_field, "like", _pattern(text))
            if has_star
            else self._made(
                value, value_field, OPERATORS[operator], text if number is None else number
            )
        )
        return And((self._made(node, key_field, "eq", key), test)), scope

    def _has(self, value: Tree[Token]) -> tuple[Expression, Scope]:
        text = self._string(value.children[0])
        word, _, key = text.partition(".")
        if key and word in PAIRS:
            key_field, _, scope = PAIRS[word]
            return self._made(value, key_field, "eq", key), scope
        if text not in HAS:
            self._fail(f"has: takes {', '.join(HAS)} or metadata.key{nearest(text, HAS)}", value)
        return HAS[text]

    def _words(self, node: Tree[Token], field: str) -> Expression:
        text, is_quoted = self._string(node.children[0]), _is_quoted(node)
        if not (text if is_quoted else text.strip("*")).strip():
            self._fail("a search needs a word", node)
        return Compare(field, "phrase" if is_quoted else "word", text)

    def _made(self, node: Node, field: str, operator: str, value: Literals) -> Expression:
        try:
            return make_compare(field, operator, value)
        except ValueError as error:
            self._fail(str(error), node, error)

    def _count(self, node: Node) -> None:
        self.terms += 1
        if self.terms > MAX_TERMS:
            self._fail(f"more than {MAX_TERMS} conditions", node)

    def _string(self, token: Node) -> str:
        text = str(token)
        return self._unquoted(text, token) if text.startswith('"') else text

    def _unquoted(self, text: str, node: Node) -> str:
        try:
            return str(json.loads(text, strict=False))
        except ValueError as error:
            self._fail("a backslash begins no escape that JSON has", node, error)

    def _fail(self, message: str, node: Node, cause: Exception | None = None) -> NoReturn:
        raise FilterError(message, _span(node)[0], self.text) from cause


def _only(node: Node) -> Node:
    """Return what a level that joins nothing holds."""
    while isinstance(node, Tree) and node.data in ("alternatives", "together"):
        parts = [item for item in node.children if not isinstance(item, Token)]
        if len(parts) != 1:
            break
        node = parts[0]
    return node


def _span(node: Node) -> tuple[int, int]:
    """Return where a node begins and ends in the text."""
    place = node if isinstance(node, Token) else node.meta
    return getattr(place, "start_pos", None) or 0, getattr(place, "end_pos", None) or 0


def _is_quoted(value: Tree[Token]) -> bool:
    return str(value.children[0]).startswith('"')


def _pattern(text: str) -> str:
    return escape_like(text).replace("*", "%")


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _refuse(text: str, error: UnexpectedInput) -> NoReturn:
    """Say in words what the parser stumbled over."""
    is_at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position: int = len(text) if is_at_end else getattr(error, "pos_in_stream", 0)
    rest = text[position:]
    if text.count('"') % 2 and (is_at_end or rest.startswith('"')):
        position, message = text.rfind('"'), "this quote is not closed"
    elif rest.startswith(")"):
        message = "a closing bracket too many"
    elif is_at_end and text.count("(") > text.count(")"):
        message = "a closing bracket is missing"
    elif is_at_end:
        message = "the search ends too early"
    elif rest.startswith(("<", ">", "=")):
        message = "a comparison is written like latency:>5s"
    else:
        message = "this cannot stand here; a text with brackets or quotes in it needs quotes"
    raise FilterError(message, position, text) from error
