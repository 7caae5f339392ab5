"""docs/handler.md names, for each promise, tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parents[1] / "docs" / "handler.md"


def test_every_promise_names_tests_and_every_test_exists():
    rows = re.findall(r"^\| (\d+) \|(.*)$", PAGE.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 30))
    for number, row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, number
        for file, test in named:
            assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"
