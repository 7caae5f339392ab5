"""What a call of a model costs, by the prices of genai-prices: its bundled data, never its network.

The package is an extra, and takes half a second and 40 MB when the first cost is asked for: an app that asks
for none pays nothing.
"""

from __future__ import annotations

import functools
import threading
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runwood.log import warn

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

# LangChain's name of a detail → genai-prices'. Those of a side are among its tokens, in both.
INPUT_DETAILS = {
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_write_tokens",
    "audio": "input_audio_tokens",
}
OUTPUT_DETAILS = {"audio": "output_audio_tokens"}
PROVIDERS = {"azure_ai": "azure", "gcp.gen_ai": "google", "x_ai": "x-ai"}

_lock = threading.Lock()  # the data loads once


def cost_of(
    model: str | None, provider: str | None, usage: UsageMetadata, time: datetime
) -> Decimal | None:
    """Return the cost in USD at that time, or None where the package is missing or knows no price."""
    prices = _prices()
    if prices is None or not model:
        return None
    counts: dict[str, Any] = {
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        **_details(usage.get("input_token_details") or {}, INPUT_DETAILS),
        **_details(usage.get("output_token_details") or {}, OUTPUT_DETAILS),
    }
    known = PROVIDERS.get(provider or "", provider) or None
    try:
        with _lock:
            found = prices.calc_price(
                prices.Usage(**counts), model, provider_id=known, genai_request_timestamp=time
            )
    except (LookupError, ValueError):  # no such model; counts that contradict each other
        return None
    return Decimal(found.total_price)


def _details(given: Any, names: dict[str, str]) -> dict[str, int]:
    return {name: given[key] for key, name in names.items() if given.get(key)}


@functools.cache
def _prices() -> Any:
    try:
        import genai_prices
    except ImportError:
        warn("cost", "costs are not known here: pip install 'runwood[cost]'")
        return None
    return genai_prices
