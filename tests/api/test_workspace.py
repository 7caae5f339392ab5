"""What clients ask about their workspace, and routes of what is to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from collector.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("ingest")
    return lambda path: client.get(path, headers={"X-API-Key": key})


def test_settings_name_the_workspace(get: Callable[..., Any], workspace: Workspace) -> None:
    assert get("/api/v1/settings").json() == {
        "id": str(workspace.id),
        "display_name": "Test workspace",
        "created_at": workspace.created_at.isoformat(timespec="microseconds"),
        "tenant_handle": None,
    }


def test_only_the_keys_own_workspace_is_listed(
    get: Callable[..., Any], workspace: Workspace
) -> None:
    Workspace.objects.create(name="Other")
    assert [found["id"] for found in get("/api/v1/workspaces").json()] == [str(workspace.id)]
    assert get("/api/v1/orgs/current").json()["id"] == str(workspace.id)


def test_there_are_no_annotation_queues(get: Callable[..., Any]) -> None:
    assert get("/api/v1/annotation-queues").json() == []


@pytest.mark.parametrize(
    "path",
    [
        "/datasets",
        "/api/v1/datasets/5d2c3f3e-7a0e-4f0e-9d5c-0c8a4c8a1f11",
        "/examples",
        "/v1/platform/datasets/5d2c3f3e-7a0e-4f0e-9d5c-0c8a4c8a1f11/examples",
        "/api/v1/platform/datasets/examples/delete",
        "/api/v2/datasets/5d2c3f3e-7a0e-4f0e-9d5c-0c8a4c8a1f11/experiment-runs",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_datasets_are_said_to_be_to_come(
    client: Client, make_api_key: Callable[..., str], method: str, path: str
) -> None:
    response = getattr(client, method)(path, headers={"X-API-Key": make_api_key("read")})
    assert (response.status_code, response.json()) == (
        404,
        {
            "detail": "Datasets and experiments are not part of Runwood yet.",
            "code": "not_supported_yet",
        },
    )


def test_whoever_has_no_key_is_told_that_first(client: Client) -> None:
    assert client.get("/datasets").status_code == 401
