"""`manage.py web`: what a web container runs."""

from __future__ import annotations

import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.commands import web_command


class Command(BaseCommand):
    help = (
        "Prepare the database, then become the web server. For containers; `up` starts everything."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("prepare")
        command = web_command()
        os.execv(command[0], command)  # noqa: S606 (our own command line, no shell)
