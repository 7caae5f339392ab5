"""`manage.py reprice`: compute what stored runs cost anew, by the prices of today."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from collector.models import Project
from collector.prices.table import forget_price_tables
from collector.storage.reprice import Span, count_traces, reprice


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("a day is needed, such as 2026-11-24") from None


class Command(BaseCommand):
    help = (
        "Compute anew what stored runs cost. Each run is charged by the prices as they were on its day: those of the"
        " workspace's table, then the bundled ones. Costs that a client stated stay. Can be interrupted and repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="NAME", help="only projects of this name")
        parser.add_argument("--since", type=_day, default=date.min, metavar="DAY", help="first day")
        parser.add_argument("--until", type=_day, default=date.max, metavar="DAY", help="last day")
        parser.add_argument(
            "--only-missing", action="store_true", help="leave runs alone that have a cost"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would change, and write nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.order_by("created_at", "id")
        if options["project"] is not None:
            projects = projects.filter(name=options["project"])
            if not projects:
                raise CommandError(f"There is no project {options['project']!r}.")
        forget_price_tables()
        try:
            self._reprice(list(projects), options)
        except KeyboardInterrupt:
            raise CommandError("Stopped. What was done is kept; run it again to go on.") from None

    def _reprice(self, projects: list[Project], options: dict[str, Any]) -> None:
        span = Span(options["since"], options["until"])
        run_count = changed = 0
        before = after = Decimal(0)
        total = sum(count_traces(project.id, span) for project in projects)
        with progress(total) as advance:
            for project in projects:
                for done in reprice(
                    project.id,
                    span,
                    only_missing=options["only_missing"],
                    is_dry_run=options["dry_run"],
                ):
                    advance(done.trace_count)
                    run_count += done.run_count
                    changed += done.changed_count
                    before += done.before
                    after += done.after
        verb = "would change" if options["dry_run"] else "changed"
        self.stdout.write(
            f"{run_count:,} model runs in {total:,} traces: {changed:,} {verb}, from ${before:f} to ${after:f}."
        )


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far it is; yields a function that moves it on."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Traces", total=total)
        yield lambda count: bar.advance(task, count)
