"""`manage.py login_url [USER]`: print a link that signs a user in once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector.bootstrap import DEFAULT_USER, ensure_first_workspace
from collector.models import User
from collector.sign_in import make_sign_in_url


class Command(BaseCommand):
    help = "Print a link that signs a user in. It works once, for ten minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", default=DEFAULT_USER)

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_first_workspace()
        try:
            user = User.objects.get(username=options["user"], is_active=True)
        except User.DoesNotExist as error:
            raise CommandError(f"There is no active user {options['user']!r}.") from error
        self.stdout.write(make_sign_in_url(user))
