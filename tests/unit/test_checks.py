"""The system checks of the database."""

from __future__ import annotations

import pytest

from collector.checks import check_postgres, examine_settings

GOOD = {
    "server_version_num": "150020",
    "server_encoding": "UTF8",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


def test_a_durable_postgres_passes() -> None:
    assert examine_settings(GOOD) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("server_version_num", "140010", "collector.E001"),
        ("server_encoding", "SQL_ASCII", "collector.E002"),
        ("fsync", "off", "collector.W001"),
        ("full_page_writes", "off", "collector.W002"),
        ("synchronous_commit", "off", "collector.W003"),
    ],
)
def test_what_endangers_runs_is_named(name: str, value: str, expected: str) -> None:
    assert [message.id for message in examine_settings({**GOOD, name: value})] == [expected]


@pytest.mark.django_db
def test_the_server_of_the_tests_has_no_errors() -> None:
    assert not [message for message in check_postgres(["default"]) if message.is_serious()]
