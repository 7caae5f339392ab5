"""What a run says of its usage: tokens and their details, costs, model, provider (LangSmith protocol 4.2, 4.3).

Tokens of a part of the input or output (read from the provider's cache, audio, reasoning …) are *details*:
the prompt's and the completion's tokens include them. Details and costs by detail lie in the column
`usage_details`, empty parts left out:

    {"input": {"cache_read": 10}, "output": {"reasoning": 5},
     "input_cost": {"cache_read": "0.0000125"}, "output_cost": {…}}

Token counts are whole numbers, costs are USD as decimal text. Keys are LangChain's where the meaning is
known, and the sender's own otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from collector.storage import jsonvalue

MAX_TOKENS = 2_000_000_000  # the columns are int4; nobody counts that far honestly
MAX_COST = Decimal(1_000_000_000)
MAX_COST_DIGITS = 40  # a hostile exponent would make a number of a megabyte of it
MAX_DETAILS = 32  # of one side; a provider has six
MAX_KEY_CHARACTERS = 64
MAX_SERIALIZED_BYTES = 64 * 1024  # larger ones are not searched for the model's name

Details = dict[str, Any]
Tokens = tuple[int, int, int]  # prompt, completion, total; the prompt's include cached ones
Costs = tuple[Decimal | None, Decimal | None, Decimal | None]  # likewise, in USD


class Usage(NamedTuple):
    """What one operation says. At least one of the fields is not None."""

    tokens: Tokens | None
    details: Details | None  # see the module
    costs: Costs | None


PROMPT = ("input_tokens", "prompt_tokens", "promptTokens", "inputTokens")
COMPLETION = ("output_tokens", "completion_tokens", "completionTokens", "outputTokens")
TOTAL = ("total_tokens", "totalTokens")
INPUT_DETAILS = (
    "input_token_details", "prompt_tokens_details", "input_tokens_details",
    "inputTokenDetails", "promptTokensDetails", "inputTokensDetails",
)  # fmt: skip
OUTPUT_DETAILS = (
    "output_token_details", "completion_tokens_details", "output_tokens_details",
    "outputTokenDetails", "completionTokensDetails", "outputTokensDetails",
)  # fmt: skip
# Anthropic's and Bedrock's own answers count these beside `input_tokens`, not within.
CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens")
CACHE_CREATION = ("cache_creation_input_tokens", "cacheWriteInputTokens")
# A provider's name of a detail → LangChain's.
DETAIL_NAMES = {
    "cached_tokens": "cache_read", "cachedTokens": "cache_read", "cacheRead": "cache_read",
    "cacheCreation": "cache_creation",
    "audio_tokens": "audio", "audioTokens": "audio",
    "image_tokens": "image", "imageTokens": "image",
    "reasoning_tokens": "reasoning", "reasoningTokens": "reasoning",
}  # fmt: skip
COST_KEYS = ("total_cost", "input_cost", "output_cost", "input_cost_details", "output_cost_details")


def find_usage(metadata: dict[str, Any], outputs: Any) -> Usage | None:
    """Return what the first place that has any says, or None. Both are parsed JSON."""
    found = _read(metadata.get("usage_metadata"))
    if found is None and isinstance(outputs, dict):
        found = _from_outputs(outputs)
    return found


def find_exact_usage(extra: bytes, outputs: bytes) -> Usage | None:
    """Return the same from the JSON text itself: no digit of a cost is lost. Slower."""
    metadata = jsonvalue.parse_exact(extra)
    metadata = metadata.get("metadata") if isinstance(metadata, dict) else None
    return find_usage(
        metadata if isinstance(metadata, dict) else {}, jsonvalue.parse_exact(outputs)
    )


def _from_outputs(outputs: dict[str, Any]) -> Usage | None:
    found = _read(outputs.get("usage_metadata"))
    if found is not None:
        return found
    generations = outputs.get("generations")
    if isinstance(generations, list):
        messages = _messages_of(generations)
        found = _sum_once(messages, outputs)
    else:
        messages = [fields for item in outputs.values() if (fields := _fields(item)) is not None]
        found = _first(message.get("usage_metadata") for message in messages)
    return (
        found
        or _from_model_output(outputs)
        or _first(_response_usages(messages))
        or _read(outputs.get("usage"))
    )


def _first(candidates: Iterable[Any]) -> Usage | None:
    return next(filter(None, map(_read, candidates)), None)


def _from_model_output(outputs: dict[str, Any]) -> Usage | None:
    inner = outputs.get("llm_output")
    if isinstance(inner, dict):
        return _read(inner.get("token_usage")) or _read(inner.get("usage"))
    inner = outputs.get("llmOutput")
    if isinstance(inner, dict):
        return _read(inner.get("tokenUsage")) or _read(inner.get("estimatedTokenUsage"))
    return None


def _response_usages(messages: Iterable[dict[str, Any]]) -> Iterable[Any]:
    for message in messages:
        response = message.get("response_metadata")
        if isinstance(response, dict):
            yield from (response.get(key) for key in ("token_usage", "tokenUsage", "usage"))


def _messages_of(generations: list[Any]) -> list[dict[str, Any]]:
    return [
        fields
        for row in generations
        for generation in (row if isinstance(row, list) else [row])
        if isinstance(generation, dict)
        and (fields := _fields(generation.get("message"))) is not None
    ]


def _fields(message: Any) -> dict[str, Any] | None:
    """Return the fields of a message, which LangChain serializes flat or under `kwargs`."""
    if not isinstance(message, dict):
        return None
    kwargs = message.get("kwargs")
    return kwargs if isinstance(kwargs, dict) else message


def _sum_once(messages: Sequence[dict[str, Any]], outputs: dict[str, Any]) -> Usage | None:
    """Return the sum over all generations: `generate` of several prompts reports each apart.

    Asked for several answers to one prompt, some integrations repeat the whole usage with each answer;
    then the model's own output tells that one of them is all.
    """
    found = [usage for message in messages if (usage := _read(message.get("usage_metadata")))]
    if len(found) < 2:
        return found[0] if found else None
    whole = _from_model_output(outputs)
    if whole is not None and all(usage.tokens == whole.tokens for usage in found):
        return found[0]
    return Usage(
        tokens=_sum_tokens([usage.tokens for usage in found if usage.tokens]),
        details=_sum_details([usage.details for usage in found if usage.details]),
        costs=_sum_costs([usage.costs for usage in found]),
    )


def _sum_tokens(counts: Sequence[Tokens]) -> Tokens | None:
    if not counts:
        return None
    prompt, completion, total = (
        min(sum(column), MAX_TOKENS) for column in zip(*counts, strict=True)
    )
    return prompt, completion, total


def _sum_details(parts: Sequence[Details]) -> Details | None:
    total: Details = {}
    for part in parts:
        for side, details in part.items():
            own = total.setdefault(side, {})
            for key, value in details.items():
                if isinstance(value, int):
                    own[key] = min(own.get(key, 0) + value, MAX_TOKENS)
                else:
                    own[key] = _text(Decimal(own.get(key, 0)) + Decimal(value))
    return total or None


def _sum_costs(costs: Sequence[Costs | None]) -> Costs | None:
    """Return the sums, or None where one of the generations does not say what it cost."""
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    prompt, completion, total = (
        None if None in column else sum((cost or Decimal(0) for cost in column), Decimal(0))
        for column in zip(*known, strict=True)
    )
    return prompt, completion, total


def _read(usage: Any) -> Usage | None:
    """Return what a usage object of any form says, or None where that is nothing."""
    if not isinstance(usage, dict) or not usage:
        return None
    details: Details = {}
    beside = 0
    if given := _details(usage, INPUT_DETAILS):
        details["input"] = given
    elif given := _cache_beside(usage):
        details["input"] = given
        if "prompt_tokens" not in usage:
            beside = given.get("cache_read", 0) + given.get("cache_creation", 0)
    if given := _details(usage, OUTPUT_DETAILS):
        details["output"] = given
    costs = _costs(usage, details) if any(key in usage for key in COST_KEYS) else None
    tokens = _tokens(usage, beside)
    return Usage(tokens, details or None, costs) if tokens or costs else None


def _tokens(usage: dict[str, Any], beside: int) -> Tokens | None:
    """Return the counts, with the prompt tokens that stand beside the others added."""
    prompt, completion = _count(usage, PROMPT), _count(usage, COMPLETION)
    total = _count(usage, TOTAL)
    if prompt is None and completion is None and total is None:
        return None
    prompt, completion = (prompt or 0) + beside, completion or 0
    if total is None or beside:
        total = max(prompt + completion, total or 0)
    return min(prompt, MAX_TOKENS), completion, min(total, MAX_TOKENS)


def _count(usage: dict[str, Any], names: Sequence[str]) -> int | None:
    for name in names:
        value = usage.get(name)
        if value is not None and (count := _as_count(value)) is not None:
            return count
    return None


def _as_count(value: Any) -> int | None:
    """Return a number of tokens, or None for what is none: text, a truth value, NaN, below zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not value >= 0:
        return None
    return int(min(value, MAX_TOKENS))


