"""The query string of the trace page: all of its state, read once and written again for every link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from viewer.present.tree import MAX_ROWS

VIEWS = ("tree", "waterfall", "chat", "log")
TABS = ("run", "feedback", "metadata", "events", "raw")
FORMS = ("", "json")  # of a block: its picture, or the JSON behind it
MAX_ROWS_ASKED = 20_000
MAX_OPEN_GROUPS = 50
MAX_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What the reader sees. Nonsense in a link is the default, never an error."""

    run: UUID | None = None
    view: str = "tree"
    tab: str = "run"
    show_plumbing: bool = False
    open_groups: frozenset[UUID] = frozenset()
    rows: int = MAX_ROWS
    input_form: str = ""
    output_form: str = ""
    show_all_messages: bool = False
    text: str = ""  # what is looked for in the tree

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> TraceQuery:
        groups = (_parse_uuid(part) for part in query.get("open", "").split(",")[:MAX_OPEN_GROUPS])
        return cls(
            run=_parse_uuid(query.get("run", "")),
            view=_one_of(VIEWS, query.get("view", "")),
            tab=_one_of(TABS, query.get("tab", "")),
            show_plumbing=query.get("plumbing") == "show",
            open_groups=frozenset(group for group in groups if group),
            rows=_parse_rows(query.get("rows", "")),
            input_form=_one_of(FORMS, query.get("input", "")),
            output_form=_one_of(FORMS, query.get("output", "")),
            show_all_messages=query.get("messages") == "all",
            text=query.get("q", "").strip()[:MAX_TEXT_CHARS],
        )

    def url(self, **changes: Any) -> str:
        """Return a link to the same page with some fields changed. Defaults are left out."""
        changed = replace(self, **changes)
        return f"?{urlencode(changed._pairs())}"

    def url_of_run(self, run_id: UUID | str, **changes: Any) -> str:
        """Return a link to another run: what was said of this one's blocks is forgotten."""
        fresh = {"input_form": "", "output_form": "", "show_all_messages": False}
        return self.url(**{**fresh, **changes, "run": run_id})

    def fields(self, *left_out: str) -> list[tuple[str, str]]:
        """Return the query string as pairs: what a form has to carry along."""
        return [pair for pair in self._pairs() if pair[0] not in left_out]

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [
            ("view", "" if self.view == VIEWS[0] else self.view),
            ("q", self.text),
            ("plumbing", "show" if self.show_plumbing else ""),
            ("open", ",".join(sorted(str(group) for group in self.open_groups))),
            ("rows", "" if self.rows == MAX_ROWS else str(self.rows)),
            ("run", str(self.run) if self.run else ""),
            ("tab", "" if self.tab == TABS[0] else self.tab),
            ("input", self.input_form),
            ("output", self.output_form),
            ("messages", "all" if self.show_all_messages else ""),
        ]
        return [pair for pair in pairs if pair[1]]


def _one_of(known: tuple[str, ...], asked: str) -> str:
    return asked if asked in known else known[0]


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _parse_rows(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return MAX_ROWS
    return max(MAX_ROWS, min(int(text), MAX_ROWS_ASKED))
