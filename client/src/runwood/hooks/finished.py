"""A run that has ended, as the app's own functions get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property, reduce
from typing import Any

from langchain_core.messages.ai import UsageMetadata, add_usage

from runwood.hooks.cost import cost_of


@dataclass(frozen=True)
class ModelCall:
    """What one call of a model took."""

    model: str | None
    provider: str | None
    usage: UsageMetadata
    start_time: datetime

    @property
    def cost(self) -> Decimal | None:
        """In USD; None where no price is known."""
        return cost_of(self.model, self.provider, self.usage, self.start_time)


@dataclass(frozen=True)
class FinishedRun:
    """A run as it was recorded: what `redact` and `hide_…` take away is not here either.

    `usage` and `cost` are the run's own, which only a model's run has; `total_usage` and `total_cost` are with
    those of all runs below it that ended before it. Costs are in USD, by genai-prices (`pip install
    'runwood[cost]'`); they are None where that is not installed or knows no price. The server may know better: it
    has the workspace's own prices.
    """

    id: str
    trace_id: str
    parent_run_id: str | None
    name: str
    run_type: str
    project: str
    status: str  # success, error, interrupted, cancelled or incomplete
    start_time: datetime
    end_time: datetime
    first_token_time: datetime | None
    error: str | None
    tags: tuple[str, ...]
    is_correction: bool  # it had been given up as cancelled or incomplete, and was told so; now it has really ended
    own_call: ModelCall | None = field(repr=False)
    all_calls: tuple[ModelCall, ...] = field(repr=False)
    _recorded: dict[str, Any] = field(repr=False)

    @property
    def latency(self) -> float:
        """Seconds from start to end."""
        return (self.end_time - self.start_time).total_seconds()

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """A copy of the inputs: changing it changes nothing that is sent."""
        return _copied_object(self._recorded.get("inputs")) or {}

    @cached_property
    def outputs(self) -> dict[str, Any] | None:
        """A copy of the outputs."""
        return _copied_object(self._recorded.get("outputs"))

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """A copy of the metadata."""
        return _copied_object(self._recorded.get("metadata")) or {}

    @property
    def model(self) -> str | None:
        """The model's name, of a model's run that reported its usage."""
        return self.own_call.model if self.own_call else None

    @property
    def provider(self) -> str | None:
        """Who answered."""
        return self.own_call.provider if self.own_call else None

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of this run alone."""
        return self.own_call.usage if self.own_call else None

    @cached_property
    def total_usage(self) -> UsageMetadata | None:
        """The tokens of this run and of those below it."""
        usages = [call.usage for call in self.all_calls]
        return reduce(add_usage, usages) if usages else None

    @cached_property
    def cost(self) -> Decimal | None:
        """What this run alone cost."""
        return self.own_call.cost if self.own_call else None

    @cached_property
    def total_cost(self) -> Decimal | None:
        """What this run and those below it cost, as far as prices are known; None where none is."""
        costs = [cost for call in self.all_calls if (cost := call.cost) is not None]
        return sum(costs, Decimal(0)) if costs else None


def _copied_object(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {key: _copied(item) for key, item in value.items()}


def _copied(value: Any) -> Any:
    """Return a copy of what is nothing but JSON."""
    if type(value) is dict:
        return _copied_object(value)
    if type(value) is list:
        return [_copied(item) for item in value]
    return value
