"""The client's `on_run_end` and the server say the same of a model's cost, by the same bundled prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runwood.hooks.cost import cost_of

from collector.prices.bundled import find_bundled_price
from collector.prices.formula import charge

TIME = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = [
    ("gpt-4o", "openai"),
    ("gpt-4o-audio-preview", "openai"),
    ("gpt-5.1", "openai"),
    ("claude-sonnet-4-5", "anthropic"),
    ("gemini-2.5-pro", "google_genai"),
    ("gemini-2.5-flash", "google_vertexai"),
    ("claude-3-5-haiku-20241022", ""),
    ("no-such-model", "openai"),
]


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    parts = {
        name: draw(st.integers(0, 300_000)) for name in ("plain", "cache_read", "cache_creation")
    }
    output, reasoning = draw(st.integers(0, 100_000)), draw(st.integers(0, 100_000))
    details = {name: count for name, count in parts.items() if name != "plain"}
    return {
        "input_tokens": sum(parts.values()),
        "output_tokens": output + reasoning,
        "total_tokens": sum(parts.values()) + output + reasoning,
        "input_token_details": details,
        "output_token_details": {"reasoning": reasoning},
    }


@pytest.mark.parametrize(("model", "provider"), MODELS)
@given(usage=usages())
def test_the_client_and_the_server_charge_the_same(
    model: str, provider: str, usage: dict[str, Any]
) -> None:
    price = find_bundled_price(model, provider, TIME)
    expected = (
        price
        and charge(
            price,
            usage["input_tokens"],
            usage["output_tokens"],
            {"input": usage["input_token_details"], "output": usage["output_token_details"]},
        ).total
    )
    assert cost_of(model, provider, usage, TIME) == expected  # type: ignore[arg-type]
