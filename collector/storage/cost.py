"""Runs that say how many tokens they took → what they cost, and by which price.

The workspace's own table comes first, then the bundled prices, both as they were when the run started. A cost
that the client states stands: nothing is computed beside it. So a hit in LangChain's cache is free, for which
the client states a total of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction

from collector.models import AppliedPrice
from collector.prices.bundled import find_bundled_price
from collector.prices.formula import EXACT, charge
from collector.prices.price import Price, rates_to_json
from collector.prices.table import find_table_price
from collector.storage.row import RunRow

MAX_KNOWN = 10_000
_known: set[UUID] = set()  # ids of prices that are stored: seen committed by this process


def apply_costs(project_id: UUID, rows: Sequence[RunRow]) -> None:
    """Set costs and `price_id` of the rows of one project. Call inside a transaction.

    A row that is priced no more loses what was computed for it before.
    """
    used: dict[UUID, Price] = {}
    for row in rows:
        if row.has_client_cost:
            row.price_id = None
            continue
        price = find_price(project_id, row)
        if price is not None:
            used[price.id] = price
        _set_cost(row, price)
    _store_prices(used.values())


def find_price(project_id: UUID, row: RunRow) -> Price | None:
    """Return the price that a row is to be charged by, or None where it costs nothing or nobody knows."""
    if not row.is_counted or row.model is None or not _has_both_counts(row):
        return None
    provider = row.provider or ""
    return find_table_price(project_id, row.model, provider, row.start_time) or find_bundled_price(
        row.model, provider, row.start_time
    )


def _has_both_counts(row: RunRow) -> bool:
    """Return whether it is told which tokens were given and which answered: a total alone has no price."""
    if row.prompt_tokens is None or row.completion_tokens is None:
        return False
    return row.prompt_tokens + row.completion_tokens > 0 or not row.total_tokens


def _set_cost(row: RunRow, price: Price | None) -> None:
    if price is None:
        row.price_id = row.prompt_cost = row.completion_cost = row.total_cost = None
        return
    charged = charge(price, row.prompt_tokens or 0, row.completion_tokens or 0, row.usage_details)
    row.price_id = price.id
    row.prompt_cost, row.completion_cost = charged.cost_of("input"), charged.cost_of("output")
    row.total_cost = EXACT.add(row.prompt_cost, row.completion_cost)


def _store_prices(prices: Iterable[Price]) -> None:
    """Store what is not stored yet, in the order of ids: two workers never wait for each other in a circle."""
    new = sorted((price for price in prices if price.id not in _known), key=lambda price: price.id)
    if not new:
        return
    AppliedPrice.objects.bulk_create(
        [
            AppliedPrice(
                id=price.id,
                source=price.source,
                model_price_id=price.model_price_id,
                provider=price.provider,
                model=price.model,
                prices=rates_to_json(price.rates),
                start_date=price.start_date,
            )
            for price in new
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: _remember(price.id for price in new))


def _remember(ids: Iterable[UUID]) -> None:
    if len(_known) >= MAX_KNOWN:
        _known.clear()
    _known.update(ids)


def forget_applied_prices() -> None:
    """For tests, which empty the table."""
    _known.clear()
