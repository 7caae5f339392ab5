"""The prices that come with the package `genai-prices`: its bundled data, never its network.

The data takes half a second and 40 MB (100 while it loads), so that it is loaded with the first model that is
looked for, unless somebody who will need it says so before (`load_bundled_prices`).
Nothing here fetches: only `genai_prices.update_prices` can, and it is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from collector.prices.price import Price, Rate, make_price

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice

MAX_REMEMBERED = 5_000  # models and prices; names are the sender's, so they may be without number

# genai-prices' key, without `_mtok` → our unit. Its prices of anything but tokens are not applied.
UNITS = {
    "input": "input",
    "output": "output",
    "cache_read": "input.cache_read",
    "cache_write": "input.cache_creation",
    "cache_write_5m": "input.ephemeral_5m_input_tokens",
    "cache_write_1h": "input.ephemeral_1h_input_tokens",
    "input_audio": "input.audio",
    "input_image": "input.image",
    "input_video": "input.video",
    "output_audio": "output.audio",
    "output_image": "output.image",
    "output_video": "output.video",
    "output_reasoning": "output.reasoning",
    "output_citation": "output.citation",
}
# What a service tier changes. LangChain and LangSmith report its tokens as details with its name.
SERVICE_TIERS = ("priority", "flex")
TIER_UNITS = {
    "input": "input.{tier}",
    "output": "output.{tier}",
    "cache_read": "input.{tier}_cache_read",
}
# Names of LangChain and OpenTelemetry that genai-prices would not know.
PROVIDERS = {
    "azure_ai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
}


def source() -> str:
    """Return what a price says of where it is from: `genai-prices 0.2.3`."""
    return f"genai-prices {_version()}"


@cache
def _version() -> str:
    return version("genai-prices")


def load_bundled_prices() -> None:
    """Load the data now: a worker must not spend half a second on it while it holds a trace's lock."""
    _book.load()


def find_bundled_price(model: str, provider: str, time: datetime) -> Price | None:
    """Return what the model cost at that time, or None where it is not known.

    Without a provider the model's name decides which one it is.
    """
    return _book.find(model, provider, time.astimezone(UTC))


class _Book:
    """Look-ups that were made, so that the next run of the same model costs nothing."""

    def __init__(self) -> None:
        self._snapshot: DataSnapshot | None = None
        self._models: dict[tuple[str, str], tuple[str, ModelInfo] | None] = {}
        self._prices: dict[tuple[str, str, date], Price | None] = {}

    def load(self) -> DataSnapshot:
        """Return the data, read from the package where it was not yet."""
        if self._snapshot is None:
            self._snapshot = _new_snapshot()
        return self._snapshot

    def find(self, model: str, provider: str, time: datetime) -> Price | None:
        key = (model, provider, time.date())
        if key in self._prices:
            return self._prices[key]
        found = self._find_model(model, provider)
        if found is None:
            return None
        price = _price_at(*found, time)
        if not _changes_within_a_day(found[1]):
            if len(self._prices) >= MAX_REMEMBERED:
                self._prices.clear()
            self._prices[key] = price
        return price

    def _find_model(self, model: str, provider: str) -> tuple[str, ModelInfo] | None:
        key = (model, provider)
        if key in self._models:
            return self._models[key]
        if len(self._models) >= MAX_REMEMBERED:
            # the snapshot remembers every name that it was asked for, too
            self._models.clear()
            self._snapshot = None
        known = PROVIDERS.get(provider.lower(), provider) or None
        try:
            owner, info = self.load().find_provider_model(model, None, known, None)
        except LookupError:
            self._models[key] = None
        else:
            self._models[key] = (owner.id, info)
        return self._models[key]


def _new_snapshot() -> DataSnapshot:
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return DataSnapshot(providers=providers, from_auto_update=False)


_book = _Book()


def _changes_within_a_day(info: ModelInfo) -> bool:
    prices = info.prices if isinstance(info.prices, list) else []
    constraints = [*prices, *(info.price_variants or ())]
    return any(hasattr(item.constraint, "start_time") for item in constraints)


def _price_at(provider: str, info: ModelInfo, time: datetime) -> Price | None:
    standard = info.get_prices(time)
    rates = dict(_rates(standard, UNITS))
    if not {"input", "output"} & rates.keys():
        return None  # priced by the request, the second or the page alone
    for tier in SERVICE_TIERS:
        tiered = info.get_prices(time, {"service_tier": tier})
        if tiered != standard:
            units = {key: unit.format(tier=tier) for key, unit in TIER_UNITS.items()}
            rates |= _rates(tiered, units)
    return make_price(
        source(),
        provider=provider,
        model=info.id,
        rates=rates,
        start_date=_start_date(info, standard),
    )


def _rates(prices: ModelPrice, units: dict[str, str]) -> Iterator[tuple[str, Rate]]:
    for key, unit in units.items():
        value: Any = getattr(prices, f"{key}_mtok")
        if value is None:
            continue
        if hasattr(value, "tiers"):
            tiers = tuple((tier.start, tier.price) for tier in value.tiers)
            yield unit, Rate(value.base, tiers)
        else:
            yield unit, Rate(value)


def _start_date(info: ModelInfo, chosen: ModelPrice) -> date | None:
    """Return since when the chosen prices hold, where the data says it."""
    if isinstance(info.prices, list):
        for item in info.prices:
            if item.prices is chosen:
                return getattr(item.constraint, "start_date", None)
    return None
