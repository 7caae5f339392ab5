"""`manage.py add_member USER`: let somebody in, and print their first sign-in link."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from collector.bootstrap import ensure_first_workspace
from collector.models import Membership, User, Workspace
from collector.sign_in import make_sign_in_url


class Command(BaseCommand):
    help = (
        "Make a user a member of a workspace, with a role, and print a link that signs them in once."
        " A user who is not there yet is made; a member gets the role that is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="name to sign in with")
        parser.add_argument(
            "--role", choices=Membership.Role.values, default=Membership.Role.EDITOR.value
        )
        parser.add_argument("--workspace", help="name of the workspace (default: the first one)")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = ensure_first_workspace()
        name = options["workspace"]
        if name is not None:
            found = Workspace.objects.filter(name=name).first()
            if found is None:
                raise CommandError(f"There is no workspace {name!r}.")
            workspace = found
        with transaction.atomic():
            user, is_new = User.objects.get_or_create(username=options["user"][:150])
            if is_new:
                user.set_unusable_password()  # until `manage.py changepassword`
                user.save()
            Membership.objects.update_or_create(
                user=user, workspace=workspace, defaults={"role": options["role"]}
            )
        self.stdout.write(make_sign_in_url(user))
