"""Fixtures of the contract tests, and the hooks behind `--write-compatibility`."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langsmith import Client
from uv import find_uv_bin

from benchmarks.server import Server
from tests.contract import node
from tests.contract.compatibility import PAGE, Outcome, Row, render_page, rows_of, worst
from tests.contract.shop import Shop, open_shop
from tests.contract.support import Account

INSTALL_SECONDS = 120
_missing: dict[str, str] = {}  # what could not be installed, and why


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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _missing:
        terminalreporter.section("OLD CLIENTS NOT TESTED", sep="!", red=True, bold=True)
        for lock, reason in _missing.items():
            terminalreporter.line(f"What {lock} names could not be installed: {reason}")
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    if any(node.SKIPPED in reason for reason in skipped):
        title = f"{node.SKIPPED}: {node.what_is_missing()}"
        terminalreporter.section(title, sep="!", red=True, bold=True)


@pytest.fixture(scope="session")
def account(runwood: Server) -> Iterator[Account]:
    """A user's account on the shared server. Its key may send and read."""
    endpoint, api_key = f"{runwood.url}/api/v1", runwood.api_key()
    client = Client(api_url=endpoint, api_key=api_key)
    yield Account(endpoint, api_key, client)
    client.cleanup()


@pytest.fixture(scope="session")
def shop(account: Account) -> Shop:
    """The project that tests of reading share. They do not change it."""
    return open_shop(account.client)


@pytest.fixture(scope="session")
def python_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function from a lock in this folder to a Python that has what it names, and nothing else.

    A test that asks for what cannot be installed here is skipped, with a loud word at the end.
    """
    made: dict[str, str] = {}

    def install(lock: str) -> str:
        if lock not in made and lock not in _missing:
            folder = tmp_path_factory.mktemp("old") / "venv"
            try:
                made[lock] = _install(Path(__file__).parent / lock, folder)
            except subprocess.SubprocessError as error:
                _missing[lock] = str(getattr(error, "stderr", "") or error).strip()
        if lock in _missing:
            pytest.skip(f"{lock} could not be installed")
        return made[lock]

    return install


def _install(lock: Path, folder: Path) -> str:
    python = folder / "bin" / "python"
    for command in (
        ["venv", "--python", sys.executable, folder],
        ["pip", "install", "--python", python, "--require-hashes", "-r", lock],
    ):
        subprocess.run(
            [find_uv_bin(), "--quiet", *command],
            check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS,
        )  # fmt: skip
    return str(python)
