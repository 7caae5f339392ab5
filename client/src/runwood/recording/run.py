"""A run between its start and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runwood.recording.dotted_order import format_segment, format_time

if TYPE_CHECKING:
    from runwood.hooks.record import Record

MAX_EVENTS = 1000  # of one run; later ones are counted


class OpenRun:
    """What is remembered of a run until it has ended. Payloads are not: they have left with the start."""

    __slots__ = (
        "children", "dotted_order", "events", "events_lost", "first_token", "has_paused_node", "id",
        "id_text", "is_local_root", "is_parent_inferred", "is_recorded", "last_token", "name", "parent_id", "pid", "project", "record", "run_type", "start_text", "start_time",
        "started", "tags", "task", "task_done", "token_count", "trace_id", "was_refused",
    )  # fmt: skip

    def __init__(self, run_id: UUID, name: str, run_type: str, pid: int) -> None:
        self.id = run_id
        self.id_text = str(run_id)
        self.name = name
        self.run_type = run_type
        self.pid = pid  # a forked child inherits open runs that only its parent may end
        self.start_time = datetime.now(timezone.utc)  # noqa: UP017  datetime.UTC came with 3.11
        self.started = time.monotonic()
        self.start_text = format_time(self.start_time)
        self.project = ""
        self.is_recorded = True  # else it is only known, so that nothing below it is recorded
        self.is_local_root = False  # no run of this process that we know of is above it
        self.parent_id: UUID | None = None
        self.trace_id = self.id_text
        self.dotted_order = format_segment(self.start_text, self.id_text)
        self.tags: list[str] = []
        self.children: set[UUID] | None = None  # open ones; None: it never had any
        self.events: list[dict[str, Any]] = [{"name": "start", "time": self.start_text}]
        self.events_lost = 0
        self.token_count = 0
        self.first_token: str | None = None
        self.last_token = 0.0
        self.has_paused_node = False
        self.is_parent_inferred = False  # from the context, not told by the callback
        self.was_refused = False  # its start found the queue full
        self.record: Record | None = (
            None  # where the app has functions of its own for finished runs
        )
        self.task: Any = None
        self.task_done: Callable[[Any], None] | None = None

    def place(self, parent_id: UUID, placement: tuple[str, str] | None) -> None:
        """Hang the run under its parent, whose (trace_id, dotted_order) is None where it is unknown."""
        self.parent_id = parent_id
        if placement is not None:
            self.trace_id = placement[0]
            self.dotted_order = f"{placement[1]}.{self.dotted_order}"

    def now(self) -> str:
        """Return the time by the start and a clock that no one sets: latencies are never negative."""
        return self.time_at(time.monotonic())

    def time_at(self, monotonic: float) -> str:
        """Return the wire time of a reading of `time.monotonic()`."""
        return format_time(self.start_time + timedelta(seconds=monotonic - self.started))

    def add_event(self, name: str, **fields: Any) -> None:
        """Note something that happened in the run, unless it has too much already."""
        if len(self.events) >= MAX_EVENTS:
            self.events_lost += 1
            return
        self.events.append({"name": name, "time": self.now(), **fields})

    def add_token(self) -> None:
        """Count a streamed token. Only the first is an event; a stream is told as count and times."""
        self.token_count += 1
        self.last_token = time.monotonic()
        if self.first_token is None:
            self.first_token = self.time_at(self.last_token)
            self.events.append({"name": "new_token", "time": self.first_token})
