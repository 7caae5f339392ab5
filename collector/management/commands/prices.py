"""`manage.py prices`: the price table of a workspace, and what a model costs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collector.bootstrap import ensure_first_workspace
from collector.models import ModelPrice, Workspace
from collector.prices.bundled import find_bundled_price
from collector.prices.price import InvalidPrice, Price, Rate
from collector.prices.table import (
    add_price,
    check_draft,
    find_workspace_price,
    list_prices,
    price_of,
    retire_price,
)


class Command(BaseCommand):
    help = (
        "List, add and retire the prices of a workspace's table, which win over the bundled ones;"
        " show what a model costs. Prices are USD per million tokens."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", help="name of the workspace (default: the first one)")
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="list the rows in force; of two that match the first wins")
        add = actions.add_parser("add", help="add a row")
        add.add_argument("pattern", help="RE2 pattern, searched in the model's name: ^gpt-4o")
        add.add_argument(
            "prices",
            nargs="+",
            metavar="UNIT=USD",
            help="input=2.5 input.cache_read=1.25 output=10",
        )
        add.add_argument("--provider", default="", help="only runs of this provider")
        add.add_argument(
            "--since", type=date.fromisoformat, metavar="DAY", help="only runs from then on"
        )
        add.add_argument("--name", default="")
        retire = actions.add_parser("retire", help="take a row out of force")
        retire.add_argument("id", type=UUID)
        show = actions.add_parser("show", help="show what a model costs now")
        show.add_argument("model")
        show.add_argument("--provider", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = _workspace(options["workspace"])
        getattr(self, f"_{options['action']}")(workspace, options)

    def _list(self, workspace: Workspace, options: dict[str, Any]) -> None:
        rows = list_prices(workspace)
        for row in rows:
            self._write(row)
        if not rows:
            self.stdout.write("The table is empty: every model costs what the bundled prices say.")

    def _add(self, workspace: Workspace, options: dict[str, Any]) -> None:
        pairs = [text.partition("=") for text in options["prices"]]
        try:
            draft = check_draft(
                model_pattern=options["pattern"],
                prices={unit.strip(): rate for unit, _, rate in pairs},
                provider=options["provider"],
                start_date=options["since"],
                name=options["name"],
            )
            self._write(add_price(workspace, draft, by="manage.py"))
        except InvalidPrice as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Runs that come from now on are priced by it; `manage.py reprice` prices older ones."
        )

    def _retire(self, workspace: Workspace, options: dict[str, Any]) -> None:
        row = retire_price(workspace, options["id"])
        if row is None:
            raise CommandError(
                f"The workspace {workspace.name!r} has no price {options['id']} in force."
            )
        self.stdout.write(f"{row.model_pattern} is retired.")

    def _show(self, workspace: Workspace, options: dict[str, Any]) -> None:
        model, provider, now = options["model"], options["provider"], datetime.now(UTC)
        price = find_workspace_price(workspace, model, provider, now)
        price = price or find_bundled_price(model, provider, now)
        if price is None:
            raise CommandError(
                f"Nobody knows what {model!r} costs. `manage.py prices add` can tell."
            )
        self.stdout.write(
            f"{price.source}: {price.provider or 'any provider'}, {price.model}{_since(price)}"
        )
        self._write_rates(price)

    def _write(self, row: ModelPrice) -> None:
        price = price_of(row)
        name = f"  {row.name}" if row.name else ""
        self.stdout.write(
            f"{row.id}  {row.model_pattern}  {row.provider or 'any provider'}{_since(price)}{name}"
        )
        self._write_rates(price)

    def _write_rates(self, price: Price) -> None:
        for unit, rate in price.rates.items():
            self.stdout.write(f"    {unit:32} {_dollars(rate)}")


def _workspace(name: str | None) -> Workspace:
    if name is None:
        return ensure_first_workspace()
    found = Workspace.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no workspace {name!r}.")
    return found


def _since(price: Price) -> str:
    return f", since {price.start_date}" if price.start_date else ""


def _dollars(rate: Rate) -> str:
    tiers = "".join(f", ${usd:f} past {start:,} input tokens" for start, usd in rate.tiers)
    return f"${rate.base:f}{tiers}"
