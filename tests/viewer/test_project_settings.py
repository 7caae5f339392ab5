"""A project's settings: renaming it, and deleting it for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client

from collector.deletion import carry_out_due
from collector.models import Membership, Project, User
from collector.reads.traces import get_trace
from tests.factories import make_run, store_runs

URL = "/p/test-project/settings"


def test_a_project_is_renamed_and_keeps_its_traces(
    reader: Client, project: Project, check_html: Callable[[HttpResponse], None]
) -> None:
    run = make_run()
    store_runs(project.id, run)
    check_html(reader.get(URL))
    response = reader.post(URL, {"name": " shop ", "description": "ours"})
    assert response["Location"] == "/p/shop/settings"
    assert reader.get(f"/p/shop/traces/{run.id}").status_code == 200
    assert reader.get(URL).status_code == 404
    assert reader.get(f"/p/{project.id}/traces").status_code == 200


@pytest.mark.parametrize("name", ["", "  ", "other", "x" * 600])
def test_a_name_that_cannot_be_is_refused_and_said(
    reader: Client, project: Project, name: str
) -> None:
    Project.objects.create(workspace=project.workspace, name="other")
    response = reader.post(URL, {"name": name})
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    project.refresh_from_db()
    assert project.name == "test-project"


def test_deleting_takes_the_typed_name_and_frees_the_data(reader: Client, project: Project) -> None:
    run = make_run()
    store_runs(project.id, run)
    assert reader.post(URL, {"delete": "yes", "name": "Test"}).status_code == 422
    assert get_trace([project.id], run.id) is not None
    assert reader.post(URL, {"delete": "yes", "name": "test-project"}).status_code == 302
    carry_out_due(5)
    assert get_trace([project.id], run.id) is None
    assert reader.get(URL).status_code == 404


@pytest.mark.parametrize(
    ("role", "given", "status"),
    [
        ("viewer", {"name": "x"}, 403),
        ("editor", {"name": "x"}, 302),
        ("editor", {"delete": "yes", "name": "test-project"}, 403),
    ],
)
def test_a_role_may_do_so_much_and_no_more(
    reader: Client, user: User, project: Project, role: str, given: dict[str, str], status: int
) -> None:
    Membership.objects.filter(user=user).update(role=role)
    assert reader.post(URL, given).status_code == status


def test_a_stranger_finds_no_such_project(stranger: Client, project: Project) -> None:
    assert stranger.get(URL).status_code == 404
    assert stranger.post(URL, {"delete": "yes", "name": "test-project"}).status_code == 404
