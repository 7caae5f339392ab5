"""Token counts and costs of every convention become LangChain's `usage_metadata`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.storage.usage import find_usage
from tests.unit.wire.otlp_support import left_of, metadata_of, run_with

COUNTS = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}


def usage_of(attributes: dict[str, Any]) -> Any:
    run = run_with(attributes)
    assert left_of(run) == {}
    return metadata_of(run).get("usage_metadata")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
        ("gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens"),
        ("llm.token_count.prompt", "llm.token_count.completion"),
        ("llm.usage.prompt_tokens", "llm.usage.completion_tokens"),
        ("ai.usage.promptTokens", "ai.usage.completionTokens"),
        ("ai.usage.inputTokens", "ai.usage.outputTokens"),
    ],
)
def test_counts_have_one_form_whatever_their_names(given: str, taken: str) -> None:
    assert usage_of({given: 30, taken: 4}) == COUNTS


@pytest.mark.parametrize(
    "name", ["gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"]
)
def test_a_total_is_believed(name: str) -> None:
    usage = usage_of({name: 50, "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 4})
    assert usage == {**COUNTS, "total_tokens": 50}


def test_counts_that_are_said_twice_count_once() -> None:
    twice = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.prompt_tokens": 30, "ai.usage.promptTokens": 30}  # fmt: skip
    assert usage_of({**twice, "gen_ai.usage.output_tokens": 4}) == COUNTS


@pytest.mark.parametrize(
    ("name", "side", "detail"),
    [
        ("gen_ai.usage.cache_read_input_tokens", "input_token_details", "cache_read"),
        ("gen_ai.usage.cache_read.input_tokens", "input_token_details", "cache_read"),
        ("gen_ai.usage.details.cache_read_tokens", "input_token_details", "cache_read"),
        ("llm.token_count.prompt_details.cache_read", "input_token_details", "cache_read"),
        ("llm.token_count.prompt_details.cache_input", "input_token_details", "cache_read"),
        ("ai.usage.cachedInputTokens", "input_token_details", "cache_read"),
        ("gen_ai.usage.cache_creation_input_tokens", "input_token_details", "cache_creation"),
        ("gen_ai.usage.cache_creation.input_tokens", "input_token_details", "cache_creation"),
        ("llm.token_count.prompt_details.cache_write", "input_token_details", "cache_creation"),
        ("llm.token_count.prompt_details.audio", "input_token_details", "audio"),
        ("gen_ai.usage.reasoning.output_tokens", "output_token_details", "reasoning"),
        ("gen_ai.usage.details.reasoning_tokens", "output_token_details", "reasoning"),
        ("llm.token_count.completion_details.reasoning", "output_token_details", "reasoning"),
        ("ai.usage.reasoningTokens", "output_token_details", "reasoning"),
        ("llm.token_count.completion_details.audio", "output_token_details", "audio"),
    ],
)
def test_a_part_of_the_tokens_is_a_detail(name: str, side: str, detail: str) -> None:
    usage = usage_of({"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 4, name: 3})
    assert usage == {**COUNTS, side: {detail: 3}}


def test_cached_tokens_that_were_counted_beside_the_input_are_counted_within() -> None:
    usage = usage_of(
        {
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.usage.total_tokens": 9,
            "gen_ai.usage.cache_read_input_tokens": 20,
            "gen_ai.usage.cache_creation_input_tokens": 5,
        }
    )
    assert usage == {
        **COUNTS,
        "input_token_details": {"cache_read": 20, "cache_creation": 5},
    }


def test_langsmiths_details_are_read_from_the_text_of_a_python_dict() -> None:
    usage = usage_of(
        {
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.usage.input_token_details": "{'cache_read': 3, 'audio': 0}",
            "gen_ai.usage.output_token_details": "{__import__('os')}",
        }
    )
    assert usage == {**COUNTS, "input_token_details": {"cache_read": 3}}


@pytest.mark.parametrize("name", ["langsmith.usage_metadata", "langsmith.metadata.usage_metadata"])
def test_langsmiths_own_usage_wins(name: str) -> None:
    usage = usage_of({name: json.dumps(COUNTS), "gen_ai.usage.input_tokens": 1})
    assert usage == COUNTS


def test_costs_are_kept() -> None:
    usage = usage_of({"llm.cost.prompt": 0.25, "llm.cost.completion": 0.5, "llm.cost.total": 0.75})
    assert usage == {"input_cost": 0.25, "output_cost": 0.5, "total_cost": 0.75}


@pytest.mark.parametrize("value", [True, "many", -1, [30]])
def test_what_is_no_count_is_kept_as_it_came(value: Any) -> None:
    run = run_with({"gen_ai.usage.input_tokens": value})
    assert "usage_metadata" not in metadata_of(run)
    assert left_of(run) == {"gen_ai.usage.input_tokens": value}


def test_the_worker_reads_what_is_written() -> None:
    metadata = metadata_of(
        run_with(
            {
                "llm.token_count.prompt": 30,
                "llm.token_count.completion": 4,
                "llm.token_count.prompt_details.cache_read": 3,
                "llm.cost.total": 0.75,
            }
        )
    )
    usage = find_usage(metadata, None)
    assert usage is not None
    assert (usage.tokens, usage.details) == ((30, 4, 34), {"input": {"cache_read": 3}})
    assert usage.costs is not None
    assert float(usage.costs[2] or 0) == 0.75
