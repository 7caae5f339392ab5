"""Texts of a run: as Markdown, as JSON or as they are, folded when they are long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from viewer.present.budget import Budget
from viewer.present.html import Html
from viewer.present.jsonview import render_json
from viewer.present.markdown import MAX_MARKDOWN_CHARS, render_markdown, render_plain

MAX_SHOWN_CHARS = 50_000
MAX_JSON_CHARS = 200_000  # a longer text is not looked into
FOLD_CHARS = 480  # folds to three lines
FOLD_LINES = 7
TALL_CHARS = 6_000  # what is at the centre of attention folds only here, to a screenful
TALL_LINES = 60


@dataclass(frozen=True, slots=True)
class Words:
    """One text, ready. `fold` is "", "short" (three lines) or "tall" (a screenful)."""

    html: Html
    fold: str
    char_count: int
    omitted_chars: int
    form: str  # markdown, json or plain: what the markup is of


def read_words(
    text: str, budget: Budget, *, folds: str = "short", is_markdown: bool = True
) -> Words:
    """Return a text as markup. `folds` says when: "short" early, "tall" late, "" never."""
    value = parse_json_text(text)
    if value is not None:
        return Words(render_json(value, budget), "", len(text), 0, "json")
    granted = budget.take_chars(min(len(text), MAX_SHOWN_CHARS))
    shown = text[:granted]
    fold = folds if _is_long(shown, folds) else ""
    omitted = len(text) - granted
    budget.omissions += omitted > 0
    small = len(shown) <= MAX_MARKDOWN_CHARS
    if is_markdown and not omitted and small and budget.take_markdown(len(shown)):
        return Words(render_markdown(shown), fold, len(text), 0, "markdown")
    return Words(render_plain(shown), fold, len(text), omitted, "plain")


def parse_json_text(text: str) -> Any | None:
    """Return the object or list that a text spells out, or None. An empty one is no news: None."""
    head = text[:64].lstrip()[:1]
    if head not in ("{", "[") or len(text) > MAX_JSON_CHARS:
        return None
    try:
        return orjson.loads(text) or None
    except ValueError:
        return None


def _is_long(text: str, folds: str) -> bool:
    if not folds:
        return False
    chars, lines = (FOLD_CHARS, FOLD_LINES) if folds == "short" else (TALL_CHARS, TALL_LINES)
    return len(text) > chars or text.count("\n") >= lines
