"""Tokens, details, costs, model and provider from every place of LangSmith protocol 4.2 and 4.3."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.storage.usage import (
    MAX_TOKENS,
    Usage,
    find_exact_usage,
    find_model,
    find_provider,
    find_usage,
)

USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "input_token_details": {"cache_read": 4},
    "output_token_details": {"reasoning": 2},
}
DETAILS = {"input": {"cache_read": 4}, "output": {"reasoning": 2}}
COUNTS = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
OPENAI = {
    **COUNTS,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
RESPONSES = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}


def chat(usage: Any, **message: Any) -> dict[str, Any]:
    return {"message": {"kwargs": {"usage_metadata": usage, **message}}}


def answered(response: dict[str, Any]) -> dict[str, Any]:
    return {"generations": [[{"message": {"kwargs": {"response_metadata": response}}}]]}


@pytest.mark.parametrize(
    ("metadata", "outputs", "details"),
    [
        pytest.param({"usage_metadata": USAGE}, None, DETAILS, id="metadata"),
        pytest.param({}, {"usage_metadata": USAGE}, DETAILS, id="outputs"),
        pytest.param({}, {"output": {"usage_metadata": USAGE}}, DETAILS, id="a flat message as output"),
        pytest.param({}, {"output": {"kwargs": {"usage_metadata": USAGE}}}, DETAILS, id="a message as output"),
        pytest.param({}, {"generations": [[chat(USAGE)]]}, DETAILS, id="generation"),
        pytest.param({}, {"generations": [[{"message": {"usage_metadata": USAGE}}]]}, DETAILS, id="flat generation"),
        pytest.param({}, {"generations": [[]], "llm_output": {"token_usage": OPENAI}}, DETAILS, id="llm_output"),
        pytest.param({}, {"generations": [[]], "llm_output": {"usage": RESPONSES}}, DETAILS, id="llm_output usage"),
        pytest.param(
            {}, {"llmOutput": {"tokenUsage": {"promptTokens": 10, "completionTokens": 5, "totalTokens": 15}}},
            None, id="JavaScript",
        ),
        pytest.param(
            {}, {"llmOutput": {"estimatedTokenUsage": {"promptTokens": 10, "completionTokens": 5, "totalTokens": 15}}},
            None, id="JavaScript, estimated",
        ),
        pytest.param({}, answered({"token_usage": OPENAI}), DETAILS, id="response metadata of OpenAI"),
        pytest.param({}, answered({"usage": {"input_tokens": 10, "output_tokens": 5}}), None, id="response metadata of Anthropic"),
        pytest.param({}, {"usage": OPENAI}, DETAILS, id="OpenAI's own answer"),
        pytest.param({}, {"usage": RESPONSES, "output": []}, DETAILS, id="OpenAI's Responses"),
        pytest.param({}, {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}}, None, id="Bedrock's own answer"),
    ],
)  # fmt: skip
def test_usage_is_found_in_every_place(
    metadata: dict[str, Any], outputs: Any, details: dict[str, Any] | None
) -> None:
    assert find_usage(metadata, outputs) == Usage((10, 5, 15), details, None)


def test_the_first_place_wins() -> None:
    other = {"input_tokens": 1, "output_tokens": 1}
    outputs = {
        "generations": [[chat(None, response_metadata={"token_usage": other})]],
        "llm_output": {"token_usage": COUNTS},
        "usage": other,
    }
    assert find_usage({}, outputs) == Usage((10, 5, 15), None, None)
    assert find_usage({"usage_metadata": other}, outputs) == Usage((1, 1, 2), None, None)


def test_anthropics_own_answer_counts_its_cache_beside_the_input() -> None:
    usage = {
        "input_tokens": 20,
        "output_tokens": 5,
        "cache_read_input_tokens": 300,
        "cache_creation_input_tokens": 80,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 30},
    }
    details = {
        "cache_read": 300,
        "cache_creation": 80,
        "ephemeral_5m_input_tokens": 50,
        "ephemeral_1h_input_tokens": 30,
    }
    assert find_usage({}, {"usage": usage}) == Usage((400, 5, 405), {"input": details}, None)


def test_a_gateways_prompt_tokens_hold_the_cache_already() -> None:
    usage = {"prompt_tokens": 400, "completion_tokens": 5, "cache_read_input_tokens": 300}
    assert find_usage({}, {"usage": usage}) == Usage(
        (400, 5, 405), {"input": {"cache_read": 300}}, None
    )


def test_details_nobody_knows_are_kept_and_javascripts_spelling_too() -> None:
    given = {"ephemeral_1hr_input_tokens": 7, "over_200k": 0, "smell": 3, "audio": None, "x": "1"}
    usage = {"input_tokens": 10, "input_token_details": given}
    found = find_usage({"usage_metadata": usage}, None)
    assert found is not None
    assert found.details == {"input": {"ephemeral_1hr_input_tokens": 7, "over_200k": 0, "smell": 3}}


def test_a_key_that_jsonb_refuses_is_left_out() -> None:
    given = {"a\0b": 1, "\ud800": 2, "": 3, "k" * 1000: 4, "cache_read": 5}
    found = find_usage({"usage_metadata": {"input_tokens": 9, "input_token_details": given}}, None)
    assert found == Usage((9, 0, 9), {"input": {"cache_read": 5}}, None)


@pytest.mark.parametrize("count", [True, -1, "7", None, float("nan"), [1]])
def test_what_is_no_count_is_not_counted(count: Any) -> None:
    usage = {
        "input_tokens": count,
        "output_tokens": 2,
        "input_token_details": {"cache_read": count},
    }
    assert find_usage({"usage_metadata": usage}, None) == Usage((0, 2, 2), None, None)


def test_counts_are_cut_to_what_a_column_holds() -> None:
    usage = {"input_tokens": 10**30, "output_tokens": float("inf"), "total_tokens": 3}
    found = find_usage({"usage_metadata": usage}, None)
    assert found == Usage((MAX_TOKENS, MAX_TOKENS, 3), None, None)


def test_several_prompts_are_summed_with_their_details() -> None:
    outputs = {"generations": [[chat(USAGE)], [chat(USAGE)], [{"text": "no message"}]]}
    details = {"input": {"cache_read": 8}, "output": {"reasoning": 4}}
    assert find_usage({}, outputs) == Usage((20, 10, 30), details, None)


def test_a_usage_repeated_with_each_answer_to_one_prompt_counts_once() -> None:
    outputs = {
        "generations": [[chat(USAGE), chat(USAGE)]],
        "llm_output": {"token_usage": COUNTS},
    }
    assert find_usage({}, outputs) == Usage((10, 5, 15), DETAILS, None)


def test_a_stated_cost_of_more_digits_than_decimals_context_has_is_not_rounded() -> None:
    cost = "0." + "1" * 35
    text = (
        b'{"metadata": {"usage_metadata": {"input_tokens": 1, "total_cost": "%s"}}}' % cost.encode()
    )
    found = find_exact_usage(text, b"")
    assert found is not None
    assert found.costs == (None, None, Decimal(cost))


def test_costs_that_a_client_states_are_kept_digit_by_digit() -> None:
    text = b"""{"metadata": {"usage_metadata": {"input_tokens": 1, "output_tokens": 1, "input_cost": 1e-7,
      "output_cost": 0.1234567890123456789012345, "total_cost": 0.1234568890123456789012345,
      "input_cost_details": {"cache_read": 0.00000010, "new": 0}}}}"""
    found = find_exact_usage(text, b"")
    assert found is not None
    assert found.costs == (
        Decimal("1e-7"),
        Decimal("0.1234567890123456789012345"),
        Decimal("0.1234568890123456789012345"),
    )
    assert found.details == {"input_cost": {"cache_read": "0.00000010", "new": "0"}}


@pytest.mark.parametrize(
    ("stated", "costs"),
    [
        pytest.param({"total_cost": 0}, (None, None, Decimal(0)), id="total alone"),
        pytest.param({"input_cost": 1}, (Decimal(1), None, Decimal(1)), id="one side"),
        pytest.param({"input_cost": 1, "output_cost": 2}, (1, 2, 3), id="both sides make the total"),
        pytest.param({"output_cost_details": {"a": 1, "b": "0.5"}}, (None, Decimal("1.5"), Decimal("1.5")), id="details make the side"),
        pytest.param({"total_cost": 5, "input_cost": 1}, (1, None, 5), id="a stated total stands"),
    ],
)  # fmt: skip
def test_stated_costs_complete_each_other(stated: dict[str, Any], costs: Any) -> None:
    found = find_usage({"usage_metadata": stated}, None)
    assert found is not None
    assert (found.tokens, found.costs) == (None, costs)


@pytest.mark.parametrize(
    "cost", [True, -1, float("nan"), float("inf"), "free", "9" * 1000, 1e300, [1]]
)
def test_what_is_no_amount_is_no_cost(cost: Any) -> None:
    assert find_usage({"usage_metadata": {"total_cost": cost}}, None) is None


def test_a_hostile_exponent_is_no_cost() -> None:
    text = b'{"metadata": {"usage_metadata": {"total_cost": 1e-99999999, "input_cost": 1e99999999999999999999}}}'
    assert find_exact_usage(text, b"") is None


@pytest.mark.parametrize(
    ("extra", "outputs", "serialized", "name"),
    [
        pytest.param({"metadata": {"ls_model_name": "a"}, "invocation_params": {"model": "b"}}, None, b"", "a", id="metadata first"),
        pytest.param({"invocation_params": {"model": "b", "model_name": "c"}}, None, b"", "b", id="parameters"),
        pytest.param({"invocation_params": {"deployment_name": "c"}}, None, b"", "c", id="deployment"),
        pytest.param({"metadata": {"ls_invocation_params": {"model": "d"}}}, None, b"", "d", id="LangSmith's parameters"),
        pytest.param({}, answered({"model_name": "e"}), b"", "e", id="answer"),
        pytest.param({}, {"model": "f"}, b"", "f", id="raw answer"),
        pytest.param({}, None, b'{"kwargs": {"model": "g"}}', "g", id="serialized model"),
        pytest.param({"invocation_params": {"model": 3}}, None, b"", None, id="no name"),
    ],
)  # fmt: skip
def test_the_model_is_named_in_many_places(
    extra: dict[str, Any], outputs: Any, serialized: bytes, name: str | None
) -> None:
    assert find_model(extra, extra.get("metadata", {}), outputs, serialized) == name


@pytest.mark.parametrize(
    ("extra", "outputs", "name"),
    [
        pytest.param({"metadata": {"ls_provider": "openai"}}, None, "openai", id="metadata"),
        pytest.param({"invocation_params": {"model_provider": "groq"}}, None, "groq", id="parameters"),
        pytest.param({}, answered({"model_provider": "anthropic"}), "anthropic", id="answer"),
        pytest.param({"invocation_params": {"_type": "openai-chat"}}, None, "openai", id="type of the model"),
        pytest.param({}, None, None, id="nowhere"),
    ],
)  # fmt: skip
def test_the_provider_is_named_in_many_places(
    extra: dict[str, Any], outputs: Any, name: str | None
) -> None:
    assert find_provider(extra, extra.get("metadata", {}), outputs) == name


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "message",
                    "kwargs",
                    "generations",
                    "response_metadata",
                    "usage_metadata",
                    "llm_output",
                    "llmOutput",
                    "token_usage",
                    "tokenUsage",
                    "usage",
                    "input_tokens",
                    "input_token_details",
                    "cache_read_input_tokens",
                    "cache_creation",
                    "total_cost",
                    "output_cost_details",
                    "invocation_params",
                    "model",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(json_values, json_values)
def test_any_json_is_taken_and_what_is_found_can_be_stored(metadata: Any, outputs: Any) -> None:
    metadata = metadata if isinstance(metadata, dict) else {}
    find_model(metadata, metadata, outputs)
    find_provider(metadata, metadata, outputs)
    found = find_usage(metadata, outputs)
    if found is not None and found.tokens is not None:
        assert all(0 <= count <= MAX_TOKENS for count in found.tokens)
    if found is not None:
        json.dumps(found.details, allow_nan=False)
