"""Attributes → what a run says of itself beside its contents. Names and order: LangSmith protocol 7.2."""

from __future__ import annotations

from typing import Any

from collector.wire.otlp.attributes import Sorted, decoded
from collector.wire.otlp.messages import nested

NAME = ("langsmith.trace.name", "traceloop.entity.name", "tool.name", "ai.toolCall.name")
MODEL = (
    "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model", "ai.model.id",
    "embedding.model_name", "reranker.model_name",
)  # fmt: skip
PROVIDER = (
    "gen_ai.system",
    "llm.system",
    "gen_ai.provider.name",
    "llm.provider",
    "ai.model.provider",
)

# Attribute → its value, in lower case → the run's type
RUN_TYPES: dict[str, dict[str, str]] = {
    "gen_ai.operation.name": {
        "chat": "llm", "completion": "llm", "text_completion": "llm", "generate_content": "llm",
        "embedding": "embedding", "embeddings": "embedding",
        "execute_tool": "tool", "retrieval": "retriever",
        "invoke_agent": "chain", "create_agent": "chain", "invoke_workflow": "chain",
    },
    "llm.request.type": {
        "chat": "llm", "completion": "llm", "embedding": "embedding", "rerank": "retriever",
    },
    "openinference.span.kind": {
        "llm": "llm", "embedding": "embedding", "tool": "tool", "retriever": "retriever",
        "reranker": "retriever", "prompt": "prompt",
        "chain": "chain", "agent": "chain", "guardrail": "chain", "evaluator": "chain",
    },
    "traceloop.span.kind": {
        "workflow": "chain", "task": "chain", "agent": "chain",
        "tool": "tool", "llm": "llm", "retriever": "retriever", "embedding": "embedding",
    },
}  # fmt: skip
# By the end of the Vercel AI SDK's `ai.operationId`: `ai.generateText.doGenerate` is the call of the
# model within `ai.generateText`.
_AI_OPERATIONS = {
    "doGenerate": "llm", "doStream": "llm", "doEmbed": "embedding", "toolCall": "tool", "doRerank": "retriever",
}  # fmt: skip

# What is the same under another name in the metadata of LangSmith's clients
_METADATA_NAMES = {
    "session.id": "session_id",
    "gen_ai.conversation.id": "conversation_id",
    "user.id": "user_id",
    "enduser.id": "user_id",
}
_SERIALIZED = {f"gen_ai.serialized.{name}": name for name in ("name", "signature", "doc")}


def find_name(found: Sorted, span_name: str) -> str:
    return found.take_text(*NAME) or span_name


def find_run_type(found: Sorted) -> str:
    """Return the type. What says it is not taken: it often says more, as an agent is a chain."""
    kind = found.take_text("langsmith.span.kind")
    if kind:
        return kind.lower()
    plain = found.plain
    for name, types in RUN_TYPES.items():
        value = plain.get(name)
        if isinstance(value, str) and (run_type := types.get(value.lower())):
            return run_type
    if "gen_ai.tool.name" in plain:
        return "tool"
    if "llm.prompt_template.variables" in plain:
        return "prompt"
    operation = plain.get("ai.operationId")
    if isinstance(operation, str):
        return _AI_OPERATIONS.get(operation.rpartition(".")[2], "chain")
    return "chain"


def find_tags(found: Sorted) -> list[str]:
    """Return the tags: lists, JSON text of one, or, from LangSmith, words between commas."""
    tags: dict[str, None] = {}
    for name in ("langsmith.span.tags", "tag.tags"):
        value = decoded(found.take(name))
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list):
            tags.update((str(tag).strip(), None) for tag in value)
    tags.pop("", None)
    return list(tags)


def find_metadata(found: Sorted) -> dict[str, Any]:
    """Return the metadata, with model and provider by the names that LangSmith's clients give them."""
    metadata = found.metadata
    more = found.take_object("metadata")
    if more:
        metadata = {**more, **metadata}
    for name, key in _METADATA_NAMES.items():
        value = found.take(name)
        if value is not None:
            metadata.setdefault(key, value)
    model = found.take_text(*MODEL)
    if model:
        metadata.setdefault("ls_model_name", model)
    provider = found.take_text(*PROVIDER)
    if provider and provider != "langchain":  # what LangSmith's exporter says where it knows none
        metadata.setdefault("ls_provider", provider)
    return metadata


def find_parameters(found: Sorted) -> dict[str, Any]:
    """Return what the model was called with, its tools among it."""
    parameters = found.parameters
    for name in ("llm.invocation_parameters", "embedding.invocation_parameters"):
        more = found.take_object(name)
        if more:
            parameters = {**more, **parameters}
    choice = found.take("ai.prompt.toolChoice")
    if choice is not None:
        parameters.setdefault("tool_choice", decoded(choice))
    tools = _tools(found)
    if tools:
        parameters["tools"] = tools
    return parameters


def _tools(found: Sorted) -> list[Any]:
    groups = found.groups.pop("llm.request.functions", None)  # traceloop: name, description, …
    if groups:
        return [
            {"type": "function", "function": {key: decoded(item) for key, item in group.items()}}
            for _, group in sorted(groups.items())
        ]
    groups = found.groups.pop("llm.tools", None)  # OpenInference: tool.json_schema
    if groups:
        tools = [nested(group).get("tool", group) for _, group in sorted(groups.items())]
        return [
            decoded(tool.get("json_schema", tool)) if isinstance(tool, dict) else tool
            for tool in tools
        ]
    value = decoded(found.take("gen_ai.tool.definitions", "ai.prompt.tools"))
    if isinstance(value, list):
        return [decoded(tool) for tool in value]
    return [] if value is None else [value]


def find_serialized(found: Sorted) -> dict[str, Any]:
    """Return what LangSmith's exporter says of the object that ran."""
    return {
        key: value for name, key in _SERIALIZED.items() if (value := found.take(name)) is not None
    }
