"""Inbox rows → stored runs: claim, merge, write and settle, exactly once whatever dies when.

A lane is drained until it is empty. What fails as a whole is tried row by row, then operation by
operation; what fails alone goes to `dead_letter` with its error, and its siblings are stored.
"""

from __future__ import annotations

import gc
import logging
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from collector import doorbell, inbox, placing
from collector.dead_lane import clear_dead_lane
from collector.graves import graves_of_project, graves_of_workspace
from collector.inbox import Claimed
from collector.models import Workspace
from collector.projects import DEFAULT_PROJECT, get_or_create_project_id, workspace_project_ids
from collector.storage.errors import (
    PlaceChanged,
    RunInAnotherTrace,
    StorageError,
    UnreadableBatch,
)
from collector.storage.merge import MergedRun, merge_operations
from collector.storage.move import move_traces
from collector.storage.partitions import ensure_partitions
from collector.storage.provisional import (
    find_provisional,
    forget_provisional,
    has_provisional,
    note_provisional,
)
from collector.storage.write import (
    TraceKey,
    follow_up_later,
    write_attachments,
    write_feedback,
    write_runs,
)
from collector.wire.operations import AttachmentOperation, Batch, FeedbackOperation, RunOperation

logger = logging.getLogger(__name__)

CHANNEL = (
    "runwood"  # LISTEN here for "<project id> <trace id>", or "<project id>" after a large drain
)
MAX_NOTIFIED_TRACES = 50
# A trace with more than one block is sealed when nothing more has come for this long.
QUIET = timedelta(seconds=10)
# What is not placed is tried again quickly at first: mostly its run is a few milliseconds behind.
FIRST_RETRY = timedelta(seconds=0.2)
UNPLACED_RETRY = timedelta(seconds=2)
# A guess leads to a guess that leads to the root: more steps than that are a circle.
MAX_ROUNDS = 20
# The database went away: nothing is wrong with the rows, they come again when their lease is over.
TRANSIENT = (OperationalError, InterfaceError)


# One drain at a time in a process: a second thread would only fight for the interpreter.
_draining = threading.Lock()


def drain_lane(lane_id: UUID, *, wait: bool = True) -> int:
    """Write all due rows of a lane and return how many operations on runs they held.

    With `wait=False` nothing is done while another thread of this process drains.

    Raises:
        django.db.OperationalError, InterfaceError: the database went away; nothing is lost.
    """
    if not _draining.acquire(blocking=wait):
        return 0
    try:
        return _drain_lane(lane_id)
    finally:
        _draining.release()


def _drain_lane(lane_id: UUID) -> int:
    drained = 0
    place = _place_rows if Workspace.objects.filter(pk=lane_id).exists() else None
    while rows := inbox.claim(lane_id):
        with _no_garbage_collection():
            drained += place(lane_id, rows) if place else _store_rows(lane_id, rows)
    return drained


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A drain makes no cycles; collecting while it decodes took 22 of its 69 µs a run."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _store_rows(project_id: UUID, rows: Sequence[Claimed]) -> int:
    try:
        batches = [inbox.unpack(row.body) for row in rows]
        graves = graves_of_project(project_id)
        if graves is not None and graves.project_deleted_at is not None:
            clear_dead_lane(project_id, rows, batches, graves)
            return 0
        if graves is not None:
            batches = [graves.without_deleted(batch) for batch in batches]
        if not _write(project_id, batches, rows):
            return 0
    except TRANSIENT:
        raise
    except Exception as error:  # noqa: BLE001 (a poison row may raise anything; it must stop nothing else)
        if len(rows) > 1:
            return sum(_store_rows(project_id, [row]) for row in rows)
        logger.warning(
            "inbox row %s failed as a whole, storing its runs one by one: %r", rows[0].id, error
        )
        return _store_singly(project_id, rows[0])
    return sum(len(batch.runs) for batch in batches)


def _write(project_id: UUID, batches: Sequence[Batch], rows: Sequence[Claimed] = ()) -> bool:
    """Write batches and settle the rows they came from; False where another worker has these."""
    for _ in range(MAX_ROUNDS):
        try:
            with _Write(project_id, batches) as write, transaction.atomic():
                if not inbox.hold(project_id, rows):
                    return False
                write.run()
                inbox.settle(project_id, rows)
            return True
        except PlaceChanged as change:
            _redirect(batches, change.moved)
            move_traces(project_id, change.moves, change.guesses)
    raise StorageError(f"the places of the runs changed {MAX_ROUNDS} times")


