"""/feedback-configs: what scores of a key mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from collector.models import Workspace

pytestmark = pytest.mark.django_db

TAGS = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "billing"}, {"value": 1, "label": "shipping"}],
}


@pytest.fixture
def send(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("ingest", "read")

    def call(method: str, body: object = None, *, query: str = "", key: str = key) -> Any:
        return client.generic(
            method,
            f"/api/v1/feedback-configs{query}",
            json.dumps(body) if body is not None else "",
            "application/json",
            headers={"x-api-key": key},
        )

    return call


def test_a_config_is_made_and_listed(send: Callable[..., Any], workspace: Workspace) -> None:
    body = {"feedback_key": "k", "feedback_config": {"type": "continuous", "min": 0, "max": None}}
    made = send("POST", {**body, "is_enforced": False}).json()
    assert {name: made[name] for name in made if name not in ("id", "modified_at")} == {
        "feedback_key": "k",
        "feedback_config": {"type": "continuous", "min": 0},
        "tenant_id": str(workspace.id),
        "is_lower_score_better": None,
        "is_enforced": False,
        "is_first": True,
        "is_deleted": False,
    }
    assert send("GET").json() == [made]


def test_an_equal_config_again_is_the_stored_one_and_another_is_refused(
    send: Callable[..., Any],
) -> None:
    body = {"feedback_key": "k", "feedback_config": TAGS, "is_lower_score_better": True}
    made = send("POST", body)
    assert send("POST", {"feedback_key": "k", "feedback_config": TAGS}).json() == made.json()
    for other in ({"feedback_config": {"type": "freeform"}}, {"is_lower_score_better": False}):
        answer = send("POST", {**body, **other})
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "Feedback config already exists",
        )


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", ["ab", "b", "c"]),
        ("?key=b&key=c", ["b", "c"]),
        ("?name_contains=B", ["ab", "b"]),
        ("?is_enforced=True", ["c"]),
        ("?limit=1&offset=1", ["b"]),
        ("?include_all_configs=True", ["ab", "b", "c"]),
        ("?key=%00", []),
    ],
)
def test_a_list_is_narrowed(send: Callable[..., Any], query: str, keys: list[str]) -> None:
    for key in ("b", "ab", "c"):
        send("POST", {"feedback_key": key, "feedback_config": {}, "is_enforced": key == "c"})
    assert [item["feedback_key"] for item in send("GET", query=query).json()] == keys


def test_an_update_changes_what_it_names(send: Callable[..., Any]) -> None:
    made = send("POST", {"feedback_key": "k", "feedback_config": TAGS}).json()
    changed = send("PATCH", {"id": made["id"], "is_lower_score_better": True}).json()
    assert (changed["feedback_config"], changed["is_lower_score_better"]) == (TAGS, True)
    assert changed["modified_at"] > made["modified_at"]
    changed = send("PATCH", {"feedback_key": "k", "feedback_config": {"type": "freeform"}}).json()
    assert (changed["feedback_config"], changed["is_lower_score_better"]) == (
        {"type": "freeform"},
        True,
    )


def test_categories_are_added_and_removed(send: Callable[..., Any]) -> None:
    send("POST", {"feedback_key": "k", "feedback_config": TAGS})
    third = {"value": 2, "label": "returns"}
    changed = send("PATCH", {"feedback_key": "k", "add_categories": [third]}).json()
    assert changed["feedback_config"]["categories"] == [*TAGS["categories"], third]
    changed = send("PATCH", {"feedback_key": "k", "remove_categories": [0]}).json()
    assert changed["feedback_config"]["categories"] == [TAGS["categories"][1], third]


@pytest.mark.parametrize(
    "change",
    [
        {"add_categories": [{"value": 1, "label": "new"}]},
        {"add_categories": [{"value": 5, "label": "billing"}]},
        {"add_categories": ["x"]},
        {"remove_categories": [0]},
    ],
)
def test_categories_that_would_make_no_sense_are_refused(
    send: Callable[..., Any], change: dict[str, Any]
) -> None:
    send("POST", {"feedback_key": "k", "feedback_config": TAGS})
    assert send("PATCH", {"feedback_key": "k", **change}).status_code == 422
    assert send("GET").json()[0]["feedback_config"] == TAGS


@pytest.mark.parametrize("by", ["feedback_key", "id"])
def test_a_deleted_config_is_gone_and_can_be_made_again(send: Callable[..., Any], by: str) -> None:
    made = send("POST", {"feedback_key": "k", "feedback_config": TAGS}).json()
    assert send("DELETE", query=f"?{by}={made[by]}").status_code == 200
    assert send("GET").json() == []
    assert send("DELETE", query=f"?{by}={made[by]}").status_code == 404
    assert send("POST", {"feedback_key": "k", "feedback_config": {}}).status_code == 200


def test_another_workspaces_config_is_out_of_reach(
    send: Callable[..., Any], make_api_key: Callable[..., str]
) -> None:
    made = send("POST", {"feedback_key": "k", "feedback_config": TAGS}).json()
    key = make_api_key("ingest", "read", workspace=Workspace.objects.create(name="stranger"))
    assert send("GET", key=key).json() == []
    assert send("PATCH", {"id": made["id"], "is_enforced": True}, key=key).status_code == 404
    assert send("DELETE", query=f"?id={made['id']}", key=key).status_code == 404
    assert send("POST", {"feedback_key": "k", "feedback_config": {}}, key=key).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"feedback_key": "k", "feedback_config": 5}, {"feedback_key": 5}, []]
)
def test_what_is_no_config_is_refused(send: Callable[..., Any], body: object) -> None:
    assert send("POST", body).status_code == 400
    assert send("PATCH", body).status_code in (400, 404)
