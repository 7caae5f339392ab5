"""`manage.py add_member`: how a team lets its people in."""

from __future__ import annotations

from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from collector.models import Membership, Workspace
from collector.sign_in import consume_sign_in_token

pytestmark = pytest.mark.django_db


def add(*args: str) -> str:
    out = StringIO()
    call_command("add_member", *args, stdout=out)
    return out.getvalue().strip()


def roles(name: str) -> list[str]:
    return list(Membership.objects.filter(user__username=name).values_list("role", flat=True))


def test_a_new_member_is_an_editor_and_gets_a_link_that_signs_them_in() -> None:
    token = urlsplit(add("kim")).path.rpartition("/")[2]
    user = consume_sign_in_token(token)
    assert user is not None
    assert (user.username, user.has_usable_password(), roles("kim")) == ("kim", False, ["editor"])


def test_a_member_who_is_added_again_has_the_new_role_only() -> None:
    add("kim")
    add("kim", "--role", "viewer")
    assert roles("kim") == ["viewer"]


def test_a_member_may_be_of_another_workspace() -> None:
    Workspace.objects.create(name="kiln")
    add("kim", "--workspace", "kiln")
    assert Membership.objects.get(user__username="kim").workspace.name == "kiln"


def test_an_unknown_workspace_is_refused_and_nobody_is_made() -> None:
    with pytest.raises(CommandError, match="no workspace"):
        add("kim", "--workspace", "nowhere")
    assert roles("kim") == []
