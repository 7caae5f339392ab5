"""LangSmith's filter language → tree: `and(eq(is_root, true), gt(latency, "5s"))`.

Hostile text costs little: what is too long, too deep or has too many parts is refused by one pass
before anything is parsed.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from collector.query.errors import FilterError
from collector.query.fields import (
    OPERATORS,
    Literals,
    check_operator,
    make_compare,
    nearest_operator,
)
from collector.query.tree import And, Expression, Not, Or

MAX_CHARACTERS = 16 << 10
MAX_DEPTH = 50
MAX_CLAUSES = 200
MAX_LIST_ITEMS = 1_000
MAX_NUMBER_CHARACTERS = 60

WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "none": None}
LOGICAL = ("and", "or", "not")

_PARSER = Lark(
    (Path(__file__).parent / "langsmith.lark").read_text(encoding="utf-8"),
    parser="lalr",
    lexer="contextual",
    maybe_placeholders=False,
)
# Possessive: a string without its end must not be looked through again from each quote in it.
_MARK = re.compile(r""""(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|[()\[\],]""", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r"""\\(.)|(")""", re.DOTALL)

Node = Tree[Token] | Token


def parse_filter(text: str) -> Expression:
    """Return the filter as a tree.

    Raises:
        FilterError: it is none, or asks for what there is not; says where and what was meant.
    """
    _check_size(text)
    try:
        (call,) = _PARSER.parse(text).children
    except UnexpectedInput as error:
        _refuse(text, error)
    return _Reader(text).expression(call)