def _details(usage: dict[str, Any], holders: Sequence[str]) -> dict[str, int]:
    for holder in holders:
        given = usage.get(holder)
        if isinstance(given, dict) and given:
            return _named_counts(given)
    return {}


def _named_counts(given: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key, value in given.items():
        count = _as_count(value)
        if count is not None and _is_storable_key(key) and len(counts) < MAX_DETAILS:
            counts.setdefault(DETAIL_NAMES.get(key, key), count)
    return counts


def _is_storable_key(key: str) -> bool:
    """Return whether jsonb takes it and a page can show it: no NUL, no lone surrogate."""
    return 0 < len(key) <= MAX_KEY_CHARACTERS and key.isprintable()


def _cache_beside(usage: dict[str, Any]) -> dict[str, int]:
    """Return Anthropic's cache counts, which stand beside the others."""
    read, creation = _count(usage, CACHE_READ), _count(usage, CACHE_CREATION)
    counts: dict[str, int] = {}
    if read is not None:
        counts["cache_read"] = read
    if creation is not None:
        counts["cache_creation"] = creation
    by_age = usage.get("cache_creation")
    if counts and isinstance(by_age, dict):
        counts.update(_named_counts(by_age))
    return counts


def _costs(usage: dict[str, Any], details: Details) -> Costs | None:
    """Return the costs that a client states, and put those of details into `details`."""
    sides = []
    for side in ("input_cost", "output_cost"):
        cost = _as_cost(usage.get(side))
        if by_detail := _named_costs(usage.get(f"{side}_details")):
            details[side] = {key: _text(value) for key, value in by_detail.items()}
            cost = sum(by_detail.values(), Decimal(0)) if cost is None else cost
        sides.append(cost)
    total = _as_cost(usage.get("total_cost"))
    known = [cost for cost in sides if cost is not None]
    if total is None and known:
        total = sum(known, Decimal(0))
    return None if total is None else (sides[0], sides[1], total)


def _named_costs(given: Any) -> dict[str, Decimal]:
    if not isinstance(given, dict):
        return {}
    return {
        key: cost
        for key, value in list(given.items())[:MAX_DETAILS]
        if _is_storable_key(key) and (cost := _as_cost(value)) is not None
    }


def _as_cost(value: Any) -> Decimal | None:
    """Return an amount exactly as it was written, or None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    if isinstance(value, str) and len(value) > MAX_COST_DIGITS:
        return None
    try:
        cost = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return None
    if not cost.is_finite() or not 0 <= cost <= MAX_COST:
        return None
    _, digits, exponent = cost.as_tuple()
    is_short = isinstance(exponent, int) and max(len(digits), -exponent) <= MAX_COST_DIGITS
    return cost.copy_abs() if is_short else None  # abs() would round to 28 digits


def _text(cost: Decimal) -> str:
    return format(cost, "f")


def find_model(
    extra: dict[str, Any], metadata: dict[str, Any], outputs: Any, serialized: bytes = b""
) -> str | None:
    """Return the model's name from metadata, parameters, the answer, or the model's own serialization."""
    name = metadata.get("ls_model_name")
    if isinstance(name, str) and name:
        return name
    for parameters in (extra.get("invocation_params"), metadata.get("ls_invocation_params")):
        if isinstance(parameters, dict):
            for key in ("model", "model_name", "deployment_name"):
                name = parameters.get(key)
                if isinstance(name, str) and name:
                    return name
    return _answering_model(outputs) or _serialized_model(serialized)


def find_provider(extra: dict[str, Any], metadata: dict[str, Any], outputs: Any) -> str | None:
    """Return who answered: LangChain's word for it, else what parameters or the answer say."""
    parameters = extra.get("invocation_params")
    parameters = parameters if isinstance(parameters, dict) else {}
    name = metadata.get("ls_provider") or parameters.get("model_provider")
    if not name and isinstance(outputs, dict) and (response := _response_metadata(outputs)):
        name = response.get("model_provider")
    if not name and isinstance(kind := parameters.get("_type"), str):
        name = kind.removesuffix("-chat").removeprefix("chat-")  # "openai-chat"
    return name if isinstance(name, str) and name else None


def _answering_model(outputs: Any) -> str | None:
    if not isinstance(outputs, dict):
        return None
    response = _response_metadata(outputs)
    for holder, key in ((response, "model_name"), (response, "model"), (outputs, "model")):
        name = holder.get(key)
        if isinstance(name, str) and name:
            return name
    return None


def _response_metadata(outputs: dict[str, Any]) -> dict[str, Any]:
    try:
        message = outputs["generations"][0][0]["message"]
        response = message.get("kwargs", message)["response_metadata"]
    except (KeyError, IndexError, TypeError, AttributeError):
        return {}
    return response if isinstance(response, dict) else {}


def _serialized_model(serialized: bytes) -> str | None:
    if b'"model' not in serialized or len(serialized) > MAX_SERIALIZED_BYTES:
        return None
    kwargs = jsonvalue.parse_object(serialized).get("kwargs")
    if not isinstance(kwargs, dict):
        return None
    name = kwargs.get("model") or kwargs.get("model_name")
    return name if isinstance(name, str) and name else None