def _redirect(batches: Iterable[Batch], moved: Mapping[TraceKey, TraceKey]) -> None:
    for batch in batches:
        items: list[RunOperation | AttachmentOperation] = [*batch.runs, *batch.attachments]
        for item in items:
            if item.day is not None and item.trace_id is not None:
                key = (item.day, item.trace_id)
                item.day, item.trace_id = moved.get(key, key)
                if key in moved and isinstance(item, RunOperation):
                    item.is_provisional = False


class _Write:
    """The merged content of some batches. What needs no lock is done before the transaction begins."""

    def __init__(self, project_id: UUID, batches: Sequence[Batch]) -> None:
        self.project_id = project_id
        self.feedback: list[FeedbackOperation] = [
            item for batch in batches for item in batch.feedback
        ]
        self.attachments = [item for batch in batches for item in batch.attachments]
        operations = [item for batch in batches for item in batch.runs]
        placing.place_spans(project_id, operations)
        placing.place_guessed_anew(project_id, operations)
        if self.attachments:
            placing.place_attachments(self.attachments, operations)
        self.operations = operations
        self.heard_at: dict[TraceKey, datetime] = {}
        for operation in operations:
            assert operation.day is not None
            assert operation.trace_id is not None
            key = (operation.day, operation.trace_id)
            self.heard_at[key] = max(
                self.heard_at.get(key, operation.received_at), operation.received_at
            )
        self.runs: list[MergedRun] = merge_operations(project_id, operations)

    def __enter__(self) -> _Write:
        days = {day for day, _ in self.heard_at}
        ensure_partitions(days | {item.day for item in self.attachments if item.day is not None})
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def run(self) -> None:
        """Write everything; call inside a transaction.

        Raises:
            PlaceChanged: some of it belongs elsewhere by now; nothing may be kept.
        """
        due_at = timezone.now() + QUIET
        try:
            write_runs(self.project_id, self.runs, self.heard_at, due_at)
        except RunInAnotherTrace as error:
            self._check_places(stranger=error.run_id)
            raise
        self._check_places()
        self._note_guesses(due_at)
        write_feedback(self.project_id, self.feedback)
        write_attachments(self.project_id, self.attachments)
        self._notify()

    def _check_places(self, stranger: UUID | None = None) -> None:
        """See whether guesses, of this or an earlier drain, have turned out right or wrong.

        Looks when the traces are locked: a move that began before is seen, one that begins later sees what is written.
        """
        if not has_provisional(self.project_id):
            return
        here: dict[UUID, TraceKey] = {}
        for item in sorted(self.operations, key=_how_well_placed):
            if item.day is not None and item.trace_id is not None and _knows_its_place(item):
                here[item.id] = (item.day, item.trace_id)
        ids = {*here, *(trace_id for _, trace_id in self.heard_at)}
        found = find_provisional(self.project_id, ids)
        moved = {key: to for key, to in found.items() if to is not None and key in self.heard_at}
        if moved:
            raise PlaceChanged(moved, {})
        guesses = {key for key, to in found.items() if to is None}
        moves = {key: here[key[1]] for key in guesses if here.get(key[1], key) != key}
        if stranger in here and not moves:
            moves = self._moves_of(stranger, here[stranger])
        if moves:
            raise PlaceChanged({}, moves, self._guesses())
        roots = {item.id for item in self.operations if _is_surely_root(item)}
        for key in guesses:
            if key[1] in roots:
                forget_provisional(self.project_id, key)

    def _moves_of(self, run_id: UUID, key: TraceKey) -> dict[TraceKey, TraceKey]:
        """Return the move of a guessed trace that holds a run of which it is now said that it belongs to `key`."""
        if any(item.is_provisional for item in self.operations if item.id == run_id):
            return {}
        place = placing.find_places([self.project_id], [run_id])[run_id]
        source = (place.day, place.trace_id)
        is_guess = find_provisional(self.project_id, [place.trace_id]).get(source, key) is None
        return {source: key} if is_guess and source != key else {}

    def _note_guesses(self, due_at: datetime) -> None:
        """Note what is guessed still, and have it looked at again: who knows better may be on its way."""
        keys = sorted(self._guesses())
        if keys:
            note_provisional(self.project_id, keys)
            follow_up_later(self.project_id, keys, due_at)

    def _guesses(self) -> set[TraceKey]:
        return {
            (item.day, item.trace_id)
            for item in self.operations
            if item.is_provisional and item.day is not None and item.trace_id is not None
        }

    def _notify(self) -> None:
        texts = [f"{self.project_id} {trace_id}" for _, trace_id in self.heard_at]
        if len(texts) > MAX_NOTIFIED_TRACES or not texts:
            texts = [str(self.project_id)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify(%s, text) FROM unnest(%s::text[]) AS text", [CHANNEL, texts]
            )


