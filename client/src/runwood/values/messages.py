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


def usage_and_tool_calls(response: LLMResult) -> tuple[UsageMetadata | None, int]:
    """Return the reported usage over all generations, or None, and how many tools the model asked for.

    Details of usage are never added to totals.
    """
    total: UsageMetadata | None = None
    tool_calls = 0
    for batch in response.generations:
        for generation in batch:
            message = getattr(generation, "message", None)
            usage = getattr(message, "usage_metadata", None)
            if usage:
                total = add_usage(total, usage)
            tool_calls += len(getattr(message, "tool_calls", ()))
    return total, tool_calls


def _generation(walk: Snapshot, generation: Any) -> Any:
    fields = generation.__dict__
    others = [item for item in fields.items() if item[0] != "message"]
    copied = walk.mapping(generation, others, 3)
    if "message" in fields:
        copied["message"] = _message(walk, fields["message"])
    return copied


def _message(walk: Snapshot, message: Any) -> Any:
    kind = type(message)
    known = _classes.get(kind)
    if known is None:  # asked first: `isinstance` of a pydantic model is slow
        if not isinstance(message, BaseMessage):  # a custom model may be handed anything
            return walk.copy(message, 2)
        known = _learn(kind)
    class_id, rules = known
    arguments = []
    for item in message.__dict__.items():
        rule = rules.get(item[0])
        value = item[1]
        if value is None:
            is_kept = rule is _ALWAYS or (type(rule) is tuple and rule[0] is not None)
        elif rule is _IF_FILLED:
            is_kept = value
        else:
            is_kept = rule is not None and (type(rule) is not tuple or value != rule[0])
        if is_kept:
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
