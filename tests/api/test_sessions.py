"""GET /sessions: a key's projects, in LangSmith's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.test import Client

from collector.api.serializers import serialize_statistics
from collector.models import Project, Workspace
from collector.projects import forget_cached_ids, get_or_create_project_id
from collector.reads.statistics import RunStatistics
from collector.wire.operations import Batch
from tests.factories import make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_remembered_projects() -> None:
    """Ids are remembered per process; rows of the last test must not be."""
    forget_cached_ids()


@pytest.fixture
def get(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("read")

    def ask(path: str, **params: Any) -> Any:
        return client.get(path, params, headers={"X-API-Key": key})

    return ask


@pytest.fixture
def send(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    """Return a function (method, path, scopes=, **body) that asks with a key of these scopes."""

    def ask(
        method: str, path: str, *, scopes: tuple[str, ...] = ("ingest", "read"), **body: Any
    ) -> Any:
        headers = {"X-API-Key": make_api_key(*scopes)}
        return client.generic(method, path, json.dumps(body), "application/json", headers=headers)

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
        "test_run_number": None,
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


def test_a_workspace_without_projects_is_given_the_default_one(
    get: Callable[..., Any], workspace: Workspace
) -> None:
    (session,) = get("/sessions", limit="1").json()
    assert (session["name"], session["tenant_id"]) == ("default", str(workspace.id))
    assert names(get("/sessions")) == ["default"]


def test_the_default_project_is_there_for_whoever_asks_for_it_by_name(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    assert names(get("/sessions", name="default", limit="1")) == ["default"]


def test_sessions_are_narrowed_by_their_metadata(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    Project.objects.filter(id=projects[0].id).update(
        extra={"metadata": {"env": "prod", "deep": {"a": 1, "b": 2}}}
    )
    assert names(get("/sessions", metadata='{"env": "prod", "deep": {"a": 1}}')) == ["alpha"]
    assert names(get("/sessions", metadata='{"env": "test"}')) == []
    assert get("/sessions", metadata="{env").status_code == 400


def test_experiments_are_told_from_other_projects(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    dataset = uuid4()
    Project.objects.filter(id=projects[1].id).update(reference_dataset_id=dataset)
    assert names(get("/sessions", reference_free="true")) == ["50% off/ß 返金", "alpha"]
    assert names(get("/sessions", reference_free="false")) == ["Alphabet"]
    assert names(get("/sessions", reference_dataset=str(dataset))) == ["Alphabet"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"sort_by": "name"}, ["alpha", "Alphabet", "50% off/ß 返金"]),
        ({"sort_by": "name", "sort_by_desc": "False"}, ["50% off/ß 返金", "Alphabet", "alpha"]),
        (
            {"sort_by": "start_time", "sort_by_desc": "false"},
            ["alpha", "Alphabet", "50% off/ß 返金"],
        ),
        ({"sort_by": "latency_p50"}, ["alpha", "Alphabet", "50% off/ß 返金"]),
        (
            {"sort_by": "last_run_start_time", "sort_by_desc": "false"},
            ["alpha", "Alphabet", "50% off/ß 返金"],
        ),
        ({"sort_by": "error_rate"}, ["Alphabet", "alpha", "50% off/ß 返金"]),
        ({"sort_by": "of no such field"}, ["50% off/ß 返金", "Alphabet", "alpha"]),
    ],
    ids=str,
)
def test_sessions_are_sorted_and_what_has_no_figure_comes_last(
    get: Callable[..., Any], projects: list[Project], params: dict[str, str], expected: list[str]
) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    slow = make_run(start_time=start, end_time=start + timedelta(seconds=9))
    failed = make_run(start_time=start + timedelta(seconds=1), error="Boom")
    store_runs(projects[0].id, slow)
    store_runs(projects[1].id, failed)
    if params["sort_by"] == "name":  # by code points where the database's locale is C
        expected = sorted(expected, reverse=params.get("sort_by_desc") is None)
    assert names(get("/sessions", **params)) == expected


def test_a_filter_is_refused_and_not_taken_for_none(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    response = get("/sessions", filter='eq(name, "alpha")')
    assert (response.status_code, response.json()["code"]) == (400, "unsupported_filter")


def test_statistics_have_every_key_also_of_an_empty_project(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    (session,) = get("/sessions", name="alpha", include_stats="true").json()
    expected = serialize_statistics(RunStatistics()) | {"session_feedback_stats": {}}
    assert {key: session[key] for key in expected} == expected


def test_statistics_tell_latencies_tokens_costs_rates_and_feedback(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    root = make_run(start_time=start, end_time=start + timedelta(seconds=2))
    model = make_run(
        root,
        run_type="llm",
        outputs=b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15,'
        b' "input_cost": 1e-6, "output_cost": 2e-7, "total_cost": 0.0000012}}',
        events=json.dumps(
            [{"name": "new_token", "time": (start + timedelta(seconds=1)).isoformat()}]
        ).encode(),
    )
    store(
        projects[0].id,
        Batch(
            runs=[root, model],
            feedback=[
                make_feedback(model, "good", 1.0),
                msgspec.structs.replace(
                    make_feedback(model, "whole", 0.5), run_id=None, trace_id=None
                ),
            ],
        ),
    )
    session = get(f"/sessions/{projects[0].id}", include_stats="true").json()
    assert (session["total_tokens"], session["prompt_tokens"]) == (15, 10)
    assert (session["total_cost"], session["prompt_cost"]) == ("0.0000012", "0.000001")
    assert (session["latency_p99"], session["streaming_rate"]) == (2.0, 1.0)
    assert session["first_token_p50"] == 1.0
    assert session["feedback_stats"]["good"]["avg"] == 1.0
    assert session["session_feedback_stats"]["whole"]["avg"] == 0.5


def test_statistics_of_an_experiment_reach_back_to_its_begin(
    get: Callable[..., Any], projects: list[Project]
) -> None:
    begin = datetime.now(UTC) - timedelta(days=60)
    Project.objects.filter(id=projects[0].id).update(reference_dataset_id=uuid4(), created_at=begin)
    for project in projects[:2]:
        store_runs(project.id, make_run(start_time=begin + timedelta(minutes=1)))
    path = "/sessions/{}"
    assert get(path.format(projects[0].id), include_stats="true").json()["run_count"] == 1
    assert get(path.format(projects[1].id), include_stats="true").json()["run_count"] == 0
    since = (begin - timedelta(days=1)).isoformat()
    found = get(path.format(projects[1].id), include_stats="true", stats_start_time=since).json()
    assert found["run_count"] == 1


def test_statistics_that_take_too_long_are_null_and_not_zero(
    get: Callable[..., Any], projects: list[Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.reads.statistics.SUMS", "pg_sleep(30), " * 10 + "NULL")
    monkeypatch.setattr("collector.reads.statistics.STATISTICS_SECONDS", 0.02)
    store_runs(projects[0].id, make_run(start_time=datetime.now(UTC)))
    session = get(f"/sessions/{projects[0].id}", include_stats="true").json()
    assert (session["run_count"], session["error_rate"]) == (None, None)


def test_a_project_is_made_with_what_was_given(
    send: Callable[..., Any], get: Callable[..., Any], workspace: Workspace
) -> None:
    id_, dataset = str(uuid4()), str(uuid4())
    response = send(
        "POST",
        "/sessions",
        name="exp 1",
        id=id_,
        description="d",
        extra={"metadata": {"k": "v"}},
        start_time="2026-11-24T12:00:00",
        reference_dataset_id=dataset,
        num_examples=0,
        evaluator_keys=["x"],
    )
    session = response.json()
    assert (response.status_code, session["id"], session["name"]) == (200, id_, "exp 1")
    assert session["extra"] == {"metadata": {"k": "v"}}
    assert session["start_time"] == "2026-11-24T12:00:00.000000+00:00"
    assert session["reference_dataset_id"] == dataset
    assert get(f"/sessions/{id_}").json() == session


def test_a_name_that_exists_is_a_conflict(
    send: Callable[..., Any], projects: list[Project]
) -> None:
    response = send("POST", "/sessions", name="alpha")
    assert (response.status_code, response.json()["code"]) == (409, "project_taken")
    taken_id = send("POST", "/sessions", name="new", id=str(projects[0].id))
    assert taken_id.status_code == 409


def test_an_upsert_changes_the_project_of_that_name(
    send: Callable[..., Any], projects: list[Project]
) -> None:
    Project.objects.filter(id=projects[0].id).update(extra={"metadata": {"a": 1}, "x": 1})
    session = send(
        "POST", "/sessions?upsert=True", name="alpha", id=str(uuid4()), extra={"metadata": {"b": 2}}
    ).json()
    assert session["id"] == str(projects[0].id)
    assert session["extra"] == {"metadata": {"a": 1, "b": 2}, "x": 1}
    assert send("POST", "/sessions?upsert=True", name="new").json()["name"] == "new"


def test_a_change_leaves_what_is_null_as_it_is(
    send: Callable[..., Any], projects: list[Project]
) -> None:
    path = f"/sessions/{projects[0].id}"
    send("PATCH", path, description="d", end_time="2026-11-25T00:00:00Z", extra={"a": 1})
    session = send("PATCH", path, name="renamed", description=None, end_time=None, extra=None)
    assert {key: session.json()[key] for key in ("name", "description", "end_time", "extra")} == {
        "name": "renamed",
        "description": "d",
        "end_time": "2026-11-25T00:00:00.000000+00:00",
        "extra": {"a": 1},
    }


def test_a_project_cannot_take_the_name_of_another(
    send: Callable[..., Any], projects: list[Project]
) -> None:
    path = f"/sessions/{projects[0].id}"
    assert send("PATCH", path, name="Alphabet").status_code == 409
    assert send("PATCH", path, name="alpha").status_code == 200


def test_runs_go_by_the_new_name_at_once(
    send: Callable[..., Any], projects: list[Project], workspace: Workspace
) -> None:
    assert get_or_create_project_id(workspace.id, "alpha") == projects[0].id
    send("PATCH", f"/sessions/{projects[0].id}", name="renamed")
    assert get_or_create_project_id(workspace.id, "renamed") == projects[0].id
    assert get_or_create_project_id(workspace.id, "alpha") != projects[0].id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": 5},
        {"name": "x" * 513},
        {"name": "x", "extra": "text"},
        {"name": "x", "extra": {"a": "\0"}},
        {"name": "x", "id": "5"},
        {"name": "x", "start_time": "yesterday"},
    ],
    ids=str,
)
def test_what_no_project_can_be_is_refused(
    send: Callable[..., Any], workspace: Workspace, body: dict[str, Any]
) -> None:
    assert send("POST", "/sessions", **body).status_code == 400
    assert not Project.objects.exists()


def test_a_deleted_project_is_gone_and_its_name_is_free(
    send: Callable[..., Any], get: Callable[..., Any], projects: list[Project]
) -> None:
    path = f"/sessions/{projects[0].id}"
    assert send("DELETE", path, scopes=("admin",)).status_code == 202
    assert get(path).status_code == 404
    assert send("POST", "/sessions", name="alpha").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("POST", "/sessions", "ingest", 200),
        ("POST", "/sessions", "read", 403),
        ("PATCH", "/sessions/{}", "ingest", 200),
        ("PATCH", "/sessions/{}", "read", 403),
        ("DELETE", "/sessions/{}", "ingest", 403),
        ("DELETE", "/sessions/{}", "read", 403),
        ("GET", "/sessions/{}", "ingest", 403),
    ],
)
def test_who_may_send_may_make_and_change_projects_but_not_delete_them(
    send: Callable[..., Any],
    projects: list[Project],
    method: str,
    path: str,
    scope: str,
    status: int,
) -> None:
    response = send(method, path.format(projects[0].id), scopes=(scope,), name="new name")
    assert response.status_code == status


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_strangers_project_cannot_be_changed(
    send: Callable[..., Any], projects: list[Project], method: str
) -> None:
    stranger = Project.objects.get(workspace__name="Other")
    response = send(method, f"/sessions/{stranger.id}", scopes=("admin",), name="mine")
    assert response.status_code == 404
    assert Project.objects.get(id=stranger.id).name == "alpha"


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "AGENT", "id": "support", "environment": "PRODUCTION"},
        {"kind": "agent", "id": "support", "environment": "production"},
        {"address": "lrn:agents/support/environments/production"},
    ],
    ids=str,
)
def test_an_agents_address_is_resolved_to_the_project_of_its_runs(
    get: Callable[..., Any], workspace: Workspace, params: dict[str, str]
) -> None:
    project = Project.objects.create(workspace=workspace, name="support/production")
    assert get("/sessions/resolutions", **params).json() == {"session_id": str(project.id)}


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"kind": "AGENT", "id": "Support", "environment": "production"}, 404),
        ({"kind": "AGENT", "id": "other", "environment": "production"}, 404),
        ({"kind": "EVALUATOR"}, 404),
        ({"kind": "EXPERIMENT", "id": str(uuid4())}, 404),
        ({"kind": "EXPERIMENT", "id": "x"}, 400),
        ({"kind": "AGENT", "id": "support"}, 400),
        ({"kind": "nothing"}, 400),
        ({}, 400),
    ],
    ids=str,
)
def test_other_addresses_name_no_project(
    get: Callable[..., Any], workspace: Workspace, params: dict[str, str], status: int
) -> None:
    Project.objects.create(workspace=workspace, name="support/production")
    assert get("/sessions/resolutions", **params).status_code == status
