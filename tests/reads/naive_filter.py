"""What a filter means, evaluated run by run in the plainest way: the tests hold the compiler against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from collector.query.payload import like_test, texts_of
from collector.query.tree import And, Compare, Expression, Not, Or
from collector.query.words import storable
from collector.storage.terms import as_text, flatten
from collector.wire.operations import FeedbackOperation, RunOperation

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}
PAIR_FIELDS = (
    "metadata_key",
    "metadata_value",
    "input_key",
    "input_value",
    "output_key",
    "output_value",
)
Judgement = dict[str, Any]


@dataclass
class Facts:
    """A stored run, and what a filter may ask of it."""

    run: RunOperation
    project_id: UUID
    family: Sequence[RunOperation]  # all runs of its trace
    feedback: Sequence[FeedbackOperation] = field(default_factory=list)

    def value(self, name: str) -> Any:
        return getattr(self, f"_{name}", lambda: getattr(self.run, name))()

    def _session_id(self) -> UUID:
        return self.project_id

    def _reference_example(self) -> UUID | None:
        return self.run.reference_example_id

    def _run_type(self) -> str:
        return self.run.run_type or "chain"

    def _status(self) -> str:
        if self.run.error:
            return "error"
        return "success" if self.run.end_time else "pending"

    def _state(self) -> str:
        if self.run.error:
            return "error"
        return self.run.status or ("success" if self.run.end_time else "running")

    def _error(self) -> bool:
        return bool(self.run.error)

    def _model(self) -> str | None:
        return self.metadata.get("ls_model_name")

    def _first_token_time(self) -> datetime | None:
        return None

    def _latency(self) -> Decimal | None:
        if self.run.end_time is None or self.run.start_time is None:
            return None
        seconds = (self.run.end_time - self.run.start_time).total_seconds()
        return Decimal(str(max(seconds, 0)))

    def _is_root(self) -> bool:
        return self.run.parent_run_id is None

    def _thread_id(self) -> str | None:
        words = (self.metadata.get(key) for key in ("session_id", "thread_id", "conversation_id"))
        return next((str(word) for word in words if word), None)

    def _total_tokens(self) -> int | None:
        return self._tokens(lambda usage: usage["input_tokens"] + usage["output_tokens"])

    def _prompt_tokens(self) -> int | None:
        return self._tokens(lambda usage: usage["input_tokens"])

    def _completion_tokens(self) -> int | None:
        return self._tokens(lambda usage: usage["output_tokens"])

    def _tokens(self, count: Callable[[dict[str, int]], int]) -> int | None:
        """Sum over the models at and below the run."""
        below = {self.run.id}
        for run in sorted(self.family, key=lambda run: run.dotted_order or ""):
            if run.parent_run_id in below:
                below.add(run.id)
        counts = [
            count(metadata_of(run)["usage_metadata"])
            for run in self.family
            if run.id in below and run.run_type == "llm" and "usage_metadata" in metadata_of(run)
        ]
        return sum(counts) if counts else None

    def _total_cost(self) -> None:
        return None

    _prompt_cost = _completion_cost = _total_cost

    @property
    def metadata(self) -> dict[str, Any]:
        return metadata_of(self.run)

    def pairs(self, group: str) -> list[tuple[str, str]]:
        if group == "metadata":
            return flatten(self.metadata)
        return flatten(
            orjson.loads((self.run.inputs if group == "input" else self.run.outputs) or b"{}")
        )

    def said(self, area: str) -> str:
        """What a search looks in."""
        if area in ("name", "error"):
            return (getattr(self.run, area) or "").lower()
        value = (
            self.metadata if area == "metadata" else orjson.loads(getattr(self.run, area) or b"{}")
        )
        return json.dumps(value, ensure_ascii=False).lower()


def metadata_of(run: RunOperation) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(run.extra or b"{}").get("metadata", {})
    return found


def holds(expression: Expression, facts: Facts) -> bool:
    match expression:
        case Not(operand):
            return not holds(operand, facts)
        case Or(operands):
            return any(holds(operand, facts) for operand in operands)
        case And(operands):
            return all_hold(operands, facts)
        case Compare():
            return all_hold([expression], facts)


def all_hold(operands: Sequence[Expression], facts: Facts) -> bool:
    results = []
    groups: dict[str, list[Compare]] = {}
    for operand in operands:
        if isinstance(operand, Compare) and group_of(operand):
            groups.setdefault(group_of(operand), []).append(operand)
        elif isinstance(operand, Compare):
            results.append(compare(operand, facts))
        else:
            results.append(holds(operand, facts))
    results += [pairs_hold(group, tests, facts) for group, tests in groups.items()]
    return all(results)


def group_of(test: Compare) -> str:
    prefix = test.field.partition("_")[0]
    return prefix if test.field in PAIR_FIELDS or prefix == "feedback" else ""


def pairs_hold(group: str, tests: Sequence[Compare], facts: Facts) -> bool:
    candidates: list[Judgement] = (
        [judgement(item) for item in facts.feedback]
        if group == "feedback"
        else [{f"{group}_key": key, f"{group}_value": value} for key, value in facts.pairs(group)]
    )
    key = f"{group}_key"
    names_key = any(test.field == key and test.operator != "neq" for test in tests)
    denials = [
        test for test in tests if test.operator == "neq" and (test.field == key or not names_key)
    ]
    bound = [test for test in tests if test not in denials]
    denied = any(
        part_holds(Compare(test.field, "eq", test.value), candidate)
        for test in denials
        for candidate in candidates
    )
    return not denied and (
        not bound
        or any(all(part_holds(test, candidate) for test in bound) for candidate in candidates)
    )


def judgement(item: FeedbackOperation) -> Judgement:
    value = orjson.loads(item.value) if item.value else None
    return {
        "feedback_key": item.key,
        "feedback_score": item.score,
        "feedback_value": as_text(value) if item.value else None,
        "feedback_source": None,
    }


def part_holds(test: Compare, candidate: Judgement) -> bool:
    actual, value = candidate[test.field], test.value
    if actual is None:
        return False
    if isinstance(actual, float):
        return ORDER.get(test.operator, lambda a, b: a != b)(actual, float(value))  # type: ignore[arg-type]
    return text_holds(test.operator, actual, value)


def text_holds(operator: str, text: str, value: Any) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    is_equal = any(text in texts_of(item) for item in values)
    if operator in ("eq", "in"):
        return is_equal
    if operator == "neq":
        return not is_equal
    if operator == "like":
        return like_test(value)(text)
    if isinstance(value, Decimal):
        try:
            return ORDER[operator](float(text), float(value))
        except ValueError:
            return False
    return ORDER[operator](text, as_text(value))


def compare(test: Compare, facts: Facts) -> bool:
    name, operator, value = test.field, test.operator, test.value
    if operator == "neq":
        return not compare(Compare(name, "eq", value), facts)
    if operator == "search":
        return searched(name, str(value), facts)
    if name == "metadata":
        return has_metadata(str(value), facts)
    if name == "error" and operator == "like":
        return bool(facts.run.error) and like_test(str(value))(facts.run.error or "")
    if name == "tags":
        wanted = value if isinstance(value, tuple) else (value,)
        return bool({storable(str(tag)) for tag in wanted} & set(facts.run.tags or ()))
    actual = facts.value(name)
    if name == "error" and value is None:
        return not actual
    return scalar_holds(operator, actual, value)


def scalar_holds(operator: str, actual: Any, value: Any) -> bool:
    if actual is None or value is None:
        return actual is value and operator == "eq"
    if operator == "in":
        return any(scalar_holds("eq", actual, item) for item in value)
    if operator == "like":
        return like_test(value)(actual)
    return ORDER[operator](actual, storable(value) if isinstance(value, str) else value)


def searched(name: str, text: str, facts: Facts) -> bool:
    if name in ("name", "model"):
        actual = facts.value(name)
        return actual is not None and all(word in actual.lower() for word in text.lower().split())
    areas: Iterable[str] = (name,) if name else ("name", "error", "inputs", "outputs", "metadata")
    return all(
        any(
            (word if area in ("name", "error") else orjson.dumps(storable(word)).decode()[1:-1])
            in facts.said(area)
            for area in areas
        )
        for word in text.lower().split()
    )


def has_metadata(text: str, facts: Facts) -> bool:
    pairs = set(facts.pairs("metadata"))
    if not text.startswith("{"):
        return any(key == text for key, _ in pairs)
    return set(flatten(orjson.loads(text))) <= pairs
