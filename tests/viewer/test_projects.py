from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from opentelemetry.util.re import parse_env_headers

from collector.models import Project, User, Workspace
from tests.factories import make_run, store_runs
from viewer.present.project_paths import quote_project_name, unquote_project_name


def start_trace(project: Project, **fields: object) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC) - timedelta(minutes=5), **fields))


def test_before_the_first_trace_the_list_leads_to_connecting_an_app(
    reader: Client, project: Project
) -> None:
    assert reader.get("/projects")["Location"] == "/projects/new"


def test_a_project_is_shown_with_its_figures(
    reader: Client, project: Project, check_html: Callable[[HttpResponse], None]
) -> None:
    start_trace(project)
    start_trace(project, error="ValueError: no")
    response = reader.get("/projects")
    check_html(response)
    (row,) = response.context["projects"]
    assert (row.project.name, row.project.trace_count, row.project.error_count) == (
        "test-project",
        2,
        1,
    )
    text = response.content.decode()
    assert "50.0 %" in text
    assert "5 min ago" in text


def test_a_stranger_sees_none_of_it(stranger: Client, project: Project) -> None:
    start_trace(project)
    assert stranger.get("/projects")["Location"] == "/projects/new"
    assert stranger.get("/p/test-project/setup").status_code == 404


def test_the_time_range_is_in_the_address(reader: Client, project: Project) -> None:
    store_runs(project.id, make_run(start_time=datetime.now(UTC) - timedelta(days=3)))
    assert reader.get("/projects?range=24h").context["projects"][0].project.trace_count == 0
    assert reader.get("/projects?range=7d").context["projects"][0].project.trace_count == 1


def test_a_project_costs_no_query_of_its_own(
    reader: Client, project: Project, workspace: Workspace
) -> None:
    start_trace(project)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            reader.get("/projects")
        return len(queries)

    count()
    before = count()
    for number in range(5):
        start_trace(Project.objects.create(workspace=workspace, name=f"p{number}"))
    assert count() == before


@pytest.mark.parametrize(
    "name",
    [
        "a/b ü",
        ".",
        "..",
        "~",
        "a%2Fb",
        "x?y#z",
        "日本 語",
        "a\\b",
        " lead",
        "trail ",
        "traces",
        "<b>&'\"",
        "a\nb",
    ],
)
def test_a_project_is_found_whatever_its_name(
    reader: Client, workspace: Workspace, name: str
) -> None:
    project = Project.objects.create(workspace=workspace, name=name)
    start_trace(project)
    href = (
        reader.get("/projects").content.decode().split('class="row-link" href="')[1].split('"')[0]
    )
    response = reader.get(href)
    assert response.status_code == 200
    assert response.context["project"] == project


@pytest.mark.parametrize("segment", ["~2f", "a~41", "a/b", "..", "~"])
def test_a_name_has_one_spelling_only(segment: str) -> None:
    with pytest.raises(ValueError, match=re.escape(segment)):
        unquote_project_name(segment)


def test_a_plain_name_is_its_own_spelling() -> None:
    assert quote_project_name("support-agent v2.1") == "support-agent v2.1"


def test_a_name_is_shown_as_text(reader: Client, workspace: Workspace) -> None:
    start_trace(Project.objects.create(workspace=workspace, name="<script>alert(1)</script>"))
    text = reader.get("/projects").content.decode()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_connecting_shows_a_key_once_and_fills_it_in(
    reader: Client, workspace: Workspace, check_html: Callable[[HttpResponse], None]
) -> None:
    check_html(reader.get("/projects/new?with=env"))
    response = reader.post("/projects/new?with=env")
    check_html(response)
    key = response.context["key"]
    assert workspace.api_keys.get().scopes == ["ingest", "read"]
    assert f'LANGSMITH_API_KEY=<span data-kind="string">{key}</span>' in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert key not in reader.get("/projects/new?with=env").content.decode()


def test_a_viewer_cannot_make_a_key_while_connecting(
    reader: Client, user: User, workspace: Workspace
) -> None:
    user.memberships.update(role="viewer")
    assert "Create API key" not in reader.get("/projects/new").content.decode()
    assert reader.post("/projects/new").status_code == 403
    assert not workspace.api_keys.exists()


def test_a_project_name_cannot_run_in_the_shell_it_is_pasted_into(
    reader: Client, workspace: Workspace
) -> None:
    Project.objects.create(workspace=workspace, name="$(touch x)'; id")
    response = reader.get("/p/~24~28touch x~29~27~3B id/setup?with=env")
    (snippet,) = [s for s in response.context["snippets"] if s.way == "env"]
    assert "".join(text for _, text in snippet.parts).splitlines()[0] == (
        """export LANGSMITH_TRACING=true LANGSMITH_PROJECT='$(touch x)'"'"'; id'"""
    )


def test_a_project_name_stays_one_value_of_an_exporters_headers(
    reader: Client, workspace: Workspace
) -> None:
    Project.objects.create(workspace=workspace, name="a, b=ü")
    response = reader.get(reverse("project-setup", kwargs={"project": "a, b=ü"}))
    (snippet,) = [s for s in response.context["snippets"] if s.way == "otel"]
    line = "".join(text for _, text in snippet.parts).splitlines()[2]
    name, _, headers = shlex.split(line)[1].partition("=")
    assert name == "OTEL_EXPORTER_OTLP_HEADERS"
    assert parse_env_headers(headers) == {
        "x-api-key": "YOUR_API_KEY",
        "langsmith-project": "a, b=ü",
    }


def test_the_lines_to_copy_name_the_address_that_the_operator_gave(
    reader: Client, settings: Any
) -> None:
    assert "http://testserver/api/v1" in reader.get("/projects/new?with=env").content.decode()
    settings.GIVEN_PUBLIC_URL = "https://runwood.example"
    assert "https://runwood.example/api/v1" in reader.get("/projects/new").content.decode()
