"""Collects how each declared row came out, and writes the page of them where it is asked to."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.contract.compatibility import PAGE, Outcome, Row, render_page, rows_of, worst


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-compatibility",
        action="store_true",
        help="write docs/compatibility.md from how the tests in tests/contract come out",
    )


class _Outcomes:
    """Notes how each test with a row came out; a row is as good as its worst test."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.outcomes: defaultdict[Row, list[Outcome]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.rows = {item.nodeid: rows_of(item) for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for row in self.rows.get(report.nodeid, ()):
            self.outcomes[row].append(report.outcome)

    def pytest_sessionfinish(self) -> None:
        if self.outcomes:
            page = render_page({row: worst(found) for row, found in self.outcomes.items()})
            PAGE.write_text(page, encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-compatibility", default=False):
        config.pluginmanager.register(_Outcomes(), "compatibility")
