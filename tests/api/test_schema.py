"""The OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema(client: Client, make_api_key: Callable[..., str]) -> dict[str, Any]:
    response = client.get("/api/schema/", headers={"X-API-Key": make_api_key("ingest")})
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_every_route_is_described_once(schema: dict[str, Any]) -> None:
    assert {
        (path.removeprefix("/api/v1"), method)
        for path, methods in schema["paths"].items()
        for method in methods
    } == {
        ("/attachments/{signed}", "get"),
        ("/feedback", "get"),
        ("/feedback", "post"),
        ("/feedback-configs", "delete"),
        ("/feedback-configs", "get"),
        ("/feedback-configs", "patch"),
        ("/feedback-configs", "post"),
        ("/feedback/tokens", "get"),
        ("/feedback/tokens", "post"),
        ("/feedback/tokens/{token_id}", "get"),
        ("/feedback/tokens/{token_id}", "post"),
        ("/feedback/{feedback_id}", "delete"),
        ("/feedback/{feedback_id}", "get"),
        ("/feedback/{feedback_id}", "patch"),
        ("/info", "get"),
        ("/model-price-map/", "get"),
        ("/model-price-map/", "post"),
        ("/model-price-map/{price_id}", "delete"),
        ("/model-price-map/{price_id}", "put"),
        ("/model-prices", "get"),
        ("/model-prices", "post"),
        ("/model-prices/{price_id}", "delete"),
        ("/model-prices/{price_id}", "get"),
        ("/model-prices/{price_id}", "patch"),
        ("/otel/v1/traces", "post"),
        ("/public/{token}/feedbacks", "get"),
        ("/public/{token}/run", "get"),
        ("/public/{token}/run/{run_id}", "get"),
        ("/public/{token}/runs/query", "post"),
        ("/runs", "post"),
        ("/runs/batch", "post"),
        ("/runs/multipart", "post"),
        ("/runs/delete", "post"),
        ("/runs/delete/traces", "post"),
        ("/runs/query", "post"),
        ("/runs/{run_id}", "get"),
        ("/runs/{run_id}", "patch"),
        ("/runs/{run_id}/share", "delete"),
        ("/runs/{run_id}/share", "get"),
        ("/runs/{run_id}/share", "put"),
        ("/orgs/current", "get"),
        ("/runs/group", "post"),
        ("/runs/group/stats", "post"),
        ("/runs/stats", "post"),
        ("/runs/threads/{thread_id}", "get"),
        ("/projects/{project}/stream", "get"),
        ("/traces/{trace_id}/stream", "get"),
        ("/sessions", "get"),
        ("/sessions", "post"),
        ("/sessions/resolutions", "get"),
        ("/sessions/{session_id}", "delete"),
        ("/sessions/{session_id}", "get"),
        ("/sessions/{session_id}", "patch"),
        ("/settings", "get"),
        ("/workspaces", "get"),
        ("/api/v2/public/{token}/run/{run_id}", "get"),
        ("/api/v2/public/{token}/runs/query", "post"),
        ("/api/v2/runs/query", "post"),
        ("/api/v2/runs/{run_id}", "get"),
        ("/api/v2/runs/{run_id}/share", "delete"),
        ("/api/v2/runs/{run_id}/share", "post"),
        ("/api/v2/runs/{run_id}/url", "get"),
        ("/api/v2/threads/query", "post"),
        ("/api/v2/threads/stats", "post"),
        ("/api/v2/threads/{thread_id}/stats", "get"),
        ("/api/v2/threads/{thread_id}/traces", "get"),
        ("/api/v2/traces/query", "post"),
        ("/api/v2/traces/{trace_id}/runs", "get"),
    }


def test_either_way_to_present_a_key_is_enough(schema: dict[str, Any]) -> None:
    assert schema["paths"]["/api/v1/runs/query"]["post"]["security"] == [
        {"ApiKey": []},
        {"Bearer": []},
    ]
    assert not schema["paths"]["/api/v1/info"]["get"].get("security", [{}])[0]


def test_the_run_object_is_described(schema: dict[str, Any]) -> None:
    assert {"id", "dotted_order", "session_id"} <= set(
        schema["components"]["schemas"]["Run"]["properties"]
    )


def test_the_description_can_be_had_as_yaml(
    client: Client, make_api_key: Callable[..., str]
) -> None:
    headers = {"X-API-Key": make_api_key("read")}
    response = client.get("/api/schema/", {"format": "yaml"}, headers=headers)
    assert response.content.startswith(b"openapi: 3")
