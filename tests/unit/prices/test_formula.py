"""The formula, against figures worked out by hand and against genai-prices' own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.prices.bundled import find_bundled_price
from collector.prices.formula import charge
from collector.prices.price import Price, Rate, make_price, rates_from_json, rates_to_json

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def price(**rates: int) -> Price:
    units = {unit.replace("__", "."): Rate(Decimal(rate)) for unit, rate in rates.items()}
    return make_price("test", provider="p", model="m", rates=units)


def units(
    given_price: Price, prompt: int, completion: int, details: dict[str, dict[str, int]]
) -> dict[str, int]:
    return {
        line.unit: line.tokens for line in charge(given_price, prompt, completion, details).lines
    }


def test_details_are_taken_out_of_their_side_and_never_added_to_it() -> None:
    own = price(input=10, output=20, input__cache_read=1)
    charged = charge(own, 100, 10, {"input": {"cache_read": 60}})
    assert [(line.unit, line.tokens, line.cost) for line in charged.lines] == [
        ("input.cache_read", 60, Decimal("0.00006")),
        ("input", 40, Decimal("0.0004")),
        ("output", 10, Decimal("0.0002")),
    ]
    assert charged.total == Decimal("0.00066")


def test_a_detail_without_a_price_costs_what_its_side_costs() -> None:
    own = price(input=10, output=20)
    assert units(own, 100, 10, {"input": {"new": 60}, "output": {"reasoning": 4}}) == {
        "input": 100,
        "output": 10,
    }


def test_parts_of_a_detail_are_not_paid_for_twice() -> None:
    own = price(input=10, input__cache_creation=12, input__ephemeral_1h_input_tokens=20)
    details = {
        "cache_creation": 50,
        "ephemeral_5m_input_tokens": 30,
        "ephemeral_1h_input_tokens": 20,
    }
    assert units(own, 100, 0, {"input": details}) == {
        "input.ephemeral_5m_input_tokens": 30,
        "input.ephemeral_1h_input_tokens": 20,
        "input": 50,
    }


def test_both_spellings_of_an_hour_cost_the_same() -> None:
    own = price(input=10, input__ephemeral_1h_input_tokens=20)
    totals = {
        charge(own, 100, 0, {"input": {key: 40}}).total
        for key in ("ephemeral_1h_input_tokens", "ephemeral_1hr_input_tokens")
    }
    assert totals == {Decimal("0.0014")}


def test_a_service_tiers_details_cost_its_price() -> None:
    own = price(output=10, output__priority=17)
    details = {"output": {"priority": 60, "priority_reasoning": 40}}
    assert charge(own, 0, 100, details).total == Decimal("0.0017")


def test_details_cannot_take_more_tokens_than_their_side_has() -> None:
    own = price(input=10, input__cache_read=1, input__audio=100)
    assert units(own, 100, 0, {"input": {"audio": 80, "cache_read": 80}}) == {
        "input.audio": 80,
        "input.cache_read": 20,
    }


def test_a_tier_holds_for_every_token_of_a_prompt_past_its_start() -> None:
    rate = Rate(Decimal(1), ((100, Decimal(2)), (200, Decimal(3))))
    own = make_price("test", provider="", model="m", rates={"input": rate})
    assert [
        (line.tier_start, line.rate)
        for tokens in (100, 101, 201)
        for line in charge(own, tokens, 0, None).lines
    ] == [(None, 1), (100, 2), (200, 3)]


def test_no_digit_is_lost() -> None:
    rate = Rate(Decimal("0.123456789012345678"))
    own = make_price("test", provider="", model="m", rates={"input": rate})
    assert charge(own, 1_999_999_999, 0, None).total == Decimal("246.913577901234566987654322")


def test_equal_content_has_an_equal_id_and_any_difference_another() -> None:
    assert price(input=1).id == price(input=1).id
    assert price(input=1).id != price(input=2).id
    assert price(input=1).id != price(output=1).id


rates = st.builds(
    Rate,
    st.decimals(0, 1000, places=6),
    st.lists(st.tuples(st.integers(1, 10**6), st.decimals(0, 1000, places=6)), max_size=2).map(
        lambda tiers: tuple(sorted(tiers))
    ),
)


@given(st.dictionaries(st.sampled_from(["input", "output", "input.x"]), rates))
def test_rates_come_back_from_their_json(given_rates: dict[str, Rate]) -> None:
    assert rates_from_json(rates_to_json(given_rates)) == given_rates


MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("mistral", "mistral-large-latest"),
]
tokens = st.integers(0, 300_000)


@pytest.mark.parametrize(("provider", "model"), MODELS)
@given(plain=tokens, read=tokens, written=tokens, answered=tokens)
def test_it_agrees_with_genai_prices(
    provider: str, model: str, plain: int, read: int, written: int, answered: int
) -> None:
    prompt = plain + read + written
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=prompt,
            output_tokens=answered,
            cache_read_tokens=read,
            cache_write_tokens=written,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=NOW,
    )
    found = find_bundled_price(model, provider, NOW)
    assert found is not None
    ours = charge(
        found, prompt, answered, {"input": {"cache_read": read, "cache_creation": written}}
    )
    assert (ours.cost_of("input"), ours.cost_of("output")) == (
        theirs.input_price,
        theirs.output_price,
    )