def _check_size(text: str) -> None:
    """Refuse what would be costly to parse."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"longer than {MAX_CHARACTERS:,} characters", MAX_CHARACTERS, text)
    depth = clauses = items = 0
    for mark in _MARK.finditer(text):
        match mark[0]:
            case "(":
                depth, clauses, items = depth + 1, clauses + 1, 0
            case "[":
                depth, items = depth + 1, 0
            case ")" | "]":
                depth -= 1
            case ",":
                items += 1
        if depth > MAX_DEPTH:
            raise FilterError(f"more than {MAX_DEPTH} levels deep", mark.start(), text)
        if clauses > MAX_CLAUSES:
            raise FilterError(f"more than {MAX_CLAUSES} functions", mark.start(), text)
        if items > MAX_LIST_ITEMS:
            raise FilterError(f"a list of more than {MAX_LIST_ITEMS:,} values", mark.start(), text)


class _Reader:
    """Turns what was parsed into a checked tree, and knows the text to point into."""

    def __init__(self, text: str) -> None:
        self._text = text

    def expression(self, node: Node) -> Expression:
        if isinstance(node, Token) or node.data != "call":
            self._fail("a function like eq(field, value) is needed here", node)
        name, *arguments = node.children
        if name in LOGICAL:
            return self._logical(name, arguments)
        if name not in OPERATORS:
            self._fail(
                f"there is no function {str(name)[:60]!r}{nearest_operator(str(name))}", name
            )
        return self._compare(name, arguments)

    def _logical(self, name: Node, arguments: list[Node]) -> Expression:
        operands = tuple(map(self.expression, arguments))
        if not operands:
            self._fail(f"{name} needs at least one function in it", name)
        if name == "not":
            if len(operands) > 1:
                self._fail("not takes one function; for several, not(or(a, b))", arguments[1])
            return Not(operands[0])
        return And(operands) if name == "and" else Or(operands)

    def _compare(self, operator: Node, arguments: list[Node]) -> Expression:
        if operator == "search" and len(arguments) == 1:
            field, value = "", arguments[0]
        elif len(arguments) == 2:
            field, value = self._field(arguments[0]), arguments[1]
        else:
            self._fail(f"{operator} takes a field and a value", operator)
        try:
            check_operator(field, str(operator))
        except ValueError as error:
            self._fail(str(error), arguments[0], error)
        try:
            return make_compare(field, str(operator), self._value(value))
        except ValueError as error:
            self._fail(str(error), value, error)

    def _field(self, node: Node) -> str:
        if isinstance(node, Token):
            name = str(node)
        elif node.data == "string":
            name = self._string(node)
        else:
            self._fail("the name of a field is needed here", node)
        group, dot, key = name.partition(".")
        if dot and group in ("metadata", "inputs", "outputs", "input", "output"):
            self._fail(f"there is no field {name[:60]!r}; {pair_hint(group, key)}", node)
        return name

    def _value(self, node: Node) -> Literals | list[Literals]:
        if isinstance(node, Tree) and node.data == "call":
            self._fail("a value is needed here, not a function", node)
        if isinstance(node, Tree) and node.data == "list":
            return [self._scalar(item) for item in node.children]
        return self._scalar(node)

    def _scalar(self, node: Node) -> Literals:
        if isinstance(node, Token):
            return self._word(node)
        return self._string(node) if node.data == "string" else self._number(node)

    def _word(self, token: Token) -> bool | None:
        word = str(token).lower()
        if word not in WORDS:
            self._fail("a text needs quotes", token)
        return WORDS[word]

    def _number(self, node: Tree[Token]) -> Decimal:
        (token,) = node.children
        if len(str(token)) > MAX_NUMBER_CHARACTERS:
            self._fail("the number is too long", node)
        return Decimal(str(token))

    def _string(self, node: Tree[Token]) -> str:
        """Return the text: escapes are those of JSON, and any quote may be escaped."""
        (token,) = node.children
        inner = _ESCAPED_QUOTE.sub(_as_json_escape, str(token)[1:-1])
        try:
            # json, not orjson: it takes a lone surrogate, and strict=False a line break in the text
            value = json.loads(f'"{inner}"', strict=False)
        except ValueError as error:
            self._fail("a backslash begins no escape that JSON has", node, error)
        return str(value)

    def _fail(self, message: str, node: Node, cause: Exception | None = None) -> NoReturn:
        raise FilterError(message, _position(node), self._text) from cause


def _as_json_escape(found: re.Match[str]) -> str:
    if found[2]:
        return r"\""
    return "'" if found[1] == "'" else found[0]


def _position(node: Node) -> int:
    """Return where the first token of a node stands."""
    token = node if isinstance(node, Token) else next(node.scan_values(_is_token), None)
    return (token.start_pos if token is not None else None) or 0


def _is_token(value: object) -> bool:
    return isinstance(value, Token)


def pair_hint(group: str, key: str) -> str:
    """Return how a key of a payload is asked for."""
    part = {"inputs": "input", "outputs": "output"}.get(group, group)
    return f'write and(eq({part}_key, "{key[:60]}"), eq({part}_value, "…"))'


_AFTER_INDEX = re.compile(r"""\[\s*["']([^"'\]]{0,60})""")
_BEFORE_INDEX = re.compile(r"\b(metadata|inputs|outputs)\s*\Z")


def _refuse(text: str, error: UnexpectedInput) -> NoReturn:
    """Say in words what the parser stumbled over."""
    is_at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position: int = len(text) if is_at_end else getattr(error, "pos_in_stream", 0)
    rest = text[position:]
    message = "a comma or a closing bracket is missing" if rest else "the filter ends too early"
    if not text.strip():
        message = "the filter is empty"
    elif not text[:position].strip():
        message = "a function like eq(field, value) is needed here"
    elif (index := _AFTER_INDEX.match(rest)) and (before := _BEFORE_INDEX.search(text[:position])):
        message = f"fields have no index; {pair_hint(before[1], index[1])}"
    elif infix := re.match(r"(and|or|AND|OR)\b", rest):
        word = infix[1].lower()
        message = f"{word!r} stands before its operands: {word}(a, b)"
    elif re.match(r"not\b|==|!=|<|>|=", rest):
        message = 'comparisons are functions: eq(field, "value"), gt(field, 5), not(…)'
    elif isinstance(error, UnexpectedCharacters) and rest[0] in "\"'":
        message = "a text has no closing quote"
    elif rest.startswith(")"):
        message = "a closing bracket too many"
    raise FilterError(message, position, text) from error
