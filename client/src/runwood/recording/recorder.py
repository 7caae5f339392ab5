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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

from runwood.recording import parents
from runwood.recording.operation import BARE_SIZE, EVENT_SIZE, Operation
from runwood.recording.outcome import PAUSED, Outcome
from runwood.recording.run import OpenRun
from runwood.recording.sampling import is_sampled
from runwood.scope import current_scope

if TYPE_CHECKING:
    from runwood.hooks.finished import FinishedRun
    from runwood.hooks.record import Record, RunEnd

    Tell = Callable[[FinishedRun, tuple[RunEnd, ...]], None]

MAX_OPEN = (
    20_000  # then the oldest is closed as incomplete: a generator kept and never read stays open
)
MAX_OPEN_SECONDS = 24 * 3600.0
MAX_REMEMBERED = 512  # ended parents and runs closed on suspicion, for what still comes under them

# What open runs below an ended one get: they were stopped with it, or they are just not heard of.
_STATUS_BELOW = {"cancelled": "cancelled", "interrupted": "interrupted"}


class Place(NamedTuple):
    """What a run below it needs to know of a run that has ended."""

    trace_id: str
    dotted_order: str
    project: str
    is_recorded: bool


class Outlet(Protocol):
    """Takes operations; never waits and never raises."""

    def put(self, operation: Operation) -> bool:
        """Take an operation, or return False where there is no room for it."""

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
        self._places: dict[UUID, Place] = {}  # of ended runs that had children

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
        run = OpenRun(run_id, name, run_type, os.getpid())
        if tags:
            run.tags = list(tags)
        with self._lock:
            if run_id in self._open:  # the same handler, or two of one project, listed twice
                return None
            if parent_id is None:
                parent_id = parents.enclosing_run_id()
                run.is_parent_inferred = parent_id in self._open
                if not run.is_parent_inferred:
                    parent_id = None
            self._settle(run, parent_id, sample_rate)
            self._open[run_id] = run
            self._close_oldest(run.started)
        if run_type != "chain":
            self._watch_task(run)
        return run if run.is_recorded else None

    def send_start(self, run: OpenRun, payloads: dict[str, Any], size: int) -> None:
        """Send the create of a run."""
        body = run.identity()
        body["tags"] = run.tags
        body["events"] = [run.events[0]]
        body.update(payloads)
        run.was_refused = not self._put(run, body, size, is_update=False)

    # --- middle -----------------------------------------------------------------------------------
    def find(self, run_id: UUID) -> OpenRun | None:
        """Return a run that has not really ended."""
        run = self._open.get(run_id) or self._closed_early.get(run_id)
        return run if run is not None and run.is_recorded else None

    def place_of(self, run_id: UUID) -> Place | OpenRun | None:
        """Return what a run below this one has to know of it."""
        return self._open.get(run_id) or self._closed_early.get(run_id) or self._places.get(run_id)

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
            self._close_below(run, "incomplete", time.monotonic())
            return None
        return run

    def send_end(self, run: OpenRun, outcome: Outcome, payloads: dict[str, Any], size: int) -> None:
        """Send the update that ends a run, and close what is open below it."""
        ended = time.monotonic()
        if outcome.status == "success" and run.has_paused_node:
            outcome = PAUSED
        body = run.identity()
        body["end_time"] = run.time_at(ended)
        body.update(payloads)
        if outcome.error is not None:
            body["error"] = outcome.error
            size += outcome.error.__sizeof__()
        if outcome.status in ("interrupted", "cancelled"):
            body["status"] = outcome.status
        body["events"] = self._closing_events(run, outcome, body["end_time"])
        is_taken = self._put(run, body, size + _size_of_events(run), is_update=True)
        if run.record is not None:
            self._tell(run, run.record, outcome.status, body)
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
            self._send_early(run, "incomplete", "the process ended", time.monotonic())

    # --- inside -----------------------------------------------------------------------------------
    def _settle(self, run: OpenRun, parent_id: UUID | None, sample_rate: float) -> None:
        """Give a run its place, its project, and whether it is recorded: as its trace, where it is in one."""
        scope = run.scope = current_scope()
        parent = None if parent_id is None else self.place_of(parent_id)
        if parent_id is not None and parent is not None:
            run.place(parent_id, (parent.trace_id, parent.dotted_order))
            run.project = parent.project
            run.is_recorded = scope.is_enabled and parent.is_recorded
            run.is_scope_root = isinstance(parent, OpenRun) and parent.scope is not scope
        else:
            run.is_local_root = True
            run.project = scope.project or self.project
            if parent_id is None and scope.parent is not None:
                run.place(scope.parent.run_id, (scope.parent.trace_id, scope.parent.dotted_order))
                is_wanted = True  # whoever started the trace has decided it
            else:
                if parent_id is not None:
                    run.place(parent_id, parents.langsmith_placement(parent_id))
                is_wanted = is_sampled(run.trace_id, sample_rate)
            run.is_recorded = scope.is_enabled and is_wanted
        above = None if parent_id is None else self._open.get(parent_id)
        if above is not None:
            if above.children is None:
                above.children = set()
            above.children.add(run.id)

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
                self._close_early(run_id, "cancelled", "its task was cancelled", time.monotonic())
            elif not run.token_count:  # the reader of a stream may take each step in another task
                self._close_early(run_id, "incomplete", "its task ended", time.monotonic())

        run.task, run.task_done = task, close
        task.add_done_callback(close)

    def _leave(self, run: OpenRun) -> None:
        if run.parent_id is not None:
            parent = self._open.get(run.parent_id)
            if parent is not None and parent.children is not None:
                parent.children.discard(run.id)
        if run.children is not None:
            place = Place(run.trace_id, run.dotted_order, run.project, run.is_recorded)
            _remember(self._places, run.id, place)
        if run.task is not None:
            run.task.remove_done_callback(run.task_done)
            run.task = run.task_done = None

    def _close_below(self, run: OpenRun, status: str, at: float) -> None:
        for child_id in run.children or ():
            self._close_early(child_id, status, "its parent ended", at)

    def _pause_graph(self, node: OpenRun) -> None:
        """Remember that a node waits: its graph will end with an ordinary `on_chain_end`."""
        if node.parent_id is None or not any(tag.startswith("graph:step:") for tag in node.tags):
            return
        graph = self._open.get(node.parent_id)
        if graph is not None:
            graph.has_paused_node = True

    def _close_early(self, run_id: UUID, status: str, note: str, at: float) -> None:
        with self._lock:
            run = self._open.pop(run_id, None)
            if run is None:
                return
            self._leave(run)
            _remember(self._closed_early, run_id, run)
        self._send_early(run, status, note, at)
        for child_id in run.children or ():
            self._close_early(child_id, status, note, at)

    def _send_early(self, run: OpenRun, status: str, note: str, at: float) -> None:
        """Send an end that was concluded. One without end_time ranks below any real end."""
        if not run.is_recorded:
            return
        body = run.identity()
        body["status"] = status
        moment = run.time_at(at)
        if status != "incomplete":
            body["end_time"] = moment
        outcome = Outcome("incomplete", event=status, note=note)
        body["events"] = self._closing_events(run, outcome, moment)
        self._put(run, body, _size_of_events(run), is_update=True)
        if run.record is not None:
            self._tell(run, run.record, status, body)

    def _tell(self, run: OpenRun, record: Record, status: str, body: dict[str, Any]) -> None:
        """Hand a finished run to the app's own functions."""
        parent = None if run.parent_id is None else self._open.get(run.parent_id)
        above = None if parent is None else parent.record
        self.tell(record.finish(run, status, body, above), record.functions)

    def _close_oldest(self, now: float) -> None:
        oldest = next(iter(self._open.values()))
        if len(self._open) > MAX_OPEN or now - oldest.started > MAX_OPEN_SECONDS:
            self._close_early(oldest.id, "incomplete", "open for too long", now)

    def _closing_events(self, run: OpenRun, outcome: Outcome, moment: str) -> list[dict[str, Any]]:
        closing: dict[str, Any] = {"name": outcome.event, "time": moment}
        if outcome.note:
            closing["message"] = outcome.note
        if run.events_lost:
            closing["kwargs"] = {"events_left_out": run.events_lost}
        return [*run.events, closing]

    def _put(self, run: OpenRun, body: dict[str, Any], size: int, *, is_update: bool) -> bool:
        size += BARE_SIZE
        return self.outlet.put(Operation(run.id_text, body, size, run.project, is_update))


def _size_of_events(run: OpenRun) -> int:
    return run.event_bytes + EVENT_SIZE * len(run.events)


def _remember(memory: dict[UUID, Any], key: UUID, value: Any) -> None:
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
