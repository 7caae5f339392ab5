"""Attributes → `usage_metadata`, LangChain's form of token counts, which the worker reads.

    {"input_tokens", "output_tokens", "total_tokens", "input_token_details": {"cache_read", …},
     "output_token_details": {"reasoning", …}, "input_cost", "output_cost", "total_cost"}

Counts may stand on chains too, as copies of what is below them: the worker adds up models only.
"""

from __future__ import annotations

from typing import Any

from collector.wire.otlp.attributes import Sorted, decoded

_COUNTS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens",
    ),
}  # fmt: skip
_COSTS = {
    "input_cost": ("llm.cost.prompt",),
    "output_cost": ("llm.cost.completion",),
    "total_cost": ("llm.cost.total", "gen_ai.usage.cost"),
}
_INPUT, _OUTPUT = "input_token_details", "output_token_details"
_DETAILS: dict[tuple[str, str], tuple[str, ...]] = {
    (_INPUT, "cache_read"): (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens", "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input",
        "ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens",
    ),
    (_INPUT, "cache_creation"): (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.input_tokens.cache_write", "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    (_INPUT, "audio"): (
        "gen_ai.usage.details.input_audio_tokens", "llm.token_count.prompt_details.audio",
    ),
    (_OUTPUT, "reasoning"): (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens",
    ),
    (_OUTPUT, "audio"): (
        "gen_ai.usage.details.output_audio_tokens", "llm.token_count.completion_details.audio",
    ),
}  # fmt: skip
# From LangSmith's exporter, as the text of a Python dict
_DETAILS_TEXTS = {
    _INPUT: "gen_ai.usage.input_token_details",
    _OUTPUT: "gen_ai.usage.output_token_details",
}
_NAMES: dict[str, tuple[str, str]] = {
    **{name: ("", key) for key, names in _COUNTS.items() for name in names},
    **{name: ("cost", key) for key, names in _COSTS.items() for name in names},
    **{name: key for key, names in _DETAILS.items() for name in names},
    **{name: (side, "") for side, name in _DETAILS_TEXTS.items()},
}


def find_usage(found: Sorted) -> dict[str, Any] | None:
    """Take out the counts and return them, or None where there are none."""
    whole = found.take_object("langsmith.usage_metadata")
    names = found.plain.keys() & _NAMES.keys()
    if not names:
        return whole
    usage: dict[str, Any] = {}
    for key, candidates in (*_COUNTS.items(), *_COSTS.items()):
        value = _first(found, names, candidates)
        if value is not None:
            usage[key] = value
    for (side, key), candidates in _DETAILS.items():
        value = _first(found, names, candidates)
        if value:
            usage.setdefault(side, {})[key] = value
    for side, name in _DETAILS_TEXTS.items():
        if name in names:
            for key, value in _details_of(found.take(name)).items():
                usage.setdefault(side, {}).setdefault(key, value)
    return whole or _completed(usage)


def _first(found: Sorted, names: set[str], candidates: tuple[str, ...]) -> int | float | None:
    """Return the first number among the attributes; the others say the same, and are taken too."""
    first: int | float | None = None
    for name in candidates:
        if name in names:
            value = found.plain[name]
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                first = value if first is None else first
                del found.plain[name]
    return first


def _details_of(text: Any) -> dict[str, Any]:
    value = decoded(text.replace("'", '"')) if isinstance(text, str) else text
    return {
        key: count
        for key, count in (value if isinstance(value, dict) else {}).items()
        if isinstance(count, int) and not isinstance(count, bool) and count > 0
    }


def _completed(usage: dict[str, Any]) -> dict[str, Any] | None:
    """Add the total, and to the input what was counted beside it: by contract it includes cached tokens."""
    details = usage.get(_INPUT, {})
    cached = details.get("cache_read", 0) + details.get("cache_creation", 0)
    given = usage.get("input_tokens")
    if given is not None and cached > given:
        usage["input_tokens"] = given + cached
        usage.pop("total_tokens", None)
    if "total_tokens" not in usage and not usage.keys().isdisjoint(
        ("input_tokens", "output_tokens")
    ):
        usage["total_tokens"] = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    return usage or None
