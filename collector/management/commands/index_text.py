"""`manage.py index_text`: index what stored runs say, so that a search of all time is quick."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from collector.storage.indexing import index_waiting
from collector.storage.text_index import count_waiting, index_all_later


class Command(BaseCommand):
    help = (
        "Index what stored runs say, for the search of texts. The worker does so by itself when it has nothing else"
        " to do; this is quicker. Can be interrupted and repeated: it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="index every trace anew, also those that are indexed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["all"]:
            index_all_later()
        indexed = 0
        try:
            with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
                task = bar.add_task("Traces", total=count_waiting())
                for count in index_waiting():
                    indexed += count
                    bar.advance(task, count)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped after {indexed:,} traces. What was done is kept; run it again to go on."
            ) from None
        self.stdout.write(f"{indexed:,} traces indexed.")
