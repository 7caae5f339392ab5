"""The attributes of one span, sorted by what they are, and taken one by one. What nobody takes is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from collector.wire.otlp.spans import Attributes

Groups = dict[int, dict[str, Any]]  # number → rest of the name → value

# `gen_ai.prompt.0.content`: OpenTelemetry's lists hold only scalars, so conventions number the names.
_NUMBERED = (
    "gen_ai.prompt", "gen_ai.completion", "llm.input_messages", "llm.output_messages",
    "retrieval.documents", "reranker.output_documents", "llm.request.functions", "llm.tools",
)  # fmt: skip
_METADATA = (
    "langsmith.metadata", "traceloop.association.properties", "ai.telemetry.metadata",
)  # fmt: skip
_PARAMETERS = ("gen_ai.request", "ai.settings")
_NOT_PARAMETERS = {"gen_ai.request.model"}


def _any_of(prefixes: Iterable[str]) -> str:
    return "|".join(map(re.escape, prefixes))


_SORT = re.compile(
    rf"({_any_of(_NUMBERED)})\.([0-9]{{1,9}})\.(.+)"
    rf"|(?:{_any_of(_METADATA)})\.(.+)"
    rf"|(?:{_any_of(_PARAMETERS)})\.(.+)",
    re.DOTALL,
)
_raw = msgspec.json.Decoder(msgspec.Raw)


class Sorted:
    """Attributes by what they are. Whoever understands one takes it out."""

    __slots__ = ("groups", "metadata", "parameters", "plain")

    def __init__(self, attributes: Attributes) -> None:
        self.plain: Attributes = {}
        self.groups: dict[str, Groups] = {}
        self.metadata: Attributes = {}
        self.parameters: Attributes = {}
        for name, value in attributes.items():
            match = _SORT.fullmatch(name)
            if match is None or name in _NOT_PARAMETERS:
                self.plain[name] = value
                continue
            prefix, number, rest, key, parameter = match.groups()
            if prefix:
                self.groups.setdefault(prefix, {}).setdefault(int(number), {})[rest] = value
            elif key:
                self.metadata.setdefault(key, embed(value))
            else:
                self.parameters[parameter] = embed(value)

    def take(self, *names: str) -> Any:
        """Take out the first that says anything; None where none does."""
        plain = self.plain
        for name in names:
            if name in plain:
                value = plain.pop(name)
                if value is not None and value != "":
                    return value
        return None

    def take_text(self, *names: str) -> str | None:
        """Take out the first that says anything, if it is text."""
        for name in names:
            value = self.plain.get(name)
            if isinstance(value, str) and value:
                del self.plain[name]
                return value
        return None

    def take_object(self, name: str) -> dict[str, Any] | None:
        """Take out what is an object, or JSON text of one."""
        value = decoded(self.plain.get(name))
        if not isinstance(value, dict):
            return None
        del self.plain[name]
        return value

    def left(self) -> Attributes:
        """Return what nobody took, by its full names."""
        for prefix, groups in self.groups.items():
            for number, group in groups.items():
                for rest, value in group.items():
                    self.plain[f"{prefix}.{number}.{rest}"] = value
        return self.plain


def embed(value: Any) -> Any:
    """Return the value so that text of a JSON object or list is encoded as what it says, unparsed."""
    if isinstance(value, str) and is_json_like(value):
        try:
            return _raw.decode(value)
        except (msgspec.DecodeError, RecursionError):
            pass
    return value


def decoded(value: Any) -> Any:
    """Return the value of text of a JSON object or list; anything else as it is."""
    if isinstance(value, str) and is_json_like(value):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            pass
    return value


def is_json_like(text: str) -> bool:
    return text[:64].lstrip()[:1] in ("{", "[")
