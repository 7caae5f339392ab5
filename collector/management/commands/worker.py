"""`manage.py worker`: what a worker container runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config.commands import worker_command


class Command(BaseCommand):
    help = "Become a worker with beat. Any number may run: every task is safe to run twice."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        command = worker_command(1, Path(tempfile.gettempdir()) / "runwood-beat-schedule")
        os.execv(command[0], command)  # noqa: S606 (our own command line, no shell)
