"""API keys: what is stored, what is let in, and what nothing hostile can do."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from collector import auth
from collector.auth import HasScope, create_api_key, find_api_key, forget_api_keys
from collector.models import ApiKey, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    forget_api_keys()


class Whoami(APIView):
    permission_classes = [HasScope]
    required_scope: str | None = "read"

    def get(self, request: Request) -> Response:
        return Response({"workspace": str(request.auth.workspace_id)})


def get(view: type[APIView] = Whoami, **headers: str) -> Response:
    response = view.as_view()(APIRequestFactory().get("/", **headers))
    assert isinstance(response, Response)
    return response


def key_for(workspace: Workspace, *scopes: str) -> str:
    return create_api_key(workspace, "test", scopes or ["read"])[1]


def test_a_key_is_marked_and_only_its_digest_and_prefix_are_stored(workspace: Workspace) -> None:
    key, text = create_api_key(workspace, "laptop", ["read", "ingest", "read"])
    stored = ApiKey.objects.get(pk=key.pk)
    assert text.startswith("rw_")
    assert len(text) == 46
    assert stored.prefix == text[3:11]
    assert bytes(stored.digest) == hashlib.sha256(text.encode()).digest()
    assert stored.scopes == ["ingest", "read"]


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_API_KEY": "{}"},
        {"HTTP_AUTHORIZATION": "Bearer {}"},
        {"HTTP_AUTHORIZATION": "bearer  {} "},
    ],
    ids=["X-API-Key", "Bearer", "sloppy bearer"],
)
def test_a_key_is_read_from_either_header(workspace: Workspace, headers: dict[str, str]) -> None:
    text = key_for(workspace)
    response = get(**{name: value.format(text) for name, value in headers.items()})
    assert (response.status_code, response.data) == (200, {"workspace": str(workspace.id)})


def test_without_a_key_the_answer_is_401_and_says_how_to_sign_in() -> None:
    response = get()
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "key",
    [
        "rw_" + "A" * 43,
        "A" * 60_000,
        "rw_" + "A" * 42 + "\0",
        "rw_" + "A" * 42 + "\n",
        "\xff" * 46,
        "rw_" + "é" * 43,
        "lsv2_pt_0123456789abcdef",
        "' OR 1=1 --",
        "rw_",
    ],
    ids=["unknown", "60 KB", "NUL", "newline", "0xFF", "not ASCII", "LangSmith's", "SQL", "empty"],
)
def test_a_bad_key_is_a_plain_401_that_does_not_echo_it(workspace: Workspace, key: str) -> None:
    response = get(HTTP_X_API_KEY=key)
    assert response.status_code == 401
    assert key not in str(response.data)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_that_is_not_a_key_raises_or_asks_the_database(text: str) -> None:
    if not auth.KEY_SHAPE.fullmatch(text):
        assert find_api_key(text) is None


def test_a_bad_key_does_not_close_a_public_view() -> None:
    class Public(Whoami):
        authentication_classes: list[type] = []
        permission_classes = [AllowAny]

        def get(self, request: Request) -> Response:
            return Response({})

    assert get(Public, HTTP_X_API_KEY="nonsense").status_code == 200


@pytest.mark.parametrize(
    ("scopes", "needed", "status"),
    [
        (["read"], "read", 200),
        (["ingest"], "read", 403),
        (["read"], "ingest", 403),
        (["admin"], "ingest", 200),
        (["ingest"], None, 200),
        (["ingest", "read"], "admin", 403),
    ],
)
def test_a_key_needs_the_scope_of_the_view(
    workspace: Workspace, scopes: list[str], needed: str | None, status: int
) -> None:
    class Guarded(Whoami):
        required_scope = needed

    assert get(Guarded, HTTP_X_API_KEY=key_for(workspace, *scopes)).status_code == status


def test_a_view_that_names_no_scope_needs_admin(workspace: Workspace) -> None:
    class Forgetful(APIView):
        permission_classes = [HasScope]
        get = Whoami.get

    assert get(Forgetful, HTTP_X_API_KEY=key_for(workspace, "read", "ingest")).status_code == 403


def test_a_known_key_costs_no_query_for_a_while(
    workspace: Workspace, django_assert_num_queries: object
) -> None:
    text = key_for(workspace)
    find_api_key(text)
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert find_api_key(text) is not None


def test_an_unknown_key_is_asked_for_once(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert find_api_key("rw_" + "A" * 43) is None
        assert find_api_key("rw_" + "A" * 43) is None


def test_many_guesses_do_not_push_a_good_key_out_of_the_cache(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: object
) -> None:
    monkeypatch.setattr(auth, "MAX_CACHED_MISSES", 3)
    text = key_for(workspace)
    find_api_key(text)
    for number in range(10):
        find_api_key(f"rw_{number:043}")
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert find_api_key(text) is not None


def test_a_revoked_key_is_refused_once_the_cache_is_old(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, text = create_api_key(workspace, "test", ["read"])
    assert get(HTTP_X_API_KEY=text).status_code == 200
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    now = auth.time.monotonic()
    monkeypatch.setattr(auth.time, "monotonic", lambda: now + auth.CACHE_SECONDS + 0.1)
    assert get(HTTP_X_API_KEY=text).status_code == 401
    assert auth.CACHE_SECONDS < 60


def test_the_last_use_is_written_when_it_is_a_minute_old(workspace: Workspace) -> None:
    key, text = create_api_key(workspace, "test", ["read"])
    before = timezone.now() - timedelta(seconds=61)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=before)
    find_api_key(text)
    written = ApiKey.objects.get(pk=key.pk).last_used_at
    assert written is not None
    assert written > before


def test_the_last_use_is_not_written_again_within_the_minute(workspace: Workspace) -> None:
    key, text = create_api_key(workspace, "test", ["read"])
    before = timezone.now() - timedelta(seconds=50)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=before)
    find_api_key(text)
    assert ApiKey.objects.get(pk=key.pk).last_used_at == before


def test_a_failed_write_of_the_last_use_does_not_refuse_the_key(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = key_for(workspace)

    def fail(*args: object, **kwargs: object) -> int:
        raise OperationalError("read-only")

    monkeypatch.setattr("django.db.models.query.QuerySet.update", fail)
    assert find_api_key(text) is not None


def test_keys_that_cannot_be_read_are_no_verdict(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = key_for(workspace)

    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.query.QuerySet.first", fail)
        with pytest.raises(OperationalError):
            find_api_key(text)
    assert find_api_key(text) is not None
