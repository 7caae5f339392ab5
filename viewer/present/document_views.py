"""Documents ready for a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from viewer.present.budget import Budget
from viewer.present.documents import Document
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.words import Words, read_words

MAX_DOCUMENTS = 100
MAX_TAGS = 8
MAX_TAG_CHARS = 48
MAX_TITLE_CHARS = 200


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document: `meter` is the score as percent where it is a fraction, else ""."""

    rank: int
    title: str
    score: str
    meter: str
    words: Words
    tags: tuple[tuple[str, str], ...]
    metadata: Html  # all of it, where tags do not hold it


def view_documents(documents: Sequence[Document], budget: Budget) -> tuple[DocumentView, ...]:
    """Return the first documents; the JSON beside them holds the rest."""
    shown = documents[:MAX_DOCUMENTS]
    budget.omissions += len(documents) > len(shown)
    return tuple(_view(number, document, budget) for number, document in enumerate(shown, 1))


def _view(rank: int, document: Document, budget: Budget) -> DocumentView:
    simple = [(key, str(item)) for key, item in document.metadata.items() if _is_simple(item)]
    tags = tuple((key[:MAX_TAG_CHARS], text) for key, text in simple[:MAX_TAGS])
    whole = len(tags) < len(document.metadata)
    first_line = document.text[:400].strip().partition("\n")[0]
    return DocumentView(
        rank=rank,
        title=(document.title or document.id or first_line)[:MAX_TITLE_CHARS],
        score="" if document.score is None else f"{document.score:.3g}",
        meter=_meter(document.score),
        words=read_words(document.text, budget, is_markdown=False),
        tags=tags,
        metadata=render_json(dict(document.metadata), budget) if whole else EMPTY,
    )


def _meter(score: float | None) -> str:
    return f"{score * 100:.0f}%" if score is not None and 0 <= score <= 1 else ""


def _is_simple(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_TAG_CHARS
    return isinstance(value, (int, float))
