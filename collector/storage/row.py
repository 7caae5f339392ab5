"""The narrow row of a run: what lists and trees need, never a payload.

Each register (a column, or a few that change together) remembers the version it was set by, so that a
stored row and any later operation combine into the same row in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from collector.storage.versions import pack_versions, unpack_versions

# Numbers are stored in run.versions: append only.
REGISTERS: tuple[tuple[str, ...], ...] = (
    ("parent_run_id",),
    ("position",),
    ("start_time",),
    ("end_time",),
    ("first_token_time",),
    ("prompt_tokens", "completion_tokens", "total_tokens", "usage_details"),
    ("prompt_cost", "completion_cost", "total_cost"),
    ("name",),
    ("run_type",),
    ("status",),
    ("model",),
    ("thread_id",),
    ("user_id",),
    ("tags",),
    ("inputs_preview",),
    ("outputs_preview",),
    ("error",),
    ("provider",),
    ("reference_example_id",),
    ("span_id",),
)
NUMBER = {columns[0]: number for number, columns in enumerate(REGISTERS)}
POSITION, START_TIME, STATUS = NUMBER["position"], NUMBER["start_time"], NUMBER["status"]
COST = NUMBER["prompt_cost"]

COLUMNS = (
    "project_id", "id", "trace_id", "parent_run_id", "position", "start_time", "end_time", "first_token_time",
    "day", "prompt_tokens", "completion_tokens", "total_tokens", "prompt_cost", "completion_cost", "total_cost",
    "name", "run_type", "status", "model", "thread_id", "user_id", "tags", "inputs_preview", "outputs_preview",
    "error", "provider", "usage_details", "reference_example_id", "span_id", "price_id",
    "subtree_prompt_tokens", "subtree_completion_tokens", "subtree_total_tokens",
    "subtree_prompt_cost", "subtree_completion_cost", "subtree_total_cost", "versions",
)  # fmt: skip
TYPES = (
    "uuid", "uuid", "uuid", "uuid", "timestamptz", "timestamptz", "timestamptz", "timestamptz",
    "date", "int4", "int4", "int4", "numeric", "numeric", "numeric",
    "text", "text", "text", "text", "text", "text", "text[]", "text", "text",
    "text", "text", "jsonb", "uuid", "int8", "uuid",
    "int8", "int8", "int8",
    "numeric", "numeric", "numeric", "bytea",
)  # fmt: skip

# Only these count towards totals: parents of every type carry copies of a model's usage.
COUNTED_RUN_TYPES = frozenset({"llm", "embedding"})
# What a client may know better than error and end_time tell.
STATUS_HINTS = frozenset({"interrupted", "cancelled", "incomplete"})


class RunRow:
    """One row of the table `run`, with the version of each register."""

    __slots__ = (*COLUMNS[:-1], "column_versions")

    project_id: UUID
    id: UUID
    trace_id: UUID
    parent_run_id: UUID | None
    position: datetime
    start_time: datetime
    end_time: datetime | None
    first_token_time: datetime | None
    day: date
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_cost: Decimal | None
    completion_cost: Decimal | None
    total_cost: Decimal | None
    name: str | None
    run_type: str | None
    status: str
    model: str | None
    thread_id: str | None
    user_id: str | None
    tags: list[str] | None
    inputs_preview: str | None
    outputs_preview: str | None
    error: str | None
    provider: str | None
    usage_details: dict[str, Any] | None  # collector/storage/usage.py gives the shape
    reference_example_id: UUID | None
    span_id: int | None
    price_id: (
        UUID | None
    )  # what a computed cost was computed by; None where the client said the cost
    # Sums over the run and all below it; None where that is what the run itself has
    subtree_prompt_tokens: int | None
    subtree_completion_tokens: int | None
    subtree_total_tokens: int | None
    subtree_prompt_cost: Decimal | None
    subtree_completion_cost: Decimal | None
    subtree_total_cost: Decimal | None
    column_versions: dict[int, int]

    def __init__(
        self, project_id: UUID, day: date, trace_id: UUID, run_id: UUID, heard_at: datetime
    ) -> None:
        for column in COLUMNS[:-1]:
            setattr(self, column, None)
        self.project_id, self.day, self.trace_id, self.id = project_id, day, trace_id, run_id
        self.position = self.start_time = heard_at
        self.column_versions = {}

    @classmethod
    def from_database(cls, values: Sequence[Any]) -> RunRow:
        """Build from values in the order of COLUMNS."""
        row = cls.__new__(cls)
        for column, value in zip(COLUMNS[:-1], values[:-1], strict=True):
            setattr(row, column, value)
        row.column_versions = unpack_versions(values[-1])
        return row

    def to_database(self) -> list[Any]:
        """Return the values in the order of COLUMNS."""
        values = [getattr(self, column) for column in COLUMNS[:-1]]
        values.append(pack_versions(self.column_versions))
        return values

    @property
    def is_root(self) -> bool:
        return self.id == self.trace_id

    @property
    def has_client_cost(self) -> bool:
        """Whether the client said what it cost: then nothing is computed."""
        return COST in self.column_versions

    @property
    def is_counted(self) -> bool:
        return self.run_type in COUNTED_RUN_TYPES

    def set(self, register: str, version: int, *values: Any) -> None:
        """Set a register where `version` is not below the one that it holds."""
        number = NUMBER[register]
        if version >= self.column_versions.get(number, 0):
            self.column_versions[number] = version
            for column, value in zip(REGISTERS[number], values, strict=True):
                setattr(self, column, value)

    def absorb(self, other: RunRow) -> None:
        """Take every register that `other` holds in a higher version; the result is then settled."""
        own, theirs = self.column_versions, other.column_versions
        for number, version in theirs.items():
            if version >= own.get(number, 0):
                own[number] = version
                for column in REGISTERS[number]:
                    setattr(self, column, getattr(other, column))
        if START_TIME not in own:  # nobody said when it started: the earliest word of it
            self.start_time = min(self.start_time, other.start_time)
        self.settle()

    def settle(self) -> None:
        """Fill what follows from the registers: position and status."""
        if POSITION not in self.column_versions:
            self.position = self.start_time
        if STATUS in self.column_versions and self.status in STATUS_HINTS:
            return
        if self.error:
            self.status = "error"
        else:
            self.status = "success" if self.end_time is not None else "running"