def _how_well_placed(operation: RunOperation) -> tuple[bool, bool, bool]:
    """Rank operations by what they know of their place: one that says little may lie where its run was guessed."""
    return (
        operation.dotted_order is not None,
        operation.trace_id != operation.id,
        not operation.is_provisional,
    )


def _knows_its_place(operation: RunOperation) -> bool:
    """Whether a place is more than that of a guess at this very run, which an update by id alone is given."""
    return (
        operation.dotted_order is not None
        or operation.trace_id != operation.id
        or _is_surely_root(operation)
    )


def _is_surely_root(operation: RunOperation) -> bool:
    """Whether an operation says itself that its run is a root: an update without a word of its place does not."""
    return (
        operation.id == operation.trace_id
        and operation.parent_run_id is None
        and not operation.is_provisional
        and (operation.dotted_order is not None or not operation.is_update)
    )


def _store_singly(project_id: UUID, row: Claimed) -> int:
    """Store each operation of a row in a savepoint of its own; bury what fails, settle the row."""
    try:
        batch = inbox.unpack(row.body)
        graves = graves_of_project(project_id)
        parts = [*_single_parts(graves.without_deleted(batch) if graves else batch)]
    except UnreadableBatch as error:
        with transaction.atomic():
            if inbox.hold(project_id, [row]):
                _bury(project_id, row, None, row.body, error)
                inbox.settle(project_id, [row])
        return 0
    with transaction.atomic():
        if not inbox.hold(project_id, [row]):
            return 0
        stored = sum(_store_part(project_id, row, run_id, part) for run_id, part in parts)
        inbox.settle(project_id, [row])
    return stored


def _single_parts(batch: Batch) -> Iterator[tuple[UUID | None, Batch]]:
    for run in batch.runs:
        yield run.id, Batch(runs=[run])
    for feedback in batch.feedback:
        yield feedback.run_id, Batch(feedback=[feedback])
    for attachment in batch.attachments:
        yield attachment.run_id, Batch(attachments=[attachment])


def _store_part(project_id: UUID, row: Claimed, run_id: UUID | None, part: Batch) -> int:
    try:
        _write(project_id, [part])
    except TRANSIENT:
        raise
    except Exception as error:  # noqa: BLE001 (the last border: whatever it is, it is kept with its error)
        logger.warning("run %s could not be stored: %r", run_id, error)
        _bury(project_id, row, run_id, inbox.pack(part), error)
        return 0
    return len(part.runs)


def _bury(
    project_id: UUID, row: Claimed, run_id: UUID | None, body: bytes, error: Exception
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dead_letter (project_id, id, run_id, received_at, failed_at, error, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                project_id,
                uuid.uuid4(),
                run_id,
                row.received_at,
                timezone.now(),
                repr(error)[:2000],
                body,
            ],
        )


def replay_dead_letters(project_id: UUID) -> int:
    """Put a project's dead letters back into its lane and return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM dead_letter WHERE project_id = %s RETURNING body, received_at",
            [project_id],
        )
        letters = cursor.fetchall()
        for body, received_at in letters:
            inbox.put_body(project_id, bytes(body), 1, received_at=received_at)
    if letters:
        doorbell.ring(project_id)
    return len(letters)


def _place_rows(workspace_id: UUID, rows: Sequence[Claimed]) -> int:
    """Move the operations of a workspace's lane to the lanes of their projects, as far as they are known."""
    lanes: set[UUID] = set()
    waiting: list[Claimed] = []
    for row in rows:
        try:
            batch = inbox.unpack(row.body)
        except UnreadableBatch as error:
            batch = Batch()
            with transaction.atomic():
                _bury(workspace_id, row, None, row.body, error)
        with transaction.atomic():
            if not inbox.hold(workspace_id, [row]):
                continue
            parts = _placed_parts(workspace_id, batch, row)
            lanes.update(_put_into_lanes(workspace_id, row, parts))
            if workspace_id in parts:
                waiting.append(row)
    for lane_id in lanes - {workspace_id}:
        doorbell.ring(lane_id)
    soonest = min(map(_retry_after, waiting), default=UNPLACED_RETRY)
    if soonest < UNPLACED_RETRY:  # else the sweeper's rounds are often enough
        doorbell.ring_later(workspace_id, soonest.total_seconds())
    return 0


