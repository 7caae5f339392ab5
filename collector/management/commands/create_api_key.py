"""`manage.py create_api_key NAME`: make an API key and print it. It is shown this once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector.auth import create_api_key
from collector.bootstrap import ensure_first_workspace
from collector.models import ApiKey, Workspace

DEFAULT_SCOPES = [ApiKey.Scope.INGEST.value, ApiKey.Scope.READ.value]


class Command(BaseCommand):
    help = "Make an API key and print it. The key is shown once: only its SHA-256 is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for")
        parser.add_argument(
            "--scope",
            action="append",
            choices=ApiKey.Scope.values,
            help=f"may be repeated (default: {' and '.join(DEFAULT_SCOPES)}; admin implies all)",
        )
        parser.add_argument("--workspace", help="name of the workspace (default: the first one)")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = ensure_first_workspace()
        name = options["workspace"]
        if name is not None:
            try:
                workspace = Workspace.objects.get(name=name)
            except Workspace.DoesNotExist as error:
                raise CommandError(f"There is no workspace {name!r}.") from error
        _, text = create_api_key(
            workspace, options["name"][:120], options["scope"] or DEFAULT_SCOPES
        )
        self.stdout.write(text)
