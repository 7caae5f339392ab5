"""`manage.py dead_letters`: what could not be stored, and a way back for it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from collector.drain import replay_dead_letters
from collector.models import Project


class Command(BaseCommand):
    help = "List what the worker could not store; with --replay PROJECT put a project's letters back into its inbox."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replay", metavar="PROJECT", help="name of the project to replay")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["replay"]:
            self._replay(options["replay"])
            return
        names = dict(Project.objects.values_list("id", "name"))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT project_id, run_id, failed_at, error FROM dead_letter ORDER BY failed_at DESC LIMIT 200"
            )
            letters = cursor.fetchall()
        for project_id, run_id, failed_at, error in letters:
            name = names.get(project_id, project_id)
            self.stdout.write(
                f"{failed_at:%Y-%m-%d %H:%M:%S}  {name}  run {run_id or '(whole batch)'}: {error}"
            )
        if not letters:
            self.stdout.write("Nothing failed.")

    def _replay(self, name: str) -> None:
        projects = list(Project.objects.filter(name=name))
        if not projects:
            raise CommandError(f"There is no project {name!r}.")
        count = sum(replay_dead_letters(project.id) for project in projects)
        self.stdout.write(f"{count} put back; the worker tries them again now.")
