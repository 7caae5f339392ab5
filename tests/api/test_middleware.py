"""What answers pass on their way out: the API's only what it needs, pages everything."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from config.middleware import is_api_path
from viewer.urls import urlpatterns

API_PATHS = ["/info", "/api/v1/info", "/v1/traces", "/runs/batch", "/api/v1/runs/query", "/otel/x"]
PAGE_PATHS = ["/sign-in", "/settings/theme", "/", "/static/viewer/none.css"]
SHARED_PATHS = ["/public/01a20acb-4a34-78d8-934e-7ba1b08d8cb8/r", "/settings"]
PAGES_ONLY = {"Content-Security-Policy"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", API_PATHS)
def test_an_answer_of_the_api_has_the_headers_that_matter_to_it(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert int(response["Content-Length"]) == len(response.content)
    assert not PAGES_ONLY & set(response.headers)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*API_PATHS, "/runs"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_api_asks_for_no_session(client: Client, path: str, method: str) -> None:
    response: Any = getattr(client, method)(path)
    assert not hasattr(response.wsgi_request, "session")
    assert not response.cookies


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGE_PATHS, *SHARED_PATHS])
def test_a_page_passes_all_that_pages_need(client: Client, path: str) -> None:
    response: Any = client.get(path)
    assert set(response.headers) >= {*PAGES_ONLY, "X-Content-Type-Options", "X-Frame-Options"}
    assert hasattr(response.wsgi_request, "session")


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/sign-in", {"username": "x", "password": "y"}).status_code == 403
    assert client.post("/runs/batch", b"{}", content_type="text/plain").status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/info", "/sign-in"])
def test_a_host_that_is_not_ours_is_refused(
    client: Client, settings: LazySettings, path: str
) -> None:
    settings.ALLOWED_HOSTS = ["runwood.example"]
    assert client.get(path, headers={"Host": "other.example"}).status_code == 400


def test_no_page_lies_where_only_the_api_answers() -> None:
    assert [str(page.pattern) for page in urlpatterns if is_api_path(f"/{page.pattern}")] == []


@pytest.mark.parametrize("path", ["/apis", "/runsheet", "/feedbacks", "/p/api/traces", "//api"])
def test_a_path_that_only_begins_alike_is_no_path_of_the_api(path: str) -> None:
    assert not is_api_path(path)
