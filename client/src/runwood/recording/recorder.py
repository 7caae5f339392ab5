"""Turns starts, events and ends of runs into operations, and closes what nobody else closes.

One recorder serves all handlers of a process that write to the same project of the same server, so
that a run which reaches two of them is recorded once and parents are found across them. Its lock is
reentrant: the garbage collector may close an abandoned generator, whose error callback lands here,
in the middle of any of these methods.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from runwood.recording import parents
from runwood.recording.operation import EVENT_SIZE, Closing, Operation
from runwood.recording.outcome import PAUSED, Outcome
from runwood.recording.run import OpenRun
from runwood.recording.sampling import is_sampled
from runwood.scope import current_scope

if TYPE_CHECKING:
    from runwood.hooks.finished import FinishedRun
    from runwood.hooks.record import Record, RunEnd
    from runwood.recording.answer import AnswerSoFar

    Tell = Callable[[FinishedRun, tuple[RunEnd, ...]], None]

MAX_OPEN = (
    20_000  # then the oldest is closed as incomplete: a generator kept and never read stays open
)
MAX_OPEN_NANOSECONDS = 24 * 3600 * 1_000_000_000
MAX_REMEMBERED = 512  # ended parents and runs closed on suspicion, for what still comes under them

# What open runs below an ended one get: they were stopped with it, or they are just not heard of.
_STATUS_BELOW = {"cancelled": "cancelled", "interrupted": "interrupted"}


class Outlet(Protocol):
    """Takes operations; never waits and never raises."""

    def put(self, operation: Operation, earlier: Operation | None) -> bool:
        """Take an operation, or return False where there is no room for it.

        Where the run's earlier one still waits, it becomes both.
        """

    def offer(self, operation: Operation, earlier: Operation | None) -> bool:
        """Take an operation that can be done without, if there is plenty of room."""

    def count_lost(self, project: str, what: str) -> None:
        """Note that something of a run was lost: its whole (`runs`), its `payloads`, its `ends`."""


class Recorder:
    """The open runs of one project of one server.

    Args:
        project: what traces are filed under that say nothing else.
        outlet: takes the operations.
        tell: takes a finished run and the app's own functions of it.
    """

    def __init__(self, project: str, outlet: Outlet, tell: Tell) -> None:
        self.project = project
        self.outlet = outlet
        self.tell = tell
        self._lock = threading.RLock()
        self._open: dict[UUID, OpenRun] = {}  # in the order of their starts
        self._closed_early: dict[UUID, OpenRun] = {}  # a real end may still come and corrects
        self._ended: dict[UUID, OpenRun] = {}  # which had children

    @property
    def open_count(self) -> int:
        """How many runs have started and not ended."""
        return len(self._open)

    def forget_other_threads(self) -> None:
        """Replace a lock that a thread of the parent process may have held at the fork."""
        self._lock = threading.RLock()

    # --- start ------------------------------------------------------------------------------------
    def open(
        self,
        run_id: UUID,
        parent_id: UUID | None,
        name: str,
        run_type: str,
        tags: list[str] | None,
        sample_rate: float = 1.0,
    ) -> OpenRun | None:
        """Return the new run, in its place; None for one that has started already, or is not recorded."""
        with self._lock:
            if run_id in self._open:  # the same handler, or two of one project, listed twice
                return None
            is_inferred = False
            if parent_id is None:
                parent_id = parents.enclosing_run_id()
                is_inferred = parent_id in self._open
                if not is_inferred:
                    parent_id = None
            run = OpenRun(run_id, parent_id, name, run_type, list(tags) if tags else [])
            if is_inferred:
                run.is_parent_inferred = True
            self._settle(run, sample_rate)
            self._open[run_id] = run
            self._close_oldest(run.started)
        if run_type != "chain":
            self._watch_task(run)
        return run if run.is_recorded else None

    def send_start(self, run: OpenRun, fields: dict[str, Any], size: int) -> None:
        """Send the create of a run with these payload fields."""
        fields["tags"] = run.tags
        run.was_refused = not self._put(run, fields, size)

    # --- middle -----------------------------------------------------------------------------------
    def find(self, run_id: UUID) -> OpenRun | None:
        """Return a run that has not really ended."""
        run = self._open.get(run_id) or self._closed_early.get(run_id)
        return run if run is not None and run.is_recorded else None

    def place_of(self, run_id: UUID) -> OpenRun | None:
        """Return a run below which others may hang, ended or not."""
        return self._open.get(run_id) or self._closed_early.get(run_id) or self._ended.get(run_id)

    def send_answer(self, run: OpenRun, answer: AnswerSoFar) -> None:
        """Send what a model has answered so far; the end will say it all."""
        fields: dict[str, Any] = {"outputs": answer}
        if run.events and not run.event_bytes:  # the first token; what the app says can wait
            fields["events"] = run.events.copy()
        operation = Operation(run, fields, 0, None)
        operation.is_update = True
        if not self.outlet.offer(operation, run.operation):
            answer.postpone()
        elif operation.is_waiting:
            run.operation = operation

    # --- end --------------------------------------------------------------------------------------
    def close(self, run_id: UUID, outcome: Outcome) -> OpenRun | None:
        """Claim the end of a run: None where it has ended already, or did not start in this process."""
        with self._lock:
            run = self._open.pop(run_id, None) or self._closed_early.pop(run_id, None)
            if run is None or run.pid != os.getpid():
                return None
            self._leave(run)
            if outcome.status == "interrupted":
                self._pause_graph(run)
        if not run.is_recorded:
            self._close_below(run, "incomplete", time.monotonic_ns())
            return None
        return run

    def send_end(self, run: OpenRun, outcome: Outcome, fields: dict[str, Any], size: int) -> None:
        """Send the update that ends a run with these payload fields, and close what is open below it."""
        ended = time.monotonic_ns()
        if outcome.status == "success" and run.has_paused_node:
            outcome = PAUSED
        fields["end_time"] = moment = run.time_at(ended)
        if outcome.error is not None:
            fields["error"] = outcome.error
            size += outcome.error.__sizeof__()
        if outcome.status in ("interrupted", "cancelled"):
            fields["status"] = outcome.status
        closing = (outcome.event, outcome.note, moment)
        is_taken = self._put(run, fields, size, closing, outcome.status)
        run.operation = run.events = run.record = None  # nothing follows; and each may hold much
        if run.was_refused or not is_taken:
            lost = "ends" if not run.was_refused else "payloads" if is_taken else "runs"
            self.outlet.count_lost(run.project, lost)
        if run.children:
            self._close_below(run, _STATUS_BELOW.get(outcome.status, "incomplete"), ended)

    def sweep(self) -> None:
        """Send every run that this process has open as incomplete: it is about to end."""
        pid = os.getpid()
        with self._lock:
            runs = [run for run in self._open.values() if run.pid == pid]
            self._open.clear()
            self._closed_early.clear()
        for run in runs:
            self._send_early(run, "incomplete", "the process ended", time.monotonic_ns())

    # --- inside -----------------------------------------------------------------------------------
    def _settle(self, run: OpenRun, sample_rate: float) -> None:
        """Give a run its place, its project, and whether it is recorded: as its trace, where it is in one."""
        scope = run.scope = current_scope()
        parent_id = run.parent_id
        parent = None if parent_id is None else self._open.get(parent_id)
        if parent is not None:
            if parent.children is None:
                parent.children = set()
            parent.children.add(run)
        elif parent_id is not None:
            parent = self.place_of(parent_id)
        if parent is not None:
            run.above = parent
            run.project = parent.project
            run.is_recorded = scope.is_enabled and parent.is_recorded
            run.is_scope_root = parent.scope is not scope
            return
        run.is_local_root = True
        run.project = scope.project or self.project
        is_wanted = True  # whoever started the trace has decided it
        if parent_id is None and scope.parent is not None:
            run.parent_id = scope.parent.run_id
            run.outer = (scope.parent.trace_id, scope.parent.dotted_order)
        else:
            if parent_id is not None:
                run.outer = parents.langsmith_placement(parent_id)
            is_wanted = sample_rate >= 1.0 or is_sampled(run.trace_id, sample_rate)
        run.is_recorded = scope.is_enabled and is_wanted

    def _watch_task(self, run: OpenRun) -> None:
        """Close the run if the task that it started in ends without a word.

        A cancelled `ainvoke` of a chat model, retriever or tool fires no event at all.
        """
        if asyncio._get_running_loop() is None:
            return
        task = asyncio.current_task()
        if task is None:
            return
        run_id = run.id

        def close(done: asyncio.Task[Any]) -> None:
            if done.cancelled():
                self._close_early(
                    run_id, "cancelled", "its task was cancelled", time.monotonic_ns()
                )
            elif not run.token_count:  # the reader of a stream may take each step in another task
                self._close_early(run_id, "incomplete", "its task ended", time.monotonic_ns())

        run.task, run.task_done = task, close
        task.add_done_callback(close)

    def _leave(self, run: OpenRun) -> None:
        if run.above is not None and run.above.children is not None:
            run.above.children.discard(run)
        if run.children is not None:
            _remember(self._ended, run.id, run)
        if run.task is not None:
            run.task.remove_done_callback(run.task_done)
            run.task = run.task_done = None

    def _close_below(self, run: OpenRun, status: str, at: int) -> None:
        for child in tuple(run.children or ()):
            self._close_early(child.id, status, "its parent ended", at)

    def _pause_graph(self, node: OpenRun) -> None:
        """Remember that a node waits: its graph will end with an ordinary `on_chain_end`."""
        if node.parent_id is None or not any(tag.startswith("graph:step:") for tag in node.tags):
            return
        graph = self._open.get(node.parent_id)
        if graph is not None:
            graph.has_paused_node = True

    def _close_early(self, run_id: UUID, status: str, note: str, at: int) -> None:
        with self._lock:
            run = self._open.pop(run_id, None)
            if run is None:
                return
            self._leave(run)
            _remember(self._closed_early, run_id, run)
        self._send_early(run, status, note, at)
        for child in tuple(run.children or ()):
            self._close_early(child.id, status, note, at)

    def _send_early(self, run: OpenRun, status: str, note: str, at: int) -> None:
        """Send an end that was concluded. One without end_time ranks below any real end."""
        if not run.is_recorded:
            return
        moment = run.time_at(at)
        fields: dict[str, Any] = {"status": status}
        if status != "incomplete":
            fields["end_time"] = moment
        size = 0
        if run.answer is not None:
            fields["outputs"] = run.answer.take()
            size = run.answer.size
        self._put(run, fields, size, (status, note, moment), status)

    def _tell(self, run: OpenRun, record: Record, status: str, body: dict[str, Any]) -> None:
        """Hand a finished run to the app's own functions."""
        above = None if run.above is None else run.above.record
        self.tell(record.finish(run, status, body, above), record.functions)

    def _close_oldest(self, now: int) -> None:
        oldest = next(iter(self._open.values()))
        if len(self._open) > MAX_OPEN or now - oldest.started > MAX_OPEN_NANOSECONDS:
            self._close_early(oldest.id, "incomplete", "open for too long", now)

    def _put(
        self,
        run: OpenRun,
        fields: dict[str, Any],
        size: int,
        closing: Closing | None = None,
        status: str = "",
    ) -> bool:
        """Send an operation; one with `closing`, which ends the run with this status, also tells the app."""
        if closing is not None and run.events:
            fields["events"] = run.events.copy()
            size += run.event_bytes + EVENT_SIZE * len(run.events)
        operation = Operation(run, fields, size, closing)
        # whole, before the queue takes anything away
        body = operation.body() if closing is not None and run.record is not None else None
        is_taken = self.outlet.put(operation, run.operation)
        if operation.is_waiting:  # else the earlier one has become both
            run.operation = operation
        if body is not None and run.record is not None:
            self._tell(run, run.record, status, body)
        return is_taken


def _remember(memory: dict[UUID, Any], key: UUID, value: Any) -> None:
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
