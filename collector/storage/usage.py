"""Where a run says which model answered and how many tokens it took (LangSmith protocol 4.2, 4.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

MAX_TOKENS = 2_000_000_000  # the columns are int4; nobody counts that far honestly


class Tokens(NamedTuple):
    """Token counts. `prompt` includes cached tokens."""

    prompt: int
    completion: int
    total: int


def find_tokens(metadata: dict[str, Any], outputs: Any) -> Tokens | None:
    """Return the counts from the first place that has any, or None."""
    found = _from_usage(metadata.get("usage_metadata"))
    if found is None and isinstance(outputs, dict):
        found = _from_outputs(outputs)
    return found


def _from_outputs(outputs: dict[str, Any]) -> Tokens | None:
    found = _from_usage(outputs.get("usage_metadata"))
    if found is not None:
        return found
    generations = outputs.get("generations")
    if isinstance(generations, list):
        found = _from_generations(generations)
    else:
        found = next(filter(None, (_from_message(item) for item in outputs.values())), None)
    if found is not None:
        return found
    for holder, key in (
        ("llm_output", "token_usage"),
        ("llm_output", "usage"),
        ("llmOutput", "tokenUsage"),
    ):
        inner = outputs.get(holder)
        if isinstance(inner, dict):
            found = _from_usage(inner.get(key))
            if found is not None:
                return found
    return _from_usage(outputs.get("usage"))


def _from_generations(generations: list[Any]) -> Tokens | None:
    """Return the sum over all generations: `generate` of several prompts reports each apart."""
    counts = [
        found
        for row in generations
        for generation in (row if isinstance(row, list) else [row])
        if isinstance(generation, dict)
        and (found := _from_message(generation.get("message"))) is not None
    ]
    if not counts:
        return None
    return Tokens(*(min(sum(column), MAX_TOKENS) for column in zip(*counts, strict=True)))


def _from_message(message: Any) -> Tokens | None:
    if not isinstance(message, dict):
        return None
    kwargs = message.get("kwargs")
    fields = kwargs if isinstance(kwargs, dict) else message
    found = _from_usage(fields.get("usage_metadata"))
    if found is not None:
        return found
    response = fields.get("response_metadata")
    if isinstance(response, dict):
        return _from_usage(response.get("token_usage")) or _from_usage(response.get("usage"))
    return None


def _from_usage(usage: Any) -> Tokens | None:
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "input_tokens", "prompt_tokens", "promptTokens")
    completion = _count(usage, "output_tokens", "completion_tokens", "completionTokens")
    total = _count(usage, "total_tokens", "totalTokens")
    if prompt is None and completion is None and total is None:
        return None
    counted = (prompt or 0) + (completion or 0)
    return Tokens(
        prompt or 0, completion or 0, min(total if total is not None else counted, MAX_TOKENS)
    )


def _count(usage: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return int(min(value, MAX_TOKENS))
    return None


def find_model(extra: dict[str, Any], metadata: dict[str, Any], outputs: Any) -> str | None:
    """Return the model's name from metadata, invocation parameters or the answer itself."""
    parameters = extra.get("invocation_params")
    parameters = parameters if isinstance(parameters, dict) else {}
    candidates = (
        metadata.get("ls_model_name"),
        parameters.get("model"),
        parameters.get("model_name"),
        parameters.get("deployment_name"),
        _answering_model(outputs),
    )
    return next((name for name in candidates if isinstance(name, str) and name), None)


def _answering_model(outputs: Any) -> str | None:
    if not isinstance(outputs, dict):
        return None
    if isinstance(outputs.get("model"), str):
        return str(outputs["model"])
    try:
        message = outputs["generations"][0][0]["message"]
        name = message.get("kwargs", message)["response_metadata"]["model_name"]
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    return name if isinstance(name, str) else None
