"""Usage by price gives cost, line by line. The cost of a run is the sum of its lines, and nothing else.

The tokens of a side (prompt, completion) include those of its details. So the details that have a price are
charged first, the most specific before what contains it, and what is left costs the side's own price.
Details cannot be charged for more tokens than the side has. All arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal

from collector.prices.price import Price, Rate, Rates

Side = Literal["input", "output"]
EXACT = Context(prec=80)  # 18 digits of a rate by 10 of a count, and sums of them, with room

# The tokens of these are among the tokens of another detail of the input.
PART_OF = {
    "ephemeral_5m_input_tokens": "cache_creation",
    "ephemeral_1h_input_tokens": "cache_creation",
    "ephemeral_1hr_input_tokens": "cache_creation",
}
# A detail without a price of its own costs what one of these costs.
LIKE: dict[str, tuple[str, ...]] = {
    "ephemeral_5m_input_tokens": ("cache_creation",),
    "ephemeral_1h_input_tokens": ("cache_creation",),
    "ephemeral_1hr_input_tokens": ("ephemeral_1h_input_tokens", "cache_creation"),
    "cache_read_over_200k": ("cache_read",),
    "priority_cache_read": ("priority",),
    "priority_reasoning": ("priority",),
    "flex_cache_read": ("flex",),
    "flex_reasoning": ("flex",),
}


@dataclass(frozen=True, slots=True)
class CostLine:
    """So many tokens of one unit at one rate. `detail` is "" for what no detail has a price for."""

    side: Side
    detail: str
    tokens: int
    rate: Decimal  # USD per million tokens
    tier_start: int | None  # the rate is that of runs with more input tokens than this
    cost: Decimal  # USD, exact

    @property
    def unit(self) -> str:
        return f"{self.side}.{self.detail}" if self.detail else self.side


@dataclass(frozen=True, slots=True)
class Charge:
    """The lines of one run."""

    lines: tuple[CostLine, ...]  # input first, the side's own price last

    def cost_of(self, side: Side) -> Decimal:
        return _sum(line.cost for line in self.lines if line.side == side)

    @property
    def total(self) -> Decimal:
        return _sum(line.cost for line in self.lines)


def charge(
    price: Price, prompt_tokens: int, completion_tokens: int, details: Mapping[str, Any] | None
) -> Charge:
    """Return what a run costs. `details` is its `usage_details` (collector/storage/usage.py)."""
    details = details or {}
    sides: tuple[tuple[Side, int], ...] = (("input", prompt_tokens), ("output", completion_tokens))
    return Charge(
        tuple(
            CostLine(side, detail, count, rate, tier, EXACT.scaleb(EXACT.multiply(rate, count), -6))
            for side, tokens in sides
            for detail, count, (tier, rate) in _counts(
                price.rates, side, tokens, details.get(side) or {}, prompt_tokens
            )
        )
    )


def _counts(
    rates: Rates, side: Side, tokens: int, details: Mapping[str, int], prompt_tokens: int
) -> Iterator[tuple[str, int, tuple[int | None, Decimal]]]:
    """Yield (detail, tokens, (tier, rate)) of what is to be paid for."""
    left = tokens
    for detail, count in _most_specific_first(details):
        rate = _rate_of(rates, side, detail)
        count = min(count, left)
        if rate is not None and count:
            left -= count
            yield detail, count, rate.tier_at(prompt_tokens)
    base = rates.get(side)
    if base is not None and left:
        yield "", left, base.tier_at(prompt_tokens)


def _most_specific_first(details: Mapping[str, int]) -> list[tuple[str, int]]:
    counts = dict(details)
    for part, whole in PART_OF.items():
        if part in details and whole in counts:
            counts[whole] = max(0, counts[whole] - details[part])
    return sorted(counts.items(), key=lambda item: (item[0] not in PART_OF, item[0]))


def _rate_of(rates: Rates, side: Side, detail: str) -> Rate | None:
    for name in (detail, *LIKE.get(detail, ())):
        rate = rates.get(f"{side}.{name}")
        if rate is not None:
            return rate
    return None


def _sum(costs: Iterator[Decimal]) -> Decimal:
    total = Decimal(0)
    for cost in costs:
        total = EXACT.add(total, cost)
    return total
