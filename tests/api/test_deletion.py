"""Deletion by the API and by `manage.py`. What it leaves behind: tests/storage/test_delete.py."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from collector.models import Project, Workspace
from collector.reads.runs import get_run
from collector.sweeper import sweep
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def delete(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("admin")

    def send(body: object, path: str = "/runs/delete", *, key: str = key) -> Any:
        return client.post(path, body, "application/json", headers={"x-api-key": key})

    return send


def test_runs_are_gone_when_the_answer_comes(delete: Callable[..., Any], project: Project) -> None:
    root = make_run()
    child = make_run(root, after_seconds=1)
    below, other = make_run(child, after_seconds=2), make_run(root, after_seconds=3)
    store_runs(project.id, root, child, below, other)
    answer = delete({"ids": [str(child.id)]})
    assert (answer.status_code, answer.json()["not_found"]) == (202, [])
    left = [run for run in (root, child, below, other) if get_run([project.id], run.id)]
    assert left == [root, other]


@pytest.mark.parametrize("path", ["/runs/delete", "/api/v1/runs/delete/traces"])
@pytest.mark.parametrize("names_project", [True, False])
def test_traces_are_gone_when_the_answer_comes(
    delete: Callable[..., Any], project: Project, path: str, names_project: bool
) -> None:
    root, kept = make_run(), make_run()
    store_runs(project.id, root, make_run(root), kept)
    Project.objects.create(workspace=project.workspace, name="another")
    body = {"trace_ids": [str(root.id)]}
    if names_project:
        body["session_id"] = [str(project.id)]
    assert delete(body, path).status_code == 202
    assert get_run([project.id], root.id) is None
    assert get_run([project.id], kept.id) is not None


def test_what_is_not_there_is_told(delete: Callable[..., Any], project: Project) -> None:
    unknown = str(uuid.uuid4())
    assert delete({"ids": [unknown]}).json()["not_found"] == [unknown]


def test_a_run_that_is_on_its_way_does_not_arrive(
    delete: Callable[..., Any], project: Project
) -> None:
    run = make_run()
    delete({"trace_ids": [str(run.id)], "session_id": str(project.id)})
    store_runs(project.id, run)
    assert get_run([project.id], run.id) is None


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"]}, {"metadata": {"a": ["b"]}}])
def test_a_deletion_must_say_of_what(delete: Callable[..., Any], body: object) -> None:
    assert delete(body).status_code == 400


def test_a_key_must_be_an_administrators(
    delete: Callable[..., Any], project: Project, make_api_key: Callable[..., str]
) -> None:
    run = make_run()
    store_runs(project.id, run)
    assert delete({"ids": [str(run.id)]}, key=make_api_key("ingest", "read")).status_code == 403
    assert get_run([project.id], run.id) is not None


def test_another_workspaces_runs_stay(
    delete: Callable[..., Any], project: Project, make_api_key: Callable[..., str]
) -> None:
    run = make_run()
    store_runs(project.id, run)
    stranger = Workspace.objects.create(name="stranger")
    Project.objects.create(workspace=stranger, name="theirs")
    key = make_api_key("admin", workspace=stranger)
    for body in ({"ids": [str(run.id)]}, {"trace_ids": [str(run.id)]}):
        delete({**body, "session_id": str(project.id)}, key=key)
        delete(body, key=key)
    assert get_run([project.id], run.id) is not None


def test_the_command_deletes_a_project_by_its_name(project: Project) -> None:
    run = make_run()
    store_runs(project.id, run)
    call_command("delete_project", project.name)
    assert not Project.objects.filter(pk=project.pk).exists()
    sweep()


def test_the_command_asks_which_workspace_is_meant(project: Project) -> None:
    other = Workspace.objects.create(name="other")
    namesake = Project.objects.create(workspace=other, name=project.name)
    with pytest.raises(CommandError, match="Several"):
        call_command("delete_project", project.name)
    call_command("delete_project", project.name, workspace="other")
    assert list(Project.objects.all()) == [project]
    assert not Project.objects.filter(pk=namesake.pk).exists()


def test_the_command_knows_when_there_is_none(db: None) -> None:
    with pytest.raises(CommandError, match="no project"):
        call_command("delete_project", "nobody's")


@pytest.mark.parametrize("more", [{}, {"session_name": "test-project"}], ids=["id", "id and name"])
def test_an_operation_that_names_a_deleted_project_by_id_does_not_make_a_new_one(
    client: Client, project: Project, make_api_key: Callable[..., str], more: dict[str, str]
) -> None:
    from collector.deletion import delete_project

    project_id: UUID = project.id
    delete_project(project)
    body = {"id": str(uuid.uuid4()), "name": "late", "run_type": "chain", "inputs": {},
            "start_time": "2026-11-24T12:00:00Z", "session_id": str(project_id), **more}  # fmt: skip
    headers = {"x-api-key": make_api_key("ingest")}
    assert client.post("/runs", body, "application/json", headers=headers).status_code == 202
    sweep()
    assert Project.objects.count() == 0
