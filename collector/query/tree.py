"""A filter as a tree: what every way of writing one is parsed to, and what is compiled to SQL.

A tree holds checked values: a field that `fields.py` knows, an operator that it takes, and a value of
its type. `langsmith.parse_filter` makes one from text, `render` makes the text again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

Operator: TypeAlias = Literal[
    "eq", "neq", "gt", "gte", "lt", "lte", "like", "in", "has", "exists", "search", "word", "phrase"
]
Scalar: TypeAlias = str | bool | Decimal | UUID | datetime | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """One test of one field of a run. The field is "" for a search in all that a run says.

    `in` has a tuple of values, every other operator one value. A duration is in seconds. `word` and `phrase` come from
    the search box alone (see `phrases.py`); in LangSmith's language `search` comes next to them.
    """

    field: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    """All of one or more. Tests of one pair (`metadata_key` and `metadata_value`) bind to the same pair."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of one or more."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What the operand does not hold of: a test of what a run lacks is false, so its Not is true."""

    operand: Expression


Expression: TypeAlias = And | Or | Not | Compare


def both(first: Expression | None, second: Expression | None) -> Expression | None:
    """Return what holds where both do; None stands for no condition."""
    if first is None or second is None:
        return first or second
    return And((first, second))


def render(expression: Expression) -> str:
    """Return the filter as text in LangSmith's language."""
    match expression:
        case Compare(field, "word" | "phrase", value):
            return render(Compare(field, "search", str(value).strip("*")))
        case Compare("", operator, value):
            return f"{operator}({_render_value(value)})"
        case Compare(field, operator, value):
            return f"{operator}({field}, {_render_value(value)})"
        case Not(operand):
            return f"not({render(operand)})"
        case And(operands):
            return f"and({', '.join(map(render, operands))})"
        case Or(operands):
            return f"or({', '.join(map(render, operands))})"


def _render_value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_render_value, value))}]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        value = value.isoformat()
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)
