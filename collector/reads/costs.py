"""How a run's cost came about: the price that it was charged by, and each line of the sum."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from collector.models import AppliedPrice
from collector.prices.formula import Charge, CostLine, Side, charge
from collector.prices.price import Price, rates_from_json
from collector.reads.types import RunSummary

CLIENT = "client"
LOST = "a price that is stored no more"
MAX_REMEMBERED = 10_000  # stored prices never change


@dataclass(frozen=True, slots=True)
class StatedCost:
    """What a client says that one detail cost."""

    side: Side
    detail: str
    cost: Decimal


@dataclass(frozen=True, slots=True)
class CostExplanation:
    """A cost and where it is from. The lines' costs add up to `total` exactly; a client's cost has none."""

    source: str  # "client", "price table", or the package of prices with its version
    total: Decimal
    lines: tuple[CostLine, ...] = ()
    stated: tuple[StatedCost, ...] = ()
    provider: str = ""
    model: str = ""  # of the price: a model's name, or the pattern that matched the run's model
    start_date: date | None = None  # since when the price holds
    first_applied_at: datetime | None = None
    model_price_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class StoredPrice:
    """A price that runs were charged by, and since when."""

    price: Price
    first_applied_at: datetime


def explain_cost(project_ids: Sequence[UUID], run: RunSummary) -> CostExplanation | None:
    """Return how the cost of a run came about, or None where it has none or lies in another project."""
    if run.project_id not in project_ids or run.total_cost is None:
        return None
    if run.price_id is None:
        return CostExplanation(CLIENT, run.total_cost, stated=_stated(run))
    stored = find_stored_prices([run]).get(run.price_id)
    if stored is None:
        return CostExplanation(LOST, run.total_cost)
    price = stored.price
    return CostExplanation(
        source=price.source,
        total=run.total_cost,
        lines=_charge(run, price).lines,
        provider=price.provider,
        model=price.model,
        start_date=price.start_date,
        first_applied_at=stored.first_applied_at,
        model_price_id=price.model_price_id,
    )


def find_cost_details(run: RunSummary) -> dict[Side, dict[str, Decimal]]:
    """Return what each detail of the run's tokens cost, stated or computed; only details that have a price.

    Whoever asks for many runs calls `find_stored_prices` with all of them first: one query for all.
    """
    costs: dict[Side, dict[str, Decimal]] = {"input": {}, "output": {}}
    if run.price_id is None:
        for item in _stated(run):
            costs[item.side][item.detail] = item.cost
        return costs
    stored = find_stored_prices([run]).get(run.price_id)
    for line in _charge(run, stored.price).lines if stored is not None else ():
        if line.detail:
            costs[line.side][line.detail] = line.cost
    return costs


def find_stored_prices(runs: Iterable[RunSummary]) -> dict[UUID, StoredPrice]:
    """Return the prices of these runs by id; those of earlier calls are remembered."""
    wanted = {run.price_id for run in runs if run.price_id is not None}
    missing = wanted - _stored.keys()
    if missing:
        found = _read(missing)
        if len(_stored) + len(found) > MAX_REMEMBERED:
            _stored.clear()
        _stored.update(found)
    return {id_: _stored[id_] for id_ in wanted if id_ in _stored}


_stored: dict[UUID, StoredPrice] = {}


def _read(ids: Collection[UUID]) -> dict[UUID, StoredPrice]:
    return {
        row.id: StoredPrice(
            Price(
                row.id,
                row.source,
                row.model_price_id,
                row.provider,
                row.model,
                rates_from_json(row.prices),
                row.start_date,
            ),
            row.first_applied_at,
        )
        for row in AppliedPrice.objects.filter(id__in=ids)
    }


def _charge(run: RunSummary, price: Price) -> Charge:
    return charge(price, run.prompt_tokens or 0, run.completion_tokens or 0, run.usage_details)


def _stated(run: RunSummary) -> tuple[StatedCost, ...]:
    details = run.usage_details or {}
    sides: tuple[tuple[Side, Literal["input_cost", "output_cost"]], ...] = (
        ("input", "input_cost"),
        ("output", "output_cost"),
    )
    return tuple(
        StatedCost(side, detail, Decimal(cost))
        for side, key in sides
        for detail, cost in details.get(key, {}).items()
    )
