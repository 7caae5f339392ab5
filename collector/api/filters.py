"""The part of LangSmith's filter language that is understood so far (protocol 6).

What it does not know it refuses by name. It must never be taken as "no filter": that would answer with
runs that nobody asked for.
"""

from __future__ import annotations

import re
from uuid import UUID

import orjson
from rest_framework.exceptions import ParseError

from collector.reads.types import RunTest

MAX_CHARACTERS = 16 << 10
MAX_COMPARISONS = 100
STATUSES = ("pending", "success", "error")
SUPPORTED = "eq and neq of is_root, status, run_type and trace_id; has(tags, …); and(…) of these"

_STRING = r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' """
_COMPARISON = re.compile(
    rf"""\s* (?P<function>[a-z]+) \s* \( \s* (?P<field>\w+|"\w+"|'\w+') \s*,
         \s* (?P<value>{_STRING}|[\w.+-]+) \s* ,? \s* \) \s*""",
    re.VERBOSE | re.DOTALL,
)
_AND = re.compile(r"\s*and\s*\((?P<inner>.*)\)\s*", re.DOTALL)


def parse_filter(name: str, text: str | None) -> tuple[RunTest, ...]:
    """Return the tests of a filter, all of which must hold.

    Raises:
        ParseError: it is not one, or says what is not supported yet.
    """
    if text is None or not text.strip():
        return ()
    if len(text) > MAX_CHARACTERS:
        raise ParseError(f"{name}: longer than {MAX_CHARACTERS:,} characters.")
    several = _AND.fullmatch(text)
    rest = several["inner"] if several else text
    tests: list[RunTest] = []
    while rest.strip():
        found = _COMPARISON.match(rest)
        if found is None or len(tests) >= MAX_COMPARISONS:
            raise _unsupported(name, rest)
        tests.append(_test(name, found))
        rest = rest[found.end() :]
        if rest and not (several and rest.startswith(",")):
            raise _unsupported(name, rest)
        rest = rest.removeprefix(",")
    if not tests:
        raise _unsupported(name, text)
    return tuple(tests)


def _unsupported(name: str, text: str) -> ParseError:
    shown = text.strip()[:60]
    return ParseError(
        f"{name}: {shown!r} is not supported yet. Supported are {SUPPORTED}.", "unsupported_filter"
    )


def _test(name: str, found: re.Match[str]) -> RunTest:
    function, field, value = found["function"], found["field"].strip("\"'"), _value(found["value"])
    if function == "has" and field == "tags" and isinstance(value, str):
        return RunTest("tag", value)
    if function in ("eq", "neq"):
        is_negated = function == "neq"
        if field == "is_root" and isinstance(value, bool):
            return RunTest("is_root", value, is_negated)
        if field == "status" and value in STATUSES:
            return RunTest("status", value, is_negated)
        if field == "run_type" and isinstance(value, str):
            return RunTest("run_type", value, is_negated)
        if field == "trace_id" and isinstance(value, str):
            return RunTest("trace_id", _uuid(name, value), is_negated)
    raise _unsupported(name, found[0])


def _value(text: str) -> bool | str | None:
    """Return a word or a string; None for what is neither."""
    if text in ("true", "false"):
        return text == "true"
    if text[0] not in "\"'":
        return None
    inner = text[1:-1].replace("\\'", "'")
    if text[0] == "'":
        inner = re.sub(r'(?<!\\)"', r"\"", inner)
    try:
        value = orjson.loads(f'"{inner}"')
    except orjson.JSONDecodeError:
        return None
    return str(value)


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ParseError(f"{name}: {text[:60]!r} is no UUID.") from error
