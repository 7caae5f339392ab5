"""The addresses that LangSmith's SDKs print."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from collector.models import Project
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def base(project: Project) -> str:
    return f"/o/{project.workspace_id}"


def test_a_projects_link_leads_to_its_traces(reader: Client, project: Project, base: str) -> None:
    response = reader.get(f"{base}/projects/p/{project.id}")
    assert (response.status_code, response["Location"]) == (302, "/p/test-project/traces")


def test_a_runs_link_leads_to_its_trace_with_the_run_selected(
    reader: Client, project: Project, base: str
) -> None:
    root = make_run()
    child = make_run(root, name="the child")
    store_runs(project.id, root, child)
    response = reader.get(f"{base}/projects/p/{project.id}/r/{child.id}?poll=true")
    assert response["Location"] == f"/p/{project.id}/traces/{root.id}?run={child.id}"
    page = reader.get(response["Location"])
    assert (page.status_code, page.context["detail"].run.id) == (200, child.id)


def test_a_run_is_found_in_another_project_than_the_link_says(
    reader: Client, project: Project, base: str
) -> None:
    other = Project.objects.create(workspace=project.workspace, name="other")
    run = make_run()
    store_runs(other.id, run)
    response = reader.get(f"{base}/projects/p/{project.id}/r/{run.id}")
    assert response["Location"] == f"/p/{other.id}/traces/{run.id}?run={run.id}"


@pytest.mark.parametrize("path", ["", "/projects"])
def test_a_workspaces_link_leads_to_the_projects(reader: Client, base: str, path: str) -> None:
    assert reader.get(base + path)["Location"] == "/projects"


@pytest.mark.parametrize("path", ["/projects/p/{}", "/projects/p/{}/r/{}", "/datasets/{}"])
def test_whoever_is_not_signed_in_comes_back_after_it(client: Client, base: str, path: str) -> None:
    path = f"{base}{path.format(uuid4(), uuid4())}"
    response = client.get(f"{path}?poll=true")
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in?next=%2Fo%2F")
    assert response["Location"].endswith("%3Fpoll%3Dtrue")


def test_a_stranger_finds_neither_the_project_nor_the_run(
    stranger: Client, project: Project, base: str
) -> None:
    run = make_run()
    store_runs(project.id, run)
    for path in (f"/projects/p/{project.id}", f"/projects/p/{project.id}/r/{run.id}"):
        assert stranger.get(base + path).status_code == 404


def test_an_unknown_run_is_said_to_be_perhaps_on_its_way(
    reader: Client, project: Project, base: str
) -> None:
    response = reader.get(f"{base}/projects/p/{project.id}/r/{uuid4()}")
    assert response.status_code == 404
    assert b"may not be stored yet" in response.content


@pytest.mark.parametrize(
    "path", ["/datasets", "/datasets/{0}", "/datasets/{0}/e/{0}", "/datasets/{0}/compare?selectedSessions={0}"]
)  # fmt: skip
def test_a_datasets_link_says_that_there_are_none_yet(
    reader: Client, base: str, path: str, check_html: Callable[[HttpResponse], None]
) -> None:
    response = reader.get(base + path.format(uuid4()))
    assert response.status_code == 404
    assert b"Datasets are not part of Runwood yet" in response.content
    check_html(response)
