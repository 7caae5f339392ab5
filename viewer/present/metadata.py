"""The metadata tab: what was said about a run, with what only frameworks read folded away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from collector.reads.types import RunDetail
from viewer.present.budget import Budget
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.numbers import pluralize

MAX_ENTRIES = 300
MAX_INLINE_CHARS = 600  # a value up to here is written beside its key
MAX_KEY_CHARS = 120
ENVIRONMENT = ("LANGSMITH_", "LANGCHAIN_")
INTERNALS = {
    "inputs_is_truthy",
    "defers_inputs",
    "lc_defers_inputs",
    "langgraph_triggers",
    "langgraph_path",
    "langgraph_checkpoint_ns",
    "checkpoint_ns",
    "lc_versions",
    "versions",
    "_type",
}
SHOWN_ELSEWHERE = {"metadata", "runtime", "invocation_params"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value: text, or JSON where that is long."""

    key: str
    text: str
    html: Html = EMPTY


@dataclass(frozen=True, slots=True)
class Section:
    """A titled list of entries, or one JSON tree."""

    title: str
    entries: tuple[Entry, ...] = ()
    html: Html = EMPTY
    note: str = ""
    is_open: bool = True


def view_metadata(detail: RunDetail, budget: Budget) -> tuple[Section, ...]:
    """Return the sections of the tab, those for few readers closed."""
    own, hidden = split_metadata(detail.metadata)
    extra = {key: item for key, item in detail.extra.items() if key not in SHOWN_ELSEWHERE}
    sections = [
        _section("Metadata", own, budget),
        _section("Model parameters", _mapping(detail.extra.get("invocation_params")), budget),
        _section("Runtime", _mapping(detail.extra.get("runtime")), budget, is_open=False),
        _section("Environment and internals", {**hidden, **extra}, budget, is_open=False),
        _tree("Serialized", detail.serialized, budget),
        _tree("Other fields", detail.other, budget),
    ]
    return tuple(section for section in sections if section)


def split_metadata(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what people wrote, and what the SDK copied from the environment or keeps for itself."""
    own: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    for key, value in metadata.items():
        is_hidden = key.startswith((*ENVIRONMENT, "__")) or key in INTERNALS
        (hidden if is_hidden else own)[key] = value
    return own, hidden


def view_entries(items: Iterable[tuple[str, Any]], budget: Budget) -> tuple[Entry, ...]:
    return tuple(_entry(key, value, budget) for key, value in list(items)[:MAX_ENTRIES])


def _entry(key: str, value: Any, budget: Budget) -> Entry:
    text = value if isinstance(value, str) else _to_json(value)
    if len(text) <= MAX_INLINE_CHARS and budget.take_chars(len(text)) == len(text):
        return Entry(key[:MAX_KEY_CHARS], text)
    return Entry(key[:MAX_KEY_CHARS], "", render_json(value, budget, open_depth=1))


def _section(
    title: str, values: Mapping[str, Any], budget: Budget, *, is_open: bool = True
) -> Section | None:
    if not values:
        return None
    note = pluralize(len(values), "key")
    return Section(title, view_entries(values.items(), budget), note=note, is_open=is_open)


def _tree(title: str, value: Any, budget: Budget) -> Section | None:
    if not value:
        return None
    return Section(title, html=render_json(value, budget, open_depth=2), is_open=False)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _to_json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # integers of more than 64 bits, depth, lone surrogates
        return repr(value)
