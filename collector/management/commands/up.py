"""`manage.py up`: start Postgres, worker and web, and keep them running."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from config import paths


class Command(BaseCommand):
    help = "Start Postgres (unless DATABASE_URL is set), worker and web; Ctrl-C stops all of them."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        # the same process goes on without Django: its apps would hold 60 MB for as long as it waits
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(paths.BASE_DIR), os.environ.get("PYTHONPATH", "")])
        )
        os.execv(sys.executable, [sys.executable, "-m", "config.supervisor"])  # noqa: S606
