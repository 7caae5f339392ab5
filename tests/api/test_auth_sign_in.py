"""The first workspace, one-time sign-in links, and the commands that print keys and links."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from collector.auth import find_api_key
from collector.bootstrap import ensure_first_workspace
from collector.models import ApiKey, Membership, Project, SignInLink, User, Workspace
from collector.sign_in import consume_sign_in_token, make_sign_in_url


def run_command(name: str, *arguments: str) -> str:
    output = StringIO()
    call_command(name, *arguments, stdout=output)
    return output.getvalue()


def in_threads(count: int, function: object) -> list[object]:
    """Run a function in threads that all start at once, each with its own connection."""
    barrier = threading.Barrier(count)

    def one(_: int) -> object:
        barrier.wait()
        try:
            return function()  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.django_db
def test_first_boot_makes_a_workspace_an_administrator_and_a_project() -> None:
    workspace = ensure_first_workspace()
    admin = User.objects.get()
    assert (admin.username, admin.has_usable_password()) == ("admin", False)
    assert Membership.objects.get().role == "admin"
    assert Project.objects.get().name == "default"
    assert workspace.name == "default"


@pytest.mark.django_db
def test_a_renamed_workspace_does_not_come_back_under_its_first_name() -> None:
    first = ensure_first_workspace()
    Workspace.objects.update(name="acme")
    assert ensure_first_workspace() == first
    assert Workspace.objects.count() == 1


def test_processes_that_boot_together_make_one_workspace(store: None) -> None:
    found = in_threads(4, ensure_first_workspace)
    assert len({workspace.id for workspace in found}) == 1  # type: ignore[attr-defined]
    assert (Workspace.objects.count(), User.objects.count(), Project.objects.count()) == (1, 1, 1)


@pytest.mark.django_db
def test_a_link_leads_home_and_keeps_no_token(user: User, settings: object) -> None:
    settings.PUBLIC_URL = "https://runwood.example"  # type: ignore[attr-defined]
    url = make_sign_in_url(user)
    base, _, token = url.rpartition("/")
    assert base == "https://runwood.example/sign-in"
    assert token.encode() not in bytes(SignInLink.objects.get().digest)


@pytest.mark.django_db
def test_a_link_works_once(user: User) -> None:
    token = make_sign_in_url(user).rpartition("/")[2]
    assert consume_sign_in_token(token) == user
    assert consume_sign_in_token(token) is None


@pytest.mark.django_db
def test_a_link_ends_after_ten_minutes(user: User) -> None:
    token = make_sign_in_url(user).rpartition("/")[2]
    life = SignInLink.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=9) < life <= timedelta(minutes=10)
    SignInLink.objects.update(expires_at=timezone.now())
    assert consume_sign_in_token(token) is None


@pytest.mark.django_db
def test_a_link_of_a_deactivated_user_does_not_work(user: User) -> None:
    token = make_sign_in_url(user).rpartition("/")[2]
    User.objects.update(is_active=False)
    assert consume_sign_in_token(token) is None


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 60_000, "\0" * 43, "é" * 43])
def test_a_token_that_was_never_given_out_signs_nobody_in(user: User, token: str) -> None:
    make_sign_in_url(user)
    assert consume_sign_in_token(token) is None


@pytest.mark.django_db
def test_old_links_are_cleared_away(user: User) -> None:
    make_sign_in_url(user)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    make_sign_in_url(user)
    assert SignInLink.objects.count() == 1


def test_of_many_who_use_a_link_at_once_one_is_signed_in(store: None, user: User) -> None:
    token = make_sign_in_url(user).rpartition("/")[2]
    found = in_threads(4, lambda: consume_sign_in_token(token))
    assert [person for person in found if person is not None] == [user]


@pytest.mark.django_db
def test_create_api_key_prints_the_key_and_nothing_else() -> None:
    text = run_command("create_api_key", "laptop").strip()
    auth = find_api_key(text)
    assert auth is not None
    assert auth.scopes == {"ingest", "read"}
    assert ApiKey.objects.get().name == "laptop"


@pytest.mark.django_db
def test_create_api_key_takes_scopes_and_a_workspace() -> None:
    ensure_first_workspace()
    other = Workspace.objects.create(name="other")
    text = run_command("create_api_key", "ci", "--scope", "read", "--workspace", "other").strip()
    auth = find_api_key(text)
    assert auth is not None
    assert (auth.scopes, auth.workspace_id) == ({"read"}, other.id)


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [("--workspace", "nowhere"), ("--scope", "root")])
def test_create_api_key_refuses_what_it_does_not_know(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        run_command("create_api_key", "ci", *arguments)
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_login_url_prints_a_working_link_of_the_administrator() -> None:
    token = run_command("login_url").strip().rpartition("/")[2]
    person = consume_sign_in_token(token)
    assert person is not None
    assert person.username == "admin"


@pytest.mark.django_db
def test_login_url_refuses_an_unknown_user() -> None:
    with pytest.raises(CommandError):
        run_command("login_url", "nobody")
