"""GET /sessions: a key's projects, in LangSmith's words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from collector.models import Project, Workspace
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def get(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("read")

    def ask(path: str, **params: Any) -> Any:
        return client.get(path, params, headers={"X-API-Key": key})

    return ask


@pytest.fixture
def projects(workspace: Workspace) -> list[Project]:
    """Three projects, oldest first, and one of a stranger."""
    other = Workspace.objects.create(name="Other")
    Project.objects.create(workspace=other, name="alpha")
    return [
        Project.objects.create(
            workspace=workspace, name=name, created_at=START + timedelta(days=number)
        )
        for number, name in enumerate(("alpha", "Alphabet", "50% off/ß 返金"))
    ]


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [session["name"] for session in response.json()]


def test_a_session_has_what_the_sdk_needs(get: Callable[..., Any], projects: list[Project]) -> None:
    project = projects[0]
    assert get(f"/sessions/{project.id}").json() == {
        "id": str(project.id),
        "tenant_id": str(project.workspace_id),
        "name": "alpha",
        "description": None,
        "start_time": "2026-11-24T12:00:00.000000+00:00",
        "end_time": None,
        "extra": None,
        "reference_dataset_id": None,
        "default_dataset_id": None,
        "trace_tier": None,
    }


def test_only_the_workspaces_own_projects_are_listed_newest_first(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    assert names(get("/sessions")) == ["50% off/ß 返金", "Alphabet", "alpha"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"name": "alpha"}, ["alpha"]),
        ({"name": "50% off/ß 返金"}, ["50% off/ß 返金"]),
        ({"name": "nothing"}, []),
        ({"name": "a\0b"}, []),
        ({"name_contains": "ALPHA"}, ["Alphabet", "alpha"]),
        ({"name_contains": "%"}, ["50% off/ß 返金"]),
        ({"name_contains": "_"}, []),
        ({"limit": "1"}, ["50% off/ß 返金"]),
        ({"limit": "1", "offset": "1"}, ["Alphabet"]),
        ({"limit": "5000", "offset": "2"}, ["alpha"]),
        ({"offset": "99"}, []),
        ({"offset": "-1", "limit": "-1"}, ["50% off/ß 返金"]),
        ({"reference_free": "True", "nonsense": "x"}, ["50% off/ß 返金", "Alphabet", "alpha"]),
        ({"reference_dataset": str(uuid4())}, []),
    ],
    ids=str,
)
def test_sessions_are_narrowed(
    get: Callable[..., Any], projects: list[Project], params: dict[str, str], expected: list[str]
) -> None:
    assert names(get("/sessions", **params)) == expected


def test_sessions_are_found_by_one_id_or_several(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    stranger = Project.objects.get(workspace__name="Other")
    ids = [str(projects[0].id), str(projects[1].id), str(stranger.id), str(uuid4())]
    assert names(get("/sessions", id=ids)) == ["Alphabet", "alpha"]


@pytest.mark.parametrize("params", [{"limit": "x"}, {"offset": "1.5"}, {"id": "x"}], ids=str)
def test_what_cannot_be_meant_is_refused(get: Callable[..., Any], params: dict[str, str]) -> None:
    response = get("/sessions", **params)
    assert (response.status_code, next(iter(params)) in response.json()["detail"]) == (400, True)


def test_a_strangers_session_is_not_found(get: Callable[..., Any], projects: list[Project]) -> None:
    stranger = Project.objects.get(workspace__name="Other")
    assert get(f"/sessions/{stranger.id}").status_code == 404
    assert get(f"/sessions/{uuid4()}").status_code == 404


def test_statistics_come_when_they_are_asked_for(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    root = make_run(start_time=start, end_time=start + timedelta(seconds=2))
    failed = make_run(start_time=start, end_time=start + timedelta(seconds=4), error="Boom")
    store_runs(projects[0].id, root, make_run(root), failed)
    session = get(f"/sessions/{projects[0].id}", include_stats="True").json()
    assert (session["run_count"], session["latency_p50"], session["error_rate"]) == (3, 3.0, 0.5)
    assert session["last_run_start_time"] == start.isoformat(timespec="microseconds")
    assert "run_count" not in get(f"/sessions/{projects[0].id}").json()
