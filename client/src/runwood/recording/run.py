"""A run between its start and its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from runwood.recording.dotted_order import format_start

if TYPE_CHECKING:
    from runwood.hooks.record import Record
    from runwood.recording.answer import AnswerSoFar
    from runwood.recording.operation import Operation
    from runwood.scope import Scope

# Of one run; later ones are counted.
MAX_EVENTS = 1000
MAX_EVENT_BYTES = 8 << 20


class OpenRun:
    """What is remembered of a run until it has ended. Payloads are not: they have left with the start."""

    # What few runs change stands in the class: an event pays for each attribute that it sets.
    is_recorded = True  # else it is only known, so that nothing below it is recorded
    is_local_root = False  # no run of this process that we know of is above it
    is_scope_root = False  # the run above it started outside of the scope that this one is in
    is_parent_inferred = False  # from the context, not told by the callback
    project = ""  # its trace's
    above: OpenRun | None = None  # its parent, where that is known
    outer: tuple[str, str] | None = None  # or (trace_id, dotted_order) of a parent that is not ours
    children: set[OpenRun] | None = None  # open ones; None: it never had any
    operation: Operation | None = None  # the last one that was made of it
    was_refused = False  # its start found the queue full
    has_paused_node = False
    events: list[dict[str, Any]] | None = None  # between its start and its end
    events_lost = 0
    event_bytes = 0  # of what the app says in them
    answer: AnswerSoFar | None = None  # where the app wants it to be seen while it streams
    record: Record | None = None  # where the app has functions of its own for finished runs
    scope: Scope | None = None  # that it started in
    token_count = 0
    first_token: int | None = None
    last_token = 0
    task: Any = None
    task_done: Callable[[Any], None] | None = None
    _identity: dict[str, Any] | None = None

    def __init__(
        self,
        run_id: UUID,
        parent_id: UUID | None,
        name: str,
        run_type: str,
        tags: list[str],
    ) -> None:
        self.id = run_id
        self.parent_id = parent_id
        self.name = name
        self.run_type = run_type
        self.tags = tags
        self.pid = os.getpid()  # a forked child inherits open runs that only its parent may end
        self.started_at = time.time_ns()
        self.started = time.monotonic_ns()

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that every operation of the run repeats, so that each can stand alone.

        Put into words when it is first asked for, as a rule by the sender.
        """
        if self._identity is None:
            nameless = [self]  # no recursion: runs may be nested deeper than Python's stack
            while (above := nameless[-1].above) is not None and above._identity is None:
                nameless.append(above)
            for run in reversed(nameless):
                run._identity = run._make_identity()
        return cast("dict[str, Any]", self._identity)

    def _make_identity(self) -> dict[str, Any]:
        id_text = trace_id = str(self.id)
        start, dotted_order = format_start(self.started_at, id_text)
        if self.above is not None:
            outer = self.above.identity
            parent_id, trace_id = outer["id"], outer["trace_id"]
            dotted_order = f"{outer['dotted_order']}.{dotted_order}"
        else:
            parent_id = None if self.parent_id is None else str(self.parent_id)
        if self.outer is not None:
            trace_id, dotted_order = self.outer[0], f"{self.outer[1]}.{dotted_order}"
        identity: dict[str, Any] = {
            "id": id_text,
            "trace_id": trace_id,
            "dotted_order": dotted_order,
            "name": self.name,
            "run_type": self.run_type,
            "start_time": start,
            "session_name": self.project,
        }
        if parent_id is not None:
            identity["parent_run_id"] = parent_id
        return identity

    @property
    def trace_id(self) -> str:
        """The id of its trace, as the wire has it."""
        return cast("str", self.identity["trace_id"])

    @property
    def dotted_order(self) -> str:
        """Its place in its trace, as the wire has it."""
        return cast("str", self.identity["dotted_order"])

    def time_at(self, monotonic: int) -> int:
        """Return the time of a result of `time.monotonic_ns()`, as `time.time_ns()` would.

        By the start and a clock that no one sets: latencies are never negative.
        """
        return self.started_at + monotonic - self.started

    def add_event(self, name: str, size: int = 0, **fields: Any) -> None:
        """Note something that happened in the run, unless it has too much already. `size`: of the fields."""
        if self.events is None:
            self.events = []
        is_full = len(self.events) >= MAX_EVENTS - 1  # the start is one
        if is_full or self.event_bytes + size > MAX_EVENT_BYTES:
            self.events_lost += 1
            return
        self.event_bytes += size
        now = self.time_at(time.monotonic_ns())
        self.events.append({"name": name, "time": now, **fields})

    def add_token(self) -> None:
        """Count a streamed token. Only the first is an event; a stream is told as count and times."""
        self.token_count += 1
        self.last_token = time.monotonic_ns()
        if self.first_token is None:
            self.first_token = self.time_at(self.last_token)
            self.events = self.events or []
            self.events.append({"name": "new_token", "time": self.first_token})
