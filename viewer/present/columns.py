"""The columns of a list: which there are, which are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `sort` names the order that a click on its head asks for."""

    key: str
    title: str
    css: str
    sort: str = ""
    is_number: bool = False


COLUMNS = (
    Column("model", "Model", "col-model"),
    Column("input", "Input", "col-in"),
    Column("output", "Output", "col-out"),
    Column("start", "Start", "col-start", "start"),
    Column("latency", "Latency", "col-latency", "latency", is_number=True),
    Column("first_token", "First token", "col-first", is_number=True),
    Column("tokens", "Tokens", "col-tokens", "tokens", is_number=True),
    Column("cost", "Cost", "col-cost", "cost", is_number=True),
    Column("runs", "Runs", "col-runs", is_number=True),
    Column("tags", "Tags", "col-tags"),
    Column("thread", "Thread", "col-thread"),
    Column("user", "User", "col-user"),
)
# What a list has none of.
ABSENT = {"traces": frozenset({"model"}), "runs": frozenset({"runs"}), "llm": frozenset({"runs"})}
DEFAULTS = {
    "traces": ("input", "output", "start", "latency", "tokens", "cost", "tags"),
    "runs": ("input", "output", "start", "latency", "tokens", "cost", "tags"),
    "llm": ("model", "input", "output", "start", "latency", "first_token", "tokens", "cost"),
}


def columns_of(of: str) -> tuple[Column, ...]:
    """Return the columns that a list can have."""
    return tuple(column for column in COLUMNS if column.key not in ABSENT[of])


def parse_columns(text: str, of: str) -> tuple[str, ...]:
    """Return the keys of the columns that a text names, in their order; () where it names none."""
    named = set(text.split("."))
    return tuple(column.key for column in columns_of(of) if column.key in named)


def shown_columns(chosen: Sequence[str], of: str) -> tuple[Column, ...]:
    """Return the columns to show: those that were chosen, else the usual ones."""
    keys = chosen or DEFAULTS[of]
    return tuple(column for column in columns_of(of) if column.key in keys)
