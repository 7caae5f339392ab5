"""A price: what each unit of a model's usage costs, in USD per million tokens.

Units are `input` and `output`, and parts of them by the keys of `usage_details`: `input.cache_read`,
`output.audio`, `input.priority` … What a part costs that has no price of its own: `formula.py`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

NAMESPACE = UUID("8a4e3f0e-0a5b-5b6e-9d5e-3f7c1f5d2b61")  # of the ids of prices
UNIT = re.compile(r"(?:input|output)(?:\.[A-Za-z0-9_]{1,64})?")
MAX_UNITS = 40
MAX_RATE = Decimal(1_000_000)  # nothing costs a dollar a token
MAX_DECIMALS = 12


class InvalidPrice(ValueError):
    """A price that cannot be: the message says which unit and what is needed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens. A tier holds for all tokens of a run with more input tokens than its start."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()  # (start, rate), by ascending start

    def tier_at(self, input_tokens: int) -> tuple[int | None, Decimal]:
        """Return the start of the tier that such a run pays (None: the base) and its rate."""
        for start, rate in reversed(self.tiers):
            if input_tokens > start:
                return start, rate
        return None, self.base

    def to_json(self) -> Any:
        """Return decimal text, or `{"base": text, "tiers": [[start, text], …]}`."""
        if not self.tiers:
            return _text(self.base)
        tiers = [[start, _text(rate)] for start, rate in self.tiers]
        return {"base": _text(self.base), "tiers": tiers}

    @classmethod
    def from_json(cls, value: Any) -> Rate:
        if isinstance(value, dict):
            tiers = tuple((int(start), Decimal(rate)) for start, rate in value["tiers"])
            return cls(Decimal(value["base"]), tiers)
        return cls(Decimal(value))


Rates = Mapping[str, Rate]  # unit → rate


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs from some day on, and who says so. Equal content has an equal id."""

    id: UUID
    source: str
    model_price_id: UUID | None  # the row of the workspace's price table
    provider: str
    model: str
    rates: Rates
    start_date: date | None


def make_price(
    source: str,
    *,
    provider: str,
    model: str,
    rates: Rates,
    start_date: date | None = None,
    model_price_id: UUID | None = None,
) -> Price:
    """Return a price with the id that its content has."""
    content = [
        source,
        str(model_price_id),
        provider,
        model,
        rates_to_json(rates),
        str(start_date),
    ]
    id_ = uuid.uuid5(NAMESPACE, json.dumps(content, sort_keys=True))
    return Price(id_, source, model_price_id, provider, model, rates, start_date)


def rates_to_json(rates: Rates) -> dict[str, Any]:
    return {unit: rates[unit].to_json() for unit in sorted(rates)}


def rates_from_json(value: Mapping[str, Any]) -> dict[str, Rate]:
    """Return rates that `rates_to_json` wrote."""
    return {unit: Rate.from_json(rate) for unit, rate in value.items()}


def parse_rates(value: Any) -> dict[str, Rate]:
    """Return rates that a person or a client gave: unit → USD per million tokens, number or text.

    Raises:
        InvalidPrice: a unit has no such name, a price is none, or there are too many or none at all.
    """
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_UNITS:
        raise InvalidPrice(f"prices: an object of 1 to {MAX_UNITS} units is needed.")
    for unit in value:
        if not isinstance(unit, str) or not UNIT.fullmatch(unit):
            raise InvalidPrice(
                f"prices: {str(unit)[:80]!r} is no unit; units are input, output, and their details"
                " such as input.cache_read."
            )
    if not {"input", "output"} & value.keys():
        raise InvalidPrice("prices: input, output or both are needed.")
    return {unit: Rate(parse_rate(unit, rate)) for unit, rate in value.items()}


def parse_rate(unit: str, value: Any) -> Decimal:
    """Return USD per million tokens.

    Raises:
        InvalidPrice: it is no number, below zero, or has too many digits.
    """
    is_number = isinstance(value, (int, float, str, Decimal)) and not isinstance(value, bool)
    try:
        rate = Decimal(str(value).strip()[:64]) if is_number else None
    except InvalidOperation:
        rate = None
    if rate is None or not rate.is_finite() or not 0 <= rate <= MAX_RATE:
        raise InvalidPrice(
            f"prices: {unit} must be USD per million tokens, from 0 to {MAX_RATE:,}."
        )
    if rate != round(rate, MAX_DECIMALS):
        raise InvalidPrice(f"prices: {unit} may have {MAX_DECIMALS} decimals.")
    return abs(rate)


def _text(rate: Decimal) -> str:
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