def _retry_after(row: Claimed) -> timedelta:
    """Return how long what has to wait waits: 0.2 s, then doubling its age up to 2 s, then half of its age."""
    age = timezone.now() - row.received_at
    return max(FIRST_RETRY, min(age, UNPLACED_RETRY), age / 2)


def _put_into_lanes(workspace_id: UUID, row: Claimed, parts: dict[UUID, Batch]) -> set[UUID]:
    """Put the parts of a row into their lanes and return the lanes; what has to wait, waits longer each time."""
    not_before = timezone.now() + _retry_after(row)
    if set(parts) == {workspace_id}:  # nothing was placed: the row need not be written again
        inbox.postpone(workspace_id, row, not_before)
        return set()
    for lane_id, part in parts.items():
        waits = lane_id == workspace_id
        inbox.put(
            lane_id, part, received_at=row.received_at, not_before=not_before if waits else None
        )
    inbox.settle(workspace_id, [row])
    return set(parts)


def _placed_parts(workspace_id: UUID, batch: Batch, row: Claimed) -> dict[UUID, Batch]:
    """Split a batch by where its content belongs; the workspace's own key holds what has to wait."""
    graves = graves_of_workspace(workspace_id)
    if graves is not None:
        batch = graves.without_deleted(batch)
    project_ids = workspace_project_ids(workspace_id)
    unsettled = [run for run in batch.runs if not (run.is_placed and run.project_id)]
    left = placing.place_by_stored_runs(project_ids, unsettled)
    placing.place_within_request(batch.runs)
    is_late = timezone.now() - row.received_at > placing.PATIENCE
    if is_late and left:
        _place_by_themselves(workspace_id, left)
    parts: dict[UUID, Batch] = {}

    def part(lane_id: UUID | None) -> Batch:
        return parts.setdefault(lane_id or workspace_id, Batch())

    for run in batch.runs:
        part(run.project_id if run.is_placed else None).runs.append(run)
    _place_feedback(workspace_id, batch, project_ids, is_late=is_late)
    _place_attachments(workspace_id, batch, project_ids, row)
    for feedback in batch.feedback:
        part(feedback.project_id).feedback.append(feedback)
    for attachment in batch.attachments:
        part(attachment.project_id if attachment.day else None).attachments.append(attachment)
    return parts


def _place_by_themselves(workspace_id: UUID, runs: Sequence[RunOperation]) -> None:
    default_id = get_or_create_project_id(workspace_id, DEFAULT_PROJECT)
    unplaced = [run for run in runs if not (run.is_placed and run.project_id)]
    placing.place_by_themselves(unplaced, default_id)


def _place_attachments(
    workspace_id: UUID, batch: Batch, project_ids: Sequence[UUID], row: Claimed
) -> None:
    """Place attachments beside their runs. One without its run is seen by nobody: it waits for long."""
    left = placing.place_attachments(batch.attachments, batch.runs)
    places = placing.find_places(project_ids, {item.run_id for item in left})
    for attachment in left:
        place = places.get(attachment.run_id)
        if place is not None:
            attachment.project_id, attachment.trace_id, attachment.day, _ = place
        elif timezone.now() - row.received_at > placing.FILE_PATIENCE:
            attachment.project_id = get_or_create_project_id(workspace_id, DEFAULT_PROJECT)
            attachment.trace_id = attachment.run_id
            attachment.day = placing.uuid7_day(attachment.run_id) or timezone.now().date()


def _place_feedback(
    workspace_id: UUID, batch: Batch, project_ids: Sequence[UUID], *, is_late: bool
) -> None:
    """Place feedback beside its run, or, when it is late, in the default project."""
    feedback = [item for item in batch.feedback if item.project_id is None]
    run_ids = {item.run_id for item in feedback if item.run_id is not None}
    places = placing.find_places(project_ids, run_ids)
    default_id = get_or_create_project_id(workspace_id, DEFAULT_PROJECT) if is_late else None
    for item in feedback:
        place = places.get(item.run_id) if item.run_id is not None else None
        item.project_id = place.project_id if place is not None else default_id
