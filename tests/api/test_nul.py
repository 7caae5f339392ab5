"""NUL in whatever a reader can send: Postgres refuses it in a text, so it must not get there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from collector.models import Project
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db

QUERIES: list[dict[str, Any]] = [
    *(
        {name: "\0"}
        for name in (
            *("id", "session", "trace", "parent_run", "run_type", "reference_example", "is_root"),
            *("start_time", "end_time", "error", "query", "filter", "trace_filter", "tree_filter"),
            *("execution_order", "order", "limit", "cursor", "skip_pagination", "select", "a\0b"),
        )
    ),
    {"run_type": ["llm\0"]},
    {"select": ["\0"]},
    {"cursor": "\0" * 35},
    {"filter": r'eq(run_type, "\u0000")'},
    {"filter": r'neq(run_type, "\u0000")'},
    {"filter": "has(tags, '\0')"},
    {"filter": r'eq(trace_id, "\u0000")'},
    {"filter": r'eq(status, "\u0000")'},
    {"trace_filter": r'has(tags, "a\u0000")'},
    {"tree_filter": r'eq(run_type, "a\u0000")'},
]


@pytest.mark.parametrize("body", QUERIES, ids=ascii)
def test_a_query_of_runs_with_nul_is_answered(
    client: Client, make_api_key: Callable[..., str], project: Project, body: dict[str, Any]
) -> None:
    store_runs(project.id, make_run())
    response = client.post(
        "/runs/query",
        json.dumps({"session": [str(project.id)], **body}),
        "application/json",
        headers={"X-API-Key": make_api_key("read")},
    )
    assert response.status_code in (200, 400), response.content
    assert response["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ed%a0%80", "%ff"])
@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/sessions?{name}="
            for name in ("name", "name_contains", "id", "limit", "offset", "include_stats")
        ),
        *("/sessions?include_stats=1&stats_start_time=", "/sessions?reference_dataset="),
        *("/sessions/", "/runs/", "/runs/01998aee-0000-7000-8000-000000000000?start_time="),
        *("/runs/01998aee-0000-7000-8000-000000000000?session_id=", "/info?x=", "/api/v1/"),
    ],
)
def test_an_address_of_the_api_with_nul_is_answered(
    client: Client, make_api_key: Callable[..., str], project: Project, path: str, value: str
) -> None:
    response = client.get(path + value, headers={"X-API-Key": make_api_key("read")})
    assert response.status_code in (200, 400, 404, 422), response.content


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ed%a0%80", "%ff"])
@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/p/test-project/traces?range=all&{name}="
            for name in (
                *("q", "status", "name", "tag", "thread", "range", "from", "to", "before", "again"),
                "a%00b",
            )
        ),
        *(
            f"/p/test-project/traces/{{trace}}?{name}="
            for name in (
                *("run", "view", "tab", "plumbing", "open", "rows", "input", "output", "messages"),
                "q",
            )
        ),
        "/p/test-project/traces/{trace}/runs/{trace}/raw?field=",
        "/p/test-project/traces/{trace}/runs/{trace}/raw?form=",
        "/p/test-project/setup?with=",
        *(
            "/p/",
            "/projects?range=",
            "/sign-in?next=",
            "/sign-in/",
            "/static/",
            "/projects/new?with=",
        ),
    ],
)
def test_a_page_with_nul_in_its_address_is_answered(
    client: Client, user: Any, project: Project, path: str, value: str
) -> None:
    run = make_run()
    store_runs(project.id, run)
    client.force_login(user)
    end = "/traces" if path == "/p/" else ""
    response = client.get(path.format(trace=run.id) + value + end, headers={"HX-Request": "true"})
    assert response.status_code in (200, 302, 400, 404)
