"""`manage.py delete_project NAME`: delete a project and all that it holds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector.deletion import delete_project
from collector.models import Project


class Command(BaseCommand):
    """Deletes a project."""

    help = (
        "Delete a project with its runs, payloads, attachments, feedback, shares and tokens. Its name is"
        " free at once; the worker frees the space within seconds to minutes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the project")
        parser.add_argument("--workspace", help="name of its workspace, where several have one")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Project.objects.filter(name=options["name"])
        if options["workspace"]:
            found = found.filter(workspace__name=options["workspace"])
        projects = list(found.select_related("workspace")[:2])
        if not projects:
            raise CommandError(f"There is no project {options['name']!r}.")
        if len(projects) > 1:
            raise CommandError(
                "Several workspaces have one of this name: say which by --workspace."
            )
        delete_project(projects[0])
        self.stdout.write(f"Deleted {options['name']!r}; its data goes as the worker gets to it.")
