"""JSON as a tree of `<details>`: folds without a script, and never writes more than its budget."""

from __future__ import annotations

import math
from typing import Any

from viewer.present.budget import Budget
from viewer.present.html import Html, escape
from viewer.present.numbers import format_count, pluralize

MAX_DEPTH = 40
MAX_ITEMS = 300  # of one object or list
MAX_KEY_CHARS = 200
MAX_STRING_CHARS = 20_000
SHORT_STRING_CHARS = 240  # what is longer folds
SHORT_STRING_LINES = 6
OPEN_DEPTH = 3  # levels that are open at first
OPEN_ITEMS = 40
INLINE_ITEMS = 60  # a list of short values is written on one line
INLINE_CHARS = 400


def render_json(
    value: Any,
    budget: Budget | None = None,
    *,
    open_depth: int = OPEN_DEPTH,
    max_items: int = MAX_ITEMS,
) -> Html:
    """Return any JSON value as markup. Unknown Python values are shown by their text."""
    writer = _Writer(budget or Budget(), open_depth, max_items)
    if isinstance(value, (dict, list)) and value:
        writer.write_items(value, depth=0)
    else:
        writer.write_line("", value)
    return Html(f'<div class="json">{"".join(writer.pieces)}</div>')


class _Writer:
    def __init__(self, budget: Budget, open_depth: int, max_items: int) -> None:
        self.budget = budget
        self.open_depth = open_depth
        self.max_items = max_items
        self.pieces: list[str] = []

    def write_items(self, container: dict[Any, Any] | list[Any], depth: int) -> None:
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        for number, (key, item) in enumerate(pairs):
            if number >= self.max_items or not self.budget.take_nodes():
                noun = "key" if isinstance(container, dict) else "item"
                self.write_omission(f"{pluralize(len(container) - number, noun)} more")
                return
            self.write_node(_format_key(key), item, depth)

    def write_node(self, key: str, value: Any, depth: int) -> None:
        if not isinstance(value, (dict, list)) or not value:
            self.write_line(key, value)
        elif isinstance(value, list) and _is_short(value) and self.budget.take_nodes(len(value)):
            items = ", ".join(map(_format_item, value))
            self.pieces.append(f'<div class="json__line">{key}[{items}]</div>')
        elif depth >= MAX_DEPTH:
            self.pieces.append(f'<div class="json__line">{key}{_describe(value)}</div>')
            self.write_omission(f"deeper than {MAX_DEPTH} levels")
        else:
            opened = " open" if depth + 1 < self.open_depth and len(value) <= OPEN_ITEMS else ""
            self.pieces.append(
                f"<details{opened}><summary><span>{key}{_describe(value)}</span></summary><div>"
            )
            self.write_items(value, depth + 1)
            self.pieces.append("</div></details>")

    def write_line(self, key: str, value: Any) -> None:
        if isinstance(value, str):
            self.write_string(key, value)
        else:
            self.pieces.append(f'<div class="json__line">{key}{_format_scalar(value)}</div>')

    def write_string(self, key: str, text: str) -> None:
        granted = self.budget.take_chars(min(len(text), MAX_STRING_CHARS))
        shown = text[:granted]
        if len(shown) <= SHORT_STRING_CHARS and shown.count("\n") < SHORT_STRING_LINES:
            self.pieces.append(f'<div class="json__line">{key}{_format_string(shown)}</div>')
        else:
            head = " ".join(shown[:SHORT_STRING_CHARS].split())[:100]
            note = f"{format_count(len(text))} characters"
            self.pieces.append(
                f'<details class="json__long"><summary><span>{key}<span class="json__string json__head" dir="auto">'
                f'"{escape(head)}…</span> <span class="json__note">{note}</span></span></summary>'
                f'<div class="json__line">{_format_string(shown)}</div></details>'
            )
        if granted < len(text):
            self.write_omission(f"{format_count(len(text) - granted)} characters more")

    def write_omission(self, what: str) -> None:
        self.budget.omissions += 1
        self.pieces.append(f'<div class="json__line json__omitted">… {what}</div>')


def _is_short(values: list[Any]) -> bool:
    """Whether a list fits on a line: few values, none of them with anything inside."""
    if len(values) > INLINE_ITEMS or any(isinstance(value, (dict, list)) for value in values):
        return False
    return sum(len(value) if isinstance(value, str) else 8 for value in values) <= INLINE_CHARS


def _format_item(value: Any) -> str:
    return _format_string(value) if isinstance(value, str) else _format_scalar(value)


def _format_key(key: Any) -> str:
    text = str(key)
    if len(text) > MAX_KEY_CHARS:
        text = text[:MAX_KEY_CHARS] + "…"
    return f'<span class="json__key">{escape(text)}</span>: '


def _format_string(text: str) -> str:
    return f'<span class="json__string" dir="auto">"{escape(text)}"</span>'


def _format_scalar(value: Any) -> str:
    if value is None:
        return '<span class="json__word">null</span>'
    if isinstance(value, bool):
        return f'<span class="json__word">{"true" if value else "false"}</span>'
    if isinstance(value, float) and not math.isfinite(value):
        return f'<span class="json__word">{value}</span>'
    if isinstance(value, (int, float)):
        # Python refuses to print integers of more than 4,300 digits
        text = (
            repr(value)
            if not isinstance(value, int) or value.bit_length() < 4_096
            else f"{value:#x}"
        )
        return f'<span class="json__number">{escape(text)}</span>'
    if value == {} or value == []:
        return f'<span class="json__note">{"{ empty }" if value == {} else "[ empty ]"}</span>'
    return _format_string(str(value))


def _describe(container: dict[Any, Any] | list[Any]) -> str:
    if isinstance(container, dict):
        return f'<span class="json__note">{{ {pluralize(len(container), "key")} }}</span>'
    return f'<span class="json__note">[ {pluralize(len(container), "item")} ]</span>'
