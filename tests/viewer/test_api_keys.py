from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from django.http import HttpResponse
from django.test import Client

from collector.auth import create_api_key, find_api_key
from collector.models import User, Workspace


def create(client: Client, workspace: Workspace, **fields: str) -> HttpResponse:
    return client.post(
        "/settings/keys",
        {"workspace": str(workspace.id), "name": "ci", "scope": "ingest", **fields},
    )


def test_a_key_is_shown_once_and_works(
    reader: Client, workspace: Workspace, check_html: Callable[[HttpResponse], None]
) -> None:
    response = create(reader, workspace, scope="ingest+read")
    check_html(response)
    text = response.context["new_key_text"]
    auth = find_api_key(text)
    assert auth is not None
    assert auth.scopes == {"ingest", "read"}
    assert response["Cache-Control"] == "no-store"
    later = reader.get("/settings/keys").content.decode()
    assert text not in later
    assert f"rw_{text[3:11]}…" in later


def test_a_key_without_a_name_is_not_made(reader: Client, workspace: Workspace) -> None:
    response = create(reader, workspace, name="  ")
    assert response.status_code == 422
    assert "Give the key a name." in response.content.decode()
    assert not workspace.api_keys.exists()


def test_a_revoked_key_is_refused_and_no_longer_listed(
    reader: Client, workspace: Workspace
) -> None:
    key, text = create_api_key(workspace, "old", ["ingest"])
    assert reader.post(f"/settings/keys/{key.id}/revoke")["Location"] == "/settings/keys"
    assert find_api_key(text) is None
    assert reader.get("/settings/keys").context["workspaces"][0]["keys"] == ()


def test_a_viewer_sees_keys_but_changes_none(
    reader: Client, user: User, workspace: Workspace
) -> None:
    key, text = create_api_key(workspace, "prod", ["ingest"])
    user.memberships.update(role="viewer")
    assert "prod" in reader.get("/settings/keys").content.decode()
    assert create(reader, workspace).status_code == 403
    assert reader.post(f"/settings/keys/{key.id}/revoke").status_code == 404
    assert find_api_key(text) is not None


def test_another_workspaces_keys_are_out_of_reach(stranger: Client, workspace: Workspace) -> None:
    key, text = create_api_key(workspace, "top-secret", ["ingest"])
    assert "top-secret" not in stranger.get("/settings/keys").content.decode()
    assert create(stranger, workspace).status_code == 404
    assert stranger.post(f"/settings/keys/{key.id}/revoke").status_code == 404
    assert find_api_key(text) is not None


def test_revoking_what_is_not_there_is_not_found(reader: Client) -> None:
    assert reader.post(f"/settings/keys/{uuid4()}/revoke").status_code == 404


def test_a_keys_name_is_shown_as_text(reader: Client, workspace: Workspace) -> None:
    create_api_key(workspace, "<script>alert(1)</script>", ["ingest"])
    assert "<script>alert(1)" not in reader.get("/settings/keys").content.decode()
