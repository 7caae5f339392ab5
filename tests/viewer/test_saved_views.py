"""Views that the readers of a project keep and share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from collector import saved_views
from collector.models import Membership, Project, SavedView, User
from tests.factories import make_run, store_runs

URL, LIST = "/p/test-project/views", "/p/test-project/traces"


def save(reader: Client, name: str, query: str) -> str:
    return str(reader.post(URL, {"action": "save", "name": name, "query": query})["Location"])


def test_a_list_is_kept_and_leads_back_to_it(reader: Client, project: Project) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC)))
    assert save(reader, " Failures ", "?q=latency:>5s&status=error&before=x") == (
        f"{LIST}?q=latency%3A%3E5s&status=error"
    )
    page = reader.get(f"{LIST}?status=error&q=latency:>5s").content.decode()
    assert 'aria-current="true" title="Saved by' in page


def test_a_view_of_the_same_name_is_replaced(reader: Client, project: Project) -> None:
    save(reader, "mine", "?status=error")
    save(reader, "mine", "?of=llm")
    assert [view.query for view in project.saved_views.all()] == ["?of=llm"]


def test_a_view_is_never_another_page(reader: Client, project: Project) -> None:
    save(reader, "evil", "//example.org/?q=x")
    (view,) = project.saved_views.all()
    assert view.query.startswith("?")


def test_a_view_is_renamed_and_deleted(reader: Client, project: Project) -> None:
    save(reader, "a", "?of=llm")
    save(reader, "b", "?of=runs")
    view = project.saved_views.get(name="a")
    reader.post(URL, {"action": "rename", "id": view.id, "name": "b"})
    reader.post(URL, {"action": "rename", "id": view.id, "name": "c"})
    assert set(project.saved_views.values_list("name", flat=True)) == {"b", "c"}
    reader.post(URL, {"action": "delete", "id": view.id})
    assert set(project.saved_views.values_list("name", flat=True)) == {"b"}
    assert reader.post(URL, {"action": "delete", "id": view.id}).status_code == 404


def test_a_project_has_so_many_views_and_no_more(
    reader: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MAX_VIEWS", 1)
    save(reader, "a", "?of=llm")
    save(reader, "b", "?of=runs")
    save(reader, "a", "?of=runs")
    assert [(view.name, view.query) for view in project.saved_views.all()] == [("a", "?of=runs")]


def test_viewers_use_views_and_keep_none(reader: Client, user: User, project: Project) -> None:
    save(reader, "shared", "?of=llm")
    store_runs(project.id, make_run(start_time=datetime.now(UTC)))
    Membership.objects.filter(user=user).update(role="viewer")
    assert reader.post(URL, {"action": "save", "name": "x", "query": ""}).status_code == 403
    page = reader.get(LIST).content.decode()
    assert "shared" in page
    assert "Save this list" not in page


def test_a_stranger_finds_no_such_project(stranger: Client, project: Project) -> None:
    assert stranger.post(URL, {"action": "save", "name": "x", "query": ""}).status_code == 404
    assert not SavedView.objects.exists()
