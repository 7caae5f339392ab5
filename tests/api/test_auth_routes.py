"""Every route of the API, under every prefix: closed without a key, and JSON whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver

from collector.reads.live import stop_listener
from collector.urls import PREFIXES, urlpatterns

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
PUBLIC = {"healthz", "readyz", *(f"{prefix}info" for prefix in PREFIXES)}
ID = str(UUID(int=1))
# Their address itself is the key: to whoever has none that is good there is nothing.
BY_ADDRESS = re.compile(
    r"(?:api/|api/v1/|v1/)?(?:v2/|api/v2/)?(?:attachments|feedback/tokens|public)/.+"
)


def routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Yield a path for each route."""
    for pattern in patterns:
        text = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, before + text)
        elif text.startswith("^"):  # the route for what no other knows
            yield from ("api/nothing", "v1/nothing/here", "runs/not-an-id", "api", "sessions/x/y")
        else:
            yield before + re.sub(r"<\w+:\w+>", ID, text)


ROUTES = sorted(set(routes(urlpatterns)))


def test_the_walk_finds_each_route_under_each_prefix() -> None:
    for prefix in PREFIXES:
        for route in (
            "info",
            "runs",
            "runs/batch",
            "runs/multipart",
            "runs/query",
            f"runs/{ID}",
            "sessions",
        ):
            assert prefix + route in ROUTES


@pytest.fixture(autouse=True)
def _no_listener_is_left() -> Iterator[None]:
    yield
    stop_listener()  # that a stream's route has started


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("key", [None, "rw_" + "A" * 43], ids=["no key", "unknown key"])
def test_a_route_is_closed_without_a_key_unless_it_is_public(
    client: Client, route: str, key: str | None
) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    for method in METHODS:
        response = client.generic(method, f"/{route}", headers=headers)
        if route in PUBLIC:
            assert response.status_code in (200, 405, 503), method
        elif BY_ADDRESS.fullmatch(route):
            assert response.status_code in ((200,) if method == "OPTIONS" else (404, 405)), method
        else:
            assert response.status_code == 401, method
            assert response["WWW-Authenticate"].startswith("Bearer")
            kind = "problem+json" if "api/v2/" in route else "json"
            assert response["Content-Type"] == f"application/{kind}"


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in PUBLIC])
def test_with_a_key_no_method_of_any_route_is_an_error_of_ours(
    client: Client, make_api_key: Callable[..., str], route: str
) -> None:
    headers = {"X-API-Key": make_api_key("admin")}
    for method in METHODS:
        response = client.generic(method, f"/{route}", headers=headers)
        assert response.status_code < 500, method
        if method not in ("HEAD", "OPTIONS") and response.status_code >= 400:
            # exporters of OpenTelemetry are told in its own words
            word = "message" if route.endswith("v1/traces") else "detail"
            assert word in response.json(), method


@pytest.mark.parametrize("scope", ["ingest", "read"])
def test_an_ingest_key_cannot_read_and_a_read_key_cannot_ingest(
    client: Client, make_api_key: Callable[..., str], scope: str
) -> None:
    headers = {"X-API-Key": make_api_key(scope)}
    reading = [
        client.post("/runs/query", "{}", "application/json", headers=headers),
        client.get(f"/runs/{ID}", headers=headers),
        client.get("/sessions", headers=headers),
        client.get(f"/sessions/{ID}", headers=headers),
    ]
    writing = [
        client.post("/runs", "{}", "application/json", headers=headers),
        client.patch(f"/runs/{ID}", "{}", "application/json", headers=headers),
        client.post("/runs/batch", "{}", "application/json", headers=headers),
        client.post("/runs/multipart", "", "multipart/form-data", headers=headers),
    ]
    closed, open_ = (reading, writing) if scope == "ingest" else (writing, reading)
    assert {response.status_code for response in closed} == {403}
    assert 403 not in {response.status_code for response in open_}


def test_a_method_that_a_route_lacks_is_named_as_such(
    client: Client, make_api_key: Callable[..., str]
) -> None:
    response = client.delete(f"/runs/{ID}", headers={"X-API-Key": make_api_key("admin")})
    assert response.status_code == 405
    assert {"GET", "PATCH"} <= {word.strip() for word in response["Allow"].split(",")}


@pytest.mark.parametrize("path", ["/projects", "/sign-in", "/settings/keys", "/p/default/traces"])
def test_the_pages_are_not_taken_by_the_api(client: Client, path: str) -> None:
    assert client.get(path).status_code != 401


def test_while_the_keys_cannot_be_read_clients_are_told_to_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(digest: bytes) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("collector.auth._look_up", fail)
    for path in ("/sessions", "/runs/query", "/runs/batch"):
        response = client.post(
            path, "{}", "application/json", headers={"X-API-Key": "rw_" + "A" * 43}
        )
        assert (response.status_code, response["Retry-After"]) == (503, "30")
