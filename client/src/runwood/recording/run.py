"""A run between its start and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runwood.recording.dotted_order import format_segment, format_time

if TYPE_CHECKING:
    from runwood.hooks.record import Record
    from runwood.scope import Scope

# Of one run; later ones are counted.
MAX_EVENTS = 1000
MAX_EVENT_BYTES = 8 << 20


class OpenRun:
    """What is remembered of a run until it has ended. Payloads are not: they have left with the start."""

    # What most runs never change; each costs an event nothing as long as it is not set.
    project = ""
    parent_id: UUID | None = None
    is_recorded = True  # else it is only known, so that nothing below it is recorded
    is_local_root = False  # no run of this process that we know of is above it
    is_scope_root = False  # the run above it started outside of the scope that this one is in
    is_parent_inferred = False  # from the context, not told by the callback
    has_paused_node = False
    was_refused = False  # its start found the queue full
    children: set[UUID] | None = None  # open ones; None: it never had any
    events_lost = 0
    event_bytes = 0  # of what the app says in them
    token_count = 0
    first_token: str | None = None
    last_token = 0.0
    record: Record | None = None  # where the app has functions of its own for finished runs
    task: Any = None
    task_done: Callable[[Any], None] | None = None
    _identity: dict[str, Any] | None = None

    scope: Scope | None = None  # that it started in

    def __init__(self, run_id: UUID, name: str, run_type: str, pid: int) -> None:
        self.id = run_id
        self.id_text = str(run_id)
        self.name = name
        self.run_type = run_type
        self.pid = pid  # a forked child inherits open runs that only its parent may end
        self.start_microseconds = time.time_ns() // 1000
        self.started = time.monotonic()
        self.start_text = format_time(self.start_microseconds)
        self.trace_id = self.id_text
        self.dotted_order = format_segment(self.start_microseconds, self.id_text)
        self.tags: list[str] = []
        self.events: list[dict[str, Any]] = [{"name": "start", "time": self.start_text}]

    def identity(self) -> dict[str, Any]:
        """Return the fields that every operation of a run repeats, so that each can stand alone."""
        if self._identity is None:
            self._identity = {
                "id": self.id_text,
                "trace_id": self.trace_id,
                "dotted_order": self.dotted_order,
                "name": self.name,
                "run_type": self.run_type,
                "start_time": self.start_text,
                "session_name": self.project,
            }
            if self.parent_id is not None:
                self._identity["parent_run_id"] = str(self.parent_id)
        return self._identity.copy()

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
        since = int((monotonic - self.started) * 1_000_000)
        return format_time(self.start_microseconds + since)

    def add_event(self, name: str, size: int = 0, **fields: Any) -> None:
        """Note something that happened in the run, unless it has too much already. `size`: of the fields."""
        if len(self.events) >= MAX_EVENTS or self.event_bytes + size > MAX_EVENT_BYTES:
            self.events_lost += 1
            return
        self.event_bytes += size
        self.events.append({"name": name, "time": self.now(), **fields})

    def add_token(self) -> None:
        """Count a streamed token. Only the first is an event; a stream is told as count and times."""
        self.token_count += 1
        self.last_token = time.monotonic()
        if self.first_token is None:
            self.first_token = self.time_at(self.last_token)
            self.events.append({"name": "new_token", "time": self.first_token})
