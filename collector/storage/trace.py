"""What one drain does to the row of a trace: the root's face and the totals, set and never added blindly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from collector.storage.row import RunRow

COLUMNS = (
    "project_id", "id", "day", "start_time", "end_time", "first_token_time", "has_root", "run_count",
    "ended_count", "error_count", "prompt_tokens", "completion_tokens", "total_tokens", "total_cost",
    "name", "run_type", "status", "thread_id", "user_id", "tags", "inputs_preview", "outputs_preview", "error",
    "prompt_cost", "completion_cost",
)  # fmt: skip
TYPES = (
    "uuid", "uuid", "date", "timestamptz", "timestamptz", "timestamptz", "bool", "int4",
    "int4", "int4", "int8", "int8", "int8", "numeric",
    "text", "text", "text", "text", "text", "text[]", "text", "text", "text", "numeric", "numeric",
)  # fmt: skip


class TraceRow:
    """One row of the table `trace`, read under its lock; `count` keeps it equal to the sum of its runs."""

    __slots__ = COLUMNS

    project_id: UUID
    id: UUID
    day: date
    start_time: datetime
    end_time: datetime | None
    first_token_time: datetime | None
    has_root: bool
    run_count: int
    ended_count: int
    error_count: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    total_cost: Decimal | None
    name: str | None
    run_type: str | None
    status: str
    thread_id: str | None
    user_id: str | None
    tags: list[str] | None
    inputs_preview: str | None
    outputs_preview: str | None
    error: str | None
    prompt_cost: Decimal | None
    completion_cost: Decimal | None

    @classmethod
    def from_database(cls, values: Sequence[Any]) -> TraceRow:
        """Build from values in the order of COLUMNS."""
        row = cls.__new__(cls)
        for column, value in zip(COLUMNS, values, strict=True):
            setattr(row, column, value)
        return row

    def to_database(self) -> list[Any]:
        """Return the values in the order of COLUMNS."""
        return [getattr(self, column) for column in COLUMNS]

    def count(self, old: RunRow | None, new: RunRow) -> None:
        """Account for a run that was `old` (None: not stored) and is `new`."""
        self.run_count += old is None
        self.ended_count += (new.end_time is not None) - (
            old is not None and old.end_time is not None
        )
        self.error_count += (new.status == "error") - (old is not None and old.status == "error")
        for column in ("prompt_tokens", "completion_tokens", "total_tokens"):
            change = _counted(new, column) - _counted(old, column)
            setattr(self, column, getattr(self, column) + change)
        for column in ("prompt_cost", "completion_cost", "total_cost"):
            self._add_cost(column, _counted_cost(old, column), _counted_cost(new, column))
        if new.first_token_time is not None:
            self.first_token_time = min(
                self.first_token_time or new.first_token_time, new.first_token_time
            )
        if new.is_root:
            self._take_face(new)
        elif not self.has_root:
            self.start_time = min(self.start_time, new.start_time)

    def _add_cost(self, column: str, old: Decimal | None, new: Decimal | None) -> None:
        if old != new:
            setattr(self, column, (getattr(self, column) or 0) + (new or 0) - (old or 0))

    def _take_face(self, root: RunRow) -> None:
        self.has_root = True
        for column in (
            "start_time", "end_time", "name", "run_type", "status", "thread_id", "user_id", "tags",
            "inputs_preview", "outputs_preview", "error",
        ):  # fmt: skip
            setattr(self, column, getattr(root, column))


def _counted(row: RunRow | None, column: str) -> int:
    return getattr(row, column) or 0 if row is not None and row.is_counted else 0


def _counted_cost(row: RunRow | None, column: str) -> Decimal | None:
    return getattr(row, column) if row is not None and row.is_counted else None
