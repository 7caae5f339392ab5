"""`manage.py seed_demo`: fill a server with sample traces to look at."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from collector import inbox
from collector.bootstrap import ensure_first_workspace
from collector.inbox import InboxFull
from collector.models import Project
from collector.sample.seed import PROJECTS, sample_requests

PAUSE_SECONDS = 0.5  # while the workers are behind
PATIENCE_SECONDS = 120.0


class Command(BaseCommand):
    help = (
        "Make sample traces of a shop's agents, in projects of their own, the way that clients bring theirs: decoded,"
        " made durable, written by the workers of the running server."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--traces", type=int, default=500, metavar="N")
        parser.add_argument("--days", type=float, default=7.0, help="over which they are spread")
        parser.add_argument("--seed", type=int, default=1, help="another seed makes other traces")
        parser.add_argument("--prefix", default="", help="before the projects' names")
        parser.add_argument(
            "--again", action="store_true", help="add to projects that are there already"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        count, prefix = options["traces"], options["prefix"]
        if count < 1 or options["days"] <= 0:
            raise CommandError("--traces and --days have to be more than nothing.")
        workspace = ensure_first_workspace()
        names = [prefix + name for name in PROJECTS]
        there = Project.objects.filter(workspace=workspace, name__in=names).values_list(
            "name", flat=True
        )
        if there and not options["again"]:
            raise CommandError(
                f"There are projects called {', '.join(sorted(there))}. Use --prefix for others, or --again to add to them."
            )
        requests = sample_requests(
            count, now=timezone.now(), days=options["days"], seed=options["seed"], prefix=prefix
        )
        with Progress(
            console=Console(file=sys.stderr), disable=not sys.stderr.isatty()
        ) as progress:
            task = progress.add_task("traces", total=count)
            for traces, decoded in requests:
                self._accept(workspace.id, decoded)
                progress.advance(task, traces)
        self.stdout.write(f"{count} traces in {', '.join(names)}")

    def _accept(self, workspace_id: Any, decoded: Any) -> None:
        """Hand a request over as the API does; where the workers are behind, wait as a client does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                refused = inbox.accept(workspace_id, decoded)
            except InboxFull:
                if time.monotonic() > deadline:
                    raise CommandError("The workers do not keep up. Is the server up?") from None
                time.sleep(PAUSE_SECONDS)
                continue
            if refused:
                raise CommandError(f"Refused: {refused[0].reason}")
            return
