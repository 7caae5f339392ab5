"""Clocks that were never set, and those that count too far: no page fails over them in any zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client

from collector.models import Project
from tests.factories import make_run, store_runs
from viewer.preferences import ZONE_COOKIE

ENDS = [
    datetime(9999, 12, 31, 23, 59, 58, 999_000, UTC),
    datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),
]
ZONES = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ENDS, ids=lambda time: f"{time:%Y}")
@pytest.mark.parametrize("is_running", [False, True], ids=["ended", "running"])
def test_a_trace_at_an_end_of_the_calendar_is_shown(
    reader: Client,
    project: Project,
    check_html: Callable[[HttpResponse], None],
    start: datetime,
    zone: str,
    is_running: bool,
) -> None:
    root = make_run(start_time=start, end_time=None if is_running else start, name="strange")
    child = make_run(root, start_time=start, end_time=start)
    store_runs(project.id, root, child, make_run(start_time=datetime.now(UTC)))
    reader.cookies[ZONE_COOKIE] = zone
    traces = f"/p/{project.name}/traces"
    for url in (
        "/projects?range=30d",
        traces,
        f"{traces}?range=all",
        f"{traces}?to=0001-01-01T00:03Z",
        f"{traces}?from=9999-12-31T23:59Z&to=9999-12-31T23:59:59.999999Z",
        f"{traces}/{root.id}",
        f"{traces}/{root.id}?view=waterfall&tab=metadata",
        f"{traces}/{root.id}?run={child.id}&view=waterfall",
    ):
        response = reader.get(url)
        assert response.status_code == 200, url
        check_html(response)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "query",
    [
        {"from": "9999-12-31T23:59"},
        {"from": "9999-12-31T23:59:59.999999Z"},
        {"to": "0001-01-01T00:00"},
        {"to": "0001-01-01T00:00Z"},
        {"from": "0001-01-01T00:00Z", "to": "9999-12-31T23:59:59Z"},
    ],
    ids=lambda query: " ".join(map("=".join, query.items())),
)
def test_a_time_range_at_an_end_of_the_calendar_is_a_range_like_others(
    reader: Client, project: Project, zone: str, query: dict[str, str]
) -> None:
    store_runs(project.id, make_run())
    reader.cookies[ZONE_COOKIE] = zone
    assert reader.get(f"/p/{project.name}/traces?{urlencode(query)}").status_code == 200


def test_a_range_that_begins_past_the_calendar_holds_nothing(
    reader: Client, project: Project
) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC)))
    reader.cookies[ZONE_COOKIE] = "America/Los_Angeles"
    response = reader.get(f"/p/{project.name}/traces?from=9999-12-31T23:59")
    assert response.context["rows"] == []
