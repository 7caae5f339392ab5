"""Is this process alive, and is the whole installation fit for work? Both are public: no figures, no names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from collector.api.deadlines import answered_within

PROBE_MILLISECONDS = 1000  # a database that takes longer for this is not ready
STALE_SECONDS = 60

# A row is due from its arrival, or from the time that a failed attempt put it off to.
PROBE = """
SELECT now(),
       (SELECT min(greatest(received_at, not_before)) FROM inbox
         WHERE not_before IS NULL OR not_before <= now()),
       (SELECT max(seen_at) FROM worker_heartbeat)
"""

_migrated = threading.Event()  # once seen, true for this process: its code cannot change


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer that the web process runs. Asks nobody."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when runs can be stored and read, else 503 with the reasons."""
    reasons = list(find_reasons())
    status = "unready" if reasons else "ready"
    return JsonResponse({"status": status, "reasons": reasons}, status=503 if reasons else 200)


def find_reasons() -> Iterator[str]:
    """Yield why the installation is not ready; nothing where it is."""
    try:
        with answered_within(1.5 * PROBE_MILLISECONDS / 1000):
            if not _has_all_migrations():
                yield "migrations: not all are applied"
                return
            now, oldest_due, last_seen = _probe()
    except DatabaseError:
        yield "database: it does not answer, or too slowly"
        return
    if oldest_due is not None and (now - oldest_due).total_seconds() > STALE_SECONDS:
        yield f"inbox: accepted runs have waited for more than {STALE_SECONDS} s"
    if last_seen is None:
        yield "worker: none has reported yet"
    elif (now - last_seen).total_seconds() > STALE_SECONDS:
        yield f"worker: none has reported for more than {STALE_SECONDS} s"


def _has_all_migrations() -> bool:
    if not _migrated.is_set():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _migrated.set()
    return True


def _probe() -> tuple[datetime, datetime | None, datetime | None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(PROBE_MILLISECONDS)]
        )
        cursor.execute(PROBE)
        now, oldest_due, last_seen = cursor.fetchone()
    return now, oldest_due, last_seen
