"""The details of a run's tokens and costs in the words of LangSmith's wire (protocol 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from collector.reads.costs import find_cost_details, find_stored_prices
from collector.reads.types import RunSummary


def usage_fields(run: RunSummary) -> dict[str, Any]:
    """Return `*_token_details` (counts), `*_cost_details` (decimal text) and `price_model_id` of a run.

    The id is that of the row of the workspace's price table, None where another price was used. Details
    that there are none of are None. Of many runs `find_stored_prices(runs)` first: then no run asks alone.
    """
    details = run.usage_details or {}
    costs = find_cost_details(run)
    stored = find_stored_prices([run]).get(run.price_id) if run.price_id is not None else None
    return {
        "prompt_token_details": details.get("input"),
        "completion_token_details": details.get("output"),
        "prompt_cost_details": _as_text(costs["input"]),
        "completion_cost_details": _as_text(costs["output"]),
        "price_model_id": stored.price.model_price_id if stored is not None else None,
    }


def _as_text(costs: Mapping[str, Decimal]) -> dict[str, str] | None:
    return {detail: format(cost, "f") for detail, cost in costs.items()} or None
