"""Rows that were drawn before: the same to every reader of them, and never another row's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from collector.models import Project
from tests.factories import make_run, store_runs
from viewer import drawn_rows

URL = "/p/test-project/traces"


@pytest.fixture(autouse=True)
def _none_are_drawn() -> None:
    drawn_rows._drawn.clear()


def rows(client: Client, **cookies: str) -> str:
    client.cookies.load(cookies)
    text = client.get(URL, headers={"HX-Request": "true", "HX-Target": "trace-list"}).content
    return text.decode().partition('id="run-rows"')[2].partition("</tbody>")[0]


def test_a_row_is_drawn_once(reader: Client, project: Project) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC), name="one"))
    first = rows(reader)
    assert len(drawn_rows._drawn) == 1
    assert rows(reader) == first
    assert len(drawn_rows._drawn) == 1


def test_a_row_that_changed_is_drawn_anew(reader: Client, project: Project) -> None:
    run = make_run(start_time=datetime.now(UTC), outputs=b'{"text": "before"}')
    store_runs(project.id, run)
    assert "before" in rows(reader)
    later = make_run(
        id=run.id,
        start_time=run.start_time,
        end_time=datetime.now(UTC) + timedelta(seconds=2),
        outputs=b'{"text": "after"}',
        is_update=True,
    )
    store_runs(project.id, later)
    shown = rows(reader)
    assert "after" in shown
    assert "before" not in shown


def test_readers_of_other_zones_see_their_own_times(reader: Client, project: Project) -> None:
    now = datetime.now(UTC)
    store_runs(project.id, make_run(start_time=now))
    shown = {zone: rows(reader, runwood_zone=zone) for zone in ("UTC", "Asia/Kolkata")}
    half_an_hour_off = (now + timedelta(hours=5, minutes=30)).strftime("%H:%M:%S")
    assert half_an_hour_off in shown["Asia/Kolkata"]
    assert half_an_hour_off not in shown["UTC"]


def test_what_runs_is_drawn_each_time(reader: Client, project: Project) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC), end_time=None))
    rows(reader)
    assert len(drawn_rows._drawn) == 0


def test_few_rows_are_kept(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawn_rows, "MAX_ROWS", 2)
    store_runs(project.id, *(make_run(start_time=datetime.now(UTC)) for _ in range(4)))
    rows(reader)
    assert len(drawn_rows._drawn) == 2
