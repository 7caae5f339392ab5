"""docs/compatibility.md names what the tests prove, and nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.contract.compatibility import DECLARED, PAGE, Row, read_page, render_page, worst


def test_the_page_names_every_row_that_a_test_declares_and_no_other(
    request: pytest.FixtureRequest,
) -> None:
    if request.config.getoption("--write-compatibility", default=False):
        pytest.skip("the page is being written")
    for file in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.contract.{file.stem}")
    assert set(read_page(PAGE.read_text(encoding="utf-8"))) == DECLARED, "run: make compatibility"


def test_a_page_reads_back_as_the_rows_that_it_was_made_of() -> None:
    rows = {
        Row("npm langsmith", "0.12.0", "streaming"): "passed",
        Row("langsmith (Python)", "0.1.147", "`@traceable`, in threads"): "failed",
        Row("langsmith (Python)", "0.15.1", "attachments"): "skipped",
        Row("langsmith (Python)", "0.15.1", "`@traceable`, in threads"): "passed",
    }
    assert read_page(render_page(rows)) == rows


def test_a_page_is_the_same_whatever_the_order_of_the_tests() -> None:
    rows = {Row("a", "1.9", "y"): "passed", Row("a", "1.10", "x"): "failed"}
    assert render_page(rows) == render_page(dict(reversed(rows.items())))
    assert render_page(rows).index("## a 1.10") < render_page(rows).index("## a 1.9")


def test_a_row_is_as_good_as_its_worst_test() -> None:
    assert worst(["passed", "failed", "skipped"]) == "failed"
    assert worst(["passed", "skipped"]) == "skipped"
