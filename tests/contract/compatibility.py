"""What a client's release was seen to do against Runwood: rows that tests declare, and the page made of them.

A test says with `@covers(client=…, version=…, what=…)` which row it proves; several tests may prove one.
`pytest tests/contract --write-compatibility` (`make compatibility`) writes docs/compatibility.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

Outcome = Literal["passed", "skipped", "failed"]
_WORST_LAST: tuple[Outcome, ...] = ("passed", "skipped", "failed")

INTRODUCTION = """\
# Compatibility

This page is made by the tests in `tests/contract/`, which run the real packages against a live server: `make compatibility`
runs them and writes it. A row says how all tests of one feature came out for one release of one client.
Skipped means that the client could not be run where the page was made.
"""


class Row(NamedTuple):
    """One line of the page."""

    client: str  # as its registry spells it, with the language where that is ambiguous
    version: str
    what: str


DECLARED: set[Row] = set()


def covers(*, client: str, version: str, what: str) -> pytest.MarkDecorator:
    """Mark a test, or a parameter set, as proof of a row."""
    DECLARED.add(Row(client, version, what))
    return pytest.mark.covers(client=client, version=version, what=what)


def rows_of(item: pytest.Item) -> list[Row]:
    return [Row(**mark.kwargs) for mark in item.iter_markers("covers")]


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    return max(outcomes, key=_WORST_LAST.index)


def _version_key(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(number) for number in version.split(".") if number.isdigit()), version


def render_page(outcomes: Mapping[Row, Outcome]) -> str:
    """Return the whole page: a table for each client and version, newest version first."""
    sections = [INTRODUCTION]
    for client, of_client in groupby(sorted(outcomes), key=lambda row: row.client):
        versions = {
            version: list(rows) for version, rows in groupby(of_client, lambda row: row.version)
        }
        for version in sorted(versions, key=_version_key, reverse=True):
            lines = [f"| {row.what} | {outcomes[row]} |" for row in versions[version]]
            sections.append(
                "\n".join([f"## {client} {version}\n", "| what | outcome |", "|---|---|", *lines])
                + "\n"
            )
    return "\n".join(sections)


def read_page(text: str) -> dict[Row, str]:
    """Return the rows of a page that `render_page` made, with their outcomes."""
    found: dict[Row, str] = {}
    client = version = ""
    for line in text.splitlines():
        if line.startswith("## "):
            client, _, version = line[3:].rpartition(" ")
        elif client and line.startswith("| ") and line != "| what | outcome |":
            what, _, outcome = line.strip("| ").rpartition(" | ")
            found[Row(client, version, what)] = outcome
    return found
