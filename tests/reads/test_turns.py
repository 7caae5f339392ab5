"""Slow reads at once: few of them hold a connection, and what is quick does not wait for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from collector.reads import scan
from collector.reads.errors import ReadTimeout
from collector.reads.scan import Scan, scan_page
from collector.reads.sql import Row
from collector.reads.turns import Turns
from tests.factories import make_run, store_runs

PROJECT = UUID(int=1)
SEARCHES = 3
RUNS = Scan(table="run", columns="start_time, id")


@pytest.mark.django_db(transaction=True)
def test_more_searches_in_payloads_than_have_a_turn_wait_without_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store_runs(PROJECT, make_run())
    monkeypatch.setattr(scan, "PAYLOAD_SEARCHES", Turns(1))
    is_inside, may_end = threading.Event(), threading.Event()
    inside: list[int] = []
    most: list[int] = []

    def slow(rows: list[Row]) -> list[Row]:
        inside.append(1)
        most.append(len(inside))
        is_inside.set()
        assert may_end.wait(10)
        inside.pop()
        return rows

    def search() -> int:
        try:
            return len(scan_page([PROJECT], RUNS, None, 1, 10, slow).rows)
        finally:
            connection.close()

    def quick_list() -> int:
        try:
            return len(scan_page([PROJECT], RUNS, None, 1, 10).rows)
        finally:
            connection.close()

    with ThreadPoolExecutor(SEARCHES + 1) as threads:
        found = [threads.submit(search) for _ in range(SEARCHES)]
        assert is_inside.wait(10)
        assert threads.submit(quick_list).result(5) == 1
        may_end.set()
        assert [one.result(10) for one in found] == [1] * SEARCHES
    assert max(most) == 1


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_turn_gives_back_the_connection() -> None:
    turns = Turns(1)
    connection.ensure_connection()
    with turns.one(1):
        with pytest.raises(ReadTimeout), turns.one(0.01):
            pass
        assert connection.connection is None


def test_a_turn_comes_back_after_an_error() -> None:
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"), turns.one(0.01):
            raise ValueError("broken")
