"""`manage.py worker_health`: for the health check of a worker's container."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

MAX_AGE_SECONDS = 60


class Command(BaseCommand):
    help = "End with 0 where a worker of this host has written its heartbeat within a minute."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM worker_heartbeat WHERE starts_with(name, %s)"
                " AND seen_at > now() - make_interval(secs => %s) LIMIT 1",
                [f"{socket.gethostname()}:", MAX_AGE_SECONDS],
            )
            if cursor.fetchone() is None:
                raise CommandError("No worker of this host was heard of within a minute.")
