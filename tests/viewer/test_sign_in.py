from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from collector.models import SignInLink, User
from collector.sign_in import make_sign_in_url
from viewer import urls
from viewer.throttle import MAX_FAILURES, WINDOW_SECONDS, FailureThrottle

PASSWORD = "correct horse battery"


@pytest.fixture
def user_with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def sign_in(client: Client, password: str = PASSWORD, **fields: str) -> HttpResponse:
    return client.post("/sign-in", {"username": "alice", "password": password, **fields})


def pages() -> list[URLPattern]:
    return [pattern for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)]


def test_every_page_but_the_open_ones_is_wrapped_in_the_session_check() -> None:
    unguarded = {page.name for page in pages() if not hasattr(page.callback, "needs_session")}
    # what is shared is open to whoever has its token: test_public.py
    shared = {"shared-run", "shared-run-raw"}
    assert unguarded - shared == {"sign-in", "sign-in-link", "set-theme"}


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if hasattr(page.callback, "needs_session")],
    ids=lambda page: str(page.name),
)
def test_a_page_sends_a_stranger_to_the_sign_in_page(client: Client, page: URLPattern) -> None:
    values = {
        "project": "x",
        "trace_id": "01998aee-0000-7000-8000-000000000000",
        "key_id": "01998aee-0000-7000-8000-000000000000",
        "run_id": "01998aee-0000-7000-8000-000000000000",
        "price_id": "01998aee-0000-7000-8000-000000000000",
        "tenant_id": "01998aee-0000-7000-8000-000000000000",
        "session_id": "01998aee-0000-7000-8000-000000000000",
        "rest": "x/y",
        "thread": "x",
        "side": "older",
    }
    path = reverse(str(page.name), kwargs={key: values[key] for key in page.pattern.converters})
    response = client.get(path)
    assert (response.status_code, urlsplit(response["Location"]).path) == (302, "/sign-in")


def test_the_sign_in_page_is_valid_and_names_the_command_for_a_link(
    client: Client, db: None, check_html: Callable[[HttpResponse], None]
) -> None:
    response = client.get("/sign-in")
    check_html(response)
    assert "manage.py login_url" in response.content.decode()


def test_a_right_password_signs_in_and_goes_on_to_the_page_asked_for(
    client: Client, user_with_password: User
) -> None:
    response = sign_in(client, next="/p/x/traces?status=error")
    assert response["Location"] == "/p/x/traces?status=error"
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "evil",
        "/\t/evil.example",
    ],
)
def test_signing_in_never_leads_to_another_host(
    client: Client, user_with_password: User, next_url: str
) -> None:
    assert sign_in(client, next=next_url)["Location"] == "/projects"


def test_a_wrong_password_is_refused_without_saying_which_of_the_two_was_wrong(
    client: Client, user_with_password: User
) -> None:
    wrong = sign_in(client, "nonsense")
    unknown = client.post("/sign-in", {"username": "nobody", "password": "nonsense"})
    assert (wrong.status_code, unknown.status_code) == (422, 422)
    for response in (wrong, unknown):
        assert "Name and password do not match." in response.content.decode()
    assert not is_signed_in(client)


def test_after_too_many_wrong_passwords_even_the_right_one_must_wait(
    client: Client, user_with_password: User
) -> None:
    for _ in range(MAX_FAILURES):
        sign_in(client, "nonsense")
    response = sign_in(client)
    assert response.status_code == 429
    assert not is_signed_in(client)


def test_the_wait_for_one_name_does_not_hold_up_another(
    client: Client, user_with_password: User
) -> None:
    for _ in range(MAX_FAILURES):
        client.post("/sign-in", {"username": "carol", "password": "nonsense"})
    assert sign_in(client).status_code == 302


def test_a_throttled_name_may_try_again_when_the_window_has_passed() -> None:
    now = [0.0]
    throttle = FailureThrottle(lambda: now[0])
    for _ in range(MAX_FAILURES):
        throttle.note_failure("a")
    assert throttle.wait_seconds("a") > 0
    now[0] = WINDOW_SECONDS + 1
    assert throttle.wait_seconds("a") == 0


def test_signing_in_makes_a_new_session(client: Client, user_with_password: User) -> None:
    session = client.session
    session["seen"] = True
    session.save()
    before = session.session_key
    sign_in(client)
    assert client.session.session_key != before


def test_an_inactive_user_cannot_sign_in(client: Client, user_with_password: User) -> None:
    user_with_password.is_active = False
    user_with_password.save()
    assert sign_in(client).status_code == 422


def test_fetching_a_link_does_not_use_it_up(client: Client, user: User) -> None:
    path = urlsplit(make_sign_in_url(user)).path
    for _ in range(3):
        assert client.get(path).status_code == 200
    assert client.post(path)["Location"] == "/projects"
    assert is_signed_in(client)


def test_a_link_works_once(client: Client, user: User) -> None:
    path = urlsplit(make_sign_in_url(user)).path
    client.post(path)
    other = Client()
    response = other.post(path)
    assert response.status_code == 410
    assert not is_signed_in(other)


def test_a_link_that_is_too_old_says_so(client: Client, user: User) -> None:
    path = urlsplit(make_sign_in_url(user)).path
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = client.post(path)
    assert response.status_code == 410
    assert "is too old" in response.content.decode()


def test_no_cache_keeps_a_sign_in_page(client: Client, db: None) -> None:
    assert "no-store" in client.get("/sign-in/x")["Cache-Control"]


def test_signing_out_needs_a_post_and_ends_the_session(reader: Client) -> None:
    assert reader.get("/sign-out").status_code == 405
    assert reader.post("/sign-out")["Location"] == "/sign-in"
    assert not is_signed_in(reader)


def test_a_form_without_its_token_changes_nothing_and_says_so(user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    response = browser.post("/sign-out")
    assert response.status_code == 403
    assert "This form was not accepted" in response.content.decode()
    assert is_signed_in(browser)


def test_a_partial_asked_for_without_a_session_leads_the_page_to_sign_in(
    client: Client, db: None
) -> None:
    response = client.get(
        "/p/x/traces",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/p/x/traces?q=1"},
    )
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in?next=%2Fp%2Fx%2Ftraces%3Fq%3D1"


def test_a_stream_asked_for_without_a_session_ends(client: Client, db: None) -> None:
    response = client.get("/p/x/traces/stream", headers={"Accept": "text/event-stream"})
    assert response.status_code == 401


@pytest.fixture
def log_lines() -> Iterator[StringIO]:
    """What the server writes to its log."""
    (handler,) = [found for found in logging.getLogger().handlers if found.name == "console"]
    assert isinstance(handler, logging.StreamHandler)
    lines = StringIO()
    before = handler.setStream(lines)
    yield lines
    handler.setStream(before)


def test_a_refused_link_which_is_still_valid_is_not_written_to_the_log(
    user: User, log_lines: StringIO
) -> None:
    path = urlsplit(make_sign_in_url(user)).path
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert "/sign-in/…" in log_lines.getvalue()
    assert path.removeprefix("/sign-in/") not in log_lines.getvalue()


def test_a_link_in_a_traceback_is_not_written_to_the_log(log_lines: StringIO) -> None:
    try:
        raise ValueError("/sign-in/abc-_DEF123 is bad")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: /sign-in/… is bad" in log_lines.getvalue()
