"""Messages, generations and documents in the forms in which LangSmith's tracer sends them.

In a chat model's run a message is a constructor, `{"lc": 1, "type": "constructor", "id": […],
"kwargs": {…}}`, the result of langchain-core's `dumpd`; in every other run it is its flat fields,
which `convert` makes of any model. `dumpd` itself is not used: it costs ten times as much, and it
recurses without bounds into what a tool has put beside its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.outputs import LLMResult
    from pydantic.fields import FieldInfo

    from runwood.values.snapshot import Snapshot

_MAX_CLASSES = 512


def chat_inputs(walk: Snapshot, batches: Iterable[Iterable[BaseMessage]]) -> dict[str, Any]:
    """Return the inputs of a chat model's run."""
    return {"messages": [[_message(walk, message) for message in batch] for batch in batches]}


def llm_outputs(walk: Snapshot, response: LLMResult) -> dict[str, Any]:
    """Return the outputs of a model's run, whole or as far as they came."""
    return {
        "generations": [
            [_generation(walk, generation) for generation in batch]
            for batch in response.generations
        ],
        "llm_output": walk.copy(response.llm_output, 1),
        "run": walk.copy(response.run, 1),
        "type": "LLMResult",
    }


def sum_usage(response: LLMResult) -> UsageMetadata | None:
    """Return the reported usage over all generations, or None. Details are never added to totals."""
    total: UsageMetadata | None = None
    for message in _answers(response):
        usage = getattr(message, "usage_metadata", None)
        if usage:
            total = add_usage(total, usage)
    return total


def count_tool_calls(response: LLMResult) -> int:
    """Return how many tools the model asked for."""
    return sum(
        len(message.tool_calls) for message in _answers(response) if isinstance(message, AIMessage)
    )


def _answers(response: LLMResult) -> Iterable[Any]:
    for batch in response.generations:
        for generation in batch:
            message = getattr(generation, "message", None)
            if message is not None:
                yield message


def _generation(walk: Snapshot, generation: Any) -> Any:
    copied = {
        name: walk.copy(value, 3)
        for name, value in generation.__dict__.items()
        if name != "message"
    }
    if "message" in generation.__dict__:
        copied["message"] = _message(walk, generation.message)
    return copied


def _message(walk: Snapshot, message: Any) -> Any:
    if not isinstance(message, BaseMessage):  # a custom model may be handed anything
        return walk.copy(message, 2)
    kind = type(message)
    class_id, rules = _classes.get(kind) or _learn(kind)
    arguments = []
    for item in message.__dict__.items():
        rule = rules.get(item[0])
        value = item[1]
        if (
            rule is _ALWAYS
            or (rule is _IF_GIVEN and value is not None)
            or (rule is _IF_FILLED and value)
            or (type(rule) is tuple and value != rule[0])
        ):
            arguments.append(item)
    return {
        "lc": 1,
        "type": "constructor",
        "id": class_id,
        "kwargs": walk.mapping(message, arguments, 3),
    }


# When `Serializable.to_json` of langchain-core keeps a field: required, or not its default. The rule
# of a field with any other default is a tuple of that default.
_ALWAYS, _IF_GIVEN, _IF_FILLED = "always", "if given", "if filled"

_classes: dict[type, tuple[list[str], dict[str, Any]]] = {}


def _learn(kind: type[BaseMessage]) -> tuple[list[str], dict[str, Any]]:
    """Return the class's id and the rule of each of its fields, worked out once."""
    if len(_classes) >= _MAX_CLASSES:
        _classes.clear()
    rules = {name: _rule(field) for name, field in kind.model_fields.items() if not field.exclude}
    if issubclass(kind, AIMessage):  # its lc_attributes
        rules["tool_calls"] = rules["invalid_tool_calls"] = _ALWAYS
    known = _classes[kind] = (list(kind.lc_id()), rules)
    return known


def _rule(field: FieldInfo) -> Any:
    if field.is_required() or field.default:  # PydanticUndefined is true: see the factories below
        if field.default_factory in (dict, list):
            return _IF_FILLED
        return _ALWAYS
    return _IF_GIVEN if field.default is None else (field.default,)
