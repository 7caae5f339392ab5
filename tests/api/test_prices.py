"""The price table by the API: our words, and LangSmith's for the same rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.test import Client

from collector.models import ModelPrice, Workspace
from collector.prices.table import add_price, check_draft

pytestmark = pytest.mark.django_db

OWN = {"model_pattern": "^own-", "prices": {"input": "2.5", "output": 10, "input.cache_read": 0.5}}
MAP = {
    "name": "own",
    "match_path": ["model", "model_name"],
    "match_pattern": "^own-",
    "prompt_cost": 2.5e-06,
    "completion_cost": "0.00001",
    "prompt_cost_details": {"cache_read": 5e-07},
    "provider": "openai",
}

Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str]) -> Ask:
    keys = {scope: make_api_key(scope) for scope in ("ingest", "read", "admin")}

    def send(method: str, path: str, body: Any = None, *, scope: str = "admin") -> Any:
        return client.generic(
            method,
            path,
            b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={"X-API-Key": keys[scope]},
        )

    return send


def test_a_price_is_added_and_listed(ask: Ask) -> None:
    made = ask("POST", "/model-prices", OWN | {"start_date": "2026-01-02", "name": "Ours"})
    assert made.status_code == 201
    row = made.json()
    assert {
        key: row[key] for key in ("model_pattern", "provider", "prices", "start_date", "name")
    } == {
        "model_pattern": "^own-",
        "provider": "",
        "prices": {"input": "2.5", "input.cache_read": "0.5", "output": "10"},
        "start_date": "2026-01-02",
        "name": "Ours",
    }
    assert row["created_by"].startswith("API key test (rw_")
    assert ask("GET", "/model-prices", scope="read").json() == [row]
    assert ask("GET", f"/api/v1/model-prices/{row['id']}", scope="read").json() == row


def test_a_change_retires_the_row_and_adds_one_in_its_place(ask: Ask) -> None:
    old = ask("POST", "/model-prices", OWN | {"provider": "openai"}).json()
    new = ask("PATCH", f"/model-prices/{old['id']}", {"prices": {"input": 3}}).json()
    assert new["id"] != old["id"]
    assert (new["prices"], new["model_pattern"], new["provider"]) == (
        {"input": "3"},
        "^own-",
        "openai",
    )
    assert ask("GET", "/model-prices").json() == [new]
    retired = ask("GET", f"/model-prices/{old['id']}").json()
    assert retired["retired_at"] is not None
    assert retired["prices"] == old["prices"]


def test_a_deleted_price_is_out_of_force_and_can_still_be_read(ask: Ask) -> None:
    row = ask("POST", "/model-prices", OWN).json()
    assert ask("DELETE", f"/model-prices/{row['id']}").status_code == 204
    assert ask("GET", "/model-prices").json() == []
    assert ask("GET", f"/model-prices/{row['id']}").status_code == 200
    assert ask("DELETE", f"/model-prices/{row['id']}").status_code == 404
    assert ask("PATCH", f"/model-prices/{row['id']}", {}).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_pattern": "("}, "model_pattern: this is no RE2 pattern (missing )"),
        ({"model_pattern": r"(a)\1"}, "model_pattern: this is no RE2 pattern"),
        ({"model_pattern": ""}, "model_pattern: a pattern is needed"),
        ({"model_pattern": "a" * 300}, "model_pattern: a text of up to 256"),
        ({"model_pattern": "a\0"}, "model_pattern: a text of up to 256"),
        ({"model_pattern": "((a{100}){100}){100}"}, "model_pattern: this is no RE2 pattern"),
        ({"prices": {}}, "prices: an object"),
        ({"prices": {"input.cache_read": 1}}, "prices: input, output or both"),
        ({"prices": {"input": 1, "inputs": 1}}, "prices: 'inputs' is no unit"),
        ({"prices": {"input": -1}}, "prices: input must be USD per million tokens"),
        ({"prices": {"input": "NaN"}}, "prices: input must be USD per million tokens"),
        ({"prices": {"input": True}}, "prices: input must be USD per million tokens"),
        ({"prices": {"input": "1e-13"}}, "prices: input may have 12 decimals"),
        ({"prices": "free"}, "prices: an object"),
        ({"start_date": "soon"}, "start_date: a time in ISO 8601 is needed"),
        ({"provider": 3}, "provider: a text"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    ask: Ask, change: dict[str, Any], said: str
) -> None:
    refused = ask("POST", "/model-prices", OWN | change)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(said)
    assert not ModelPrice.objects.exists()


@pytest.mark.parametrize("scope", ["ingest", "read"])
def test_only_an_admins_key_changes_prices(ask: Ask, scope: str) -> None:
    row = ask("POST", "/model-prices", OWN).json()
    for method, path in (
        ("POST", "/model-prices"),
        ("PATCH", f"/model-prices/{row['id']}"),
        ("DELETE", f"/model-prices/{row['id']}"),
        ("POST", "/model-price-map"),
        ("PUT", f"/model-price-map/{row['id']}"),
        ("DELETE", f"/model-price-map/{row['id']}"),
    ):
        assert ask(method, path, OWN, scope=scope).status_code == 403
    assert ask("GET", "/model-prices").json() == [row]


def test_another_workspaces_prices_are_out_of_reach(ask: Ask) -> None:
    other = Workspace.objects.create(name="Other")
    row = add_price(other, check_draft(model_pattern="x", prices={"input": 1}))
    assert ask("GET", "/model-prices").json() == []
    assert ask("GET", "/model-price-map").json() == []
    for method in ("GET", "PATCH", "DELETE"):
        assert ask(method, f"/model-prices/{row.id}", {}).status_code == 404
    assert ask("PUT", f"/model-price-map/{row.id}", MAP).status_code == 404
    assert ask("DELETE", f"/model-price-map/{uuid4()}").status_code == 404
    row.refresh_from_db()
    assert row.retired_at is None


def test_langsmiths_price_map_is_the_same_table_by_the_token(
    ask: Ask, workspace: Workspace
) -> None:
    made = ask("POST", "/api/v1/model-price-map", MAP | {"start_time": "2026-01-02T00:00:00Z"})
    assert made.status_code == 200
    row = ModelPrice.objects.get()
    assert row.prices == {"input": "2.5", "input.cache_read": "0.5", "output": "10"}
    assert made.json() == {
        "id": str(row.id),
        "tenant_id": str(workspace.id),
        "name": "own",
        "start_time": "2026-01-02T00:00:00+00:00",
        "match_path": ["model", "model_name", "model_id", "model_path", "endpoint_name"],
        "match_pattern": "^own-",
        "provider": "openai",
        "prompt_cost": "0.0000025",
        "prompt_cost_details": {"cache_read": "0.0000005"},
        "completion_cost": "0.000010",
        "completion_cost_details": None,
    }


def test_the_price_map_is_searched_and_paged(ask: Ask) -> None:
    for name in ("first", "second", "third"):
        assert ask("POST", "/model-price-map/", MAP | {"name": name}).status_code == 200
    found = ask("GET", "/model-price-map/?q=OPENAI&limit=2&offset=1")
    assert [entry["name"] for entry in found.json()] == ["second", "first"]
    assert found["X-Pagination-Total"] == "3"
    assert [entry["name"] for entry in ask("GET", "/model-price-map?q=third").json()] == ["third"]


def test_the_price_map_refuses_the_same_entry_twice(ask: Ask) -> None:
    first = ask("POST", "/model-price-map", MAP).json()
    assert ask("POST", "/model-price-map", MAP).status_code == 409
    put = ask("PUT", f"/model-price-map/{first['id']}", MAP | {"prompt_cost": 0})
    assert (put.status_code, put.json()["prompt_cost"]) == (200, "0.000000")
    other = ask("POST", "/model-price-map", MAP | {"name": "other"}).json()
    assert ask("PUT", f"/model-price-map/{other['id']}", MAP).status_code == 409


@pytest.mark.parametrize("cost", [None, "free", True, -1, "1e9999999999999999999", [1]])
def test_the_price_map_refuses_what_is_no_cost(ask: Ask, cost: Any) -> None:
    assert ask("POST", "/model-price-map", MAP | {"prompt_cost": cost}).status_code == 400


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"', b"[" * 100_000])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/model-prices"),
        ("PATCH", "/api/v1/model-prices/{id}"),
        ("POST", "/api/v1/model-price-map"),
        ("PUT", "/api/v1/model-price-map/{id}"),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    client: Client,
    make_api_key: Callable[..., str],
    workspace: Workspace,
    method: str,
    path: str,
    body: bytes,
) -> None:
    row = add_price(workspace, check_draft(**OWN))
    answer = client.generic(
        method,
        path.format(id=row.id),
        body,
        content_type="application/json",
        headers={"X-API-Key": make_api_key("admin")},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
