"""The command lines of the processes: the same for the supervisor and for containers."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

CONNECTIONS = 1024  # of a web process at once


def web_command() -> list[str]:
    """Return granian's command line.

    A stalled upload or a live page holds a thread each, so there may be many; they start on demand.
    """
    return [
        *[sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1"],
        *["--host", settings.HOST, "--port", str(settings.PORT)],
        *["--workers", str(settings.WEB_WORKERS), "--backlog", "4096"],
        *["--backpressure", str(CONNECTIONS), "--blocking-threads", str(CONNECTIONS)],
        *["--respawn-failed-workers", "--respawn-interval", "0.5"],
        *["--workers-kill-timeout", "10", "--log-level", "error"],
        "config.wsgi:application",
    ]


def worker_command(number: int, beat_schedule: Path | None) -> list[str]:
    """Return Celery's command line for worker `number`; `beat_schedule` is the file of the one with beat.

    The solo pool: one process, no fork (docs/decisions/0004-worker-loop.md). Gossip, mingle and heartbeat
    talk from worker to worker, which pgmq cannot carry and nothing here needs.
    """
    beat = ["--beat", "--schedule", str(beat_schedule)] if beat_schedule is not None else []
    return [
        *[sys.executable, "-m", "celery", "--quiet", "-A", "config.celery", "worker", *beat],
        *["--pool", "solo", "--hostname", f"runwood-{number}@%h"],
        *["--without-gossip", "--without-mingle", "--without-heartbeat"],
        *["--loglevel", "WARNING"],
    ]
