"""What lies between the endpoint and the worker: accepted batches, durable and in order of arrival.

One row for each project that a request touches. Its body is a packed `Batch`, compressed. A row in the
lane of a *workspace* (its id where a project's id stands) holds operations that are not placed yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import zstandard
from django.conf import settings
from django.db import connection, transaction

from collector import doorbell
from collector.graves import dead_projects
from collector.placing import place_attachments, place_within_request
from collector.projects import DEFAULT_PROJECT, get_or_create_project_id, known_project_ids
from collector.storage.errors import UnreadableBatch
from collector.wire.operations import (
    FORMAT_VERSION,
    AttachmentOperation,
    Batch,
    DecodedRequest,
    FeedbackOperation,
    Rejection,
    RunOperation,
    pack_batch,
    unpack_batch,
)

# A drain is one transaction: large enough to spread its fixed cost, small enough that two workers share
# a burst. 16 rows of 100 runs each; with 64 the second worker had nothing to do for half of the time.
CLAIM_ROWS = 16
CLAIM_BYTES = 32 << 20  # decompressed: 1,000 compressed bytes may stand for a million
# A claim is over after this, in case its worker died. One that is still at work is safe: it holds the
# rows locked.
LEASE_SECONDS = 5.0
MAX_ATTEMPTS = 3
MAX_BATCH_BYTES = (
    512 << 20
)  # decompressed; ingest lets no more than 100 MiB and its framing through
BACKLOG_CHECK_SECONDS = 2.0


class InboxFull(Exception):
    """The workers are too far behind: accepting more would fill the disk."""


class Claimed(NamedTuple):
    """One claimed row."""

    id: int
    project_id: UUID
    received_at: datetime
    attempts: int
    body: bytes


class _Codecs(threading.local):
    """zstd contexts must not be shared between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs = _Codecs()


def accept(workspace_id: UUID, decoded: DecodedRequest) -> list[Rejection]:
    """Make the storable part of a request durable, in one transaction, and return all that was refused.

    Raises:
        InboxFull: the backlog is over its limit.
        django.db.OperationalError: the database did not confirm; the client must send again.
    """
    check_backlog()
    _resolve_projects(workspace_id, decoded)
    place_within_request(decoded.runs)
    batches = _split_by_lane(workspace_id, decoded)
    if batches:
        with transaction.atomic():
            for lane_id, batch in batches.items():
                put(lane_id, batch)
        for lane_id in batches:
            doorbell.ring(lane_id)
    return decoded.rejected


def put(
    lane_id: UUID,
    batch: Batch,
    *,
    received_at: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    """Insert one row, due at `not_before` (None: at once)."""
    put_body(lane_id, pack(batch), len(batch.runs), received_at=received_at, not_before=not_before)


def put_body(
    lane_id: UUID,
    body: bytes,
    run_count: int,
    *,
    received_at: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    """Insert one row whose body is packed already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbox (project_id, run_count, size_bytes, body, received_at, not_before)"
            " VALUES (%s, %s, %s, %s, coalesce(%s, clock_timestamp()), %s)",
            [lane_id, run_count, _unpacked_bytes(body), body, received_at, not_before],
        )


def _unpacked_bytes(body: bytes) -> int:
    """Return what the frame says of its size: `pack` always writes it."""
    try:
        return max(zstandard.frame_content_size(body), len(body))
    except zstandard.ZstdError:
        return len(body)  # damaged: the worker will bury it


def postpone(lane_id: UUID, row: Claimed, not_before: datetime) -> None:
    """Leave a row as it is until then; waiting is no failed attempt."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inbox SET not_before = %s, attempts = 0 WHERE project_id = %s AND id = %s",
            [not_before, lane_id, row.id],
        )


def pack(batch: Batch) -> bytes:
    """Return the body of a row."""
    return _codecs.compressor.compress(pack_batch(batch))


def unpack(body: bytes) -> Batch:
    """Return the batch of a row.

    Raises:
        UnreadableBatch: the body is damaged, or of a format that this version does not know.
    """
    try:
        batch = unpack_batch(_codecs.decompressor.decompress(body, max_output_size=MAX_BATCH_BYTES))
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise UnreadableBatch(str(error)) from error
    if batch.version != FORMAT_VERSION:
        raise UnreadableBatch(f"batch format {batch.version} is not {FORMAT_VERSION}")
    return batch


def claim(lane_id: UUID, *, max_rows: int = CLAIM_ROWS) -> list[Claimed]:
    """Take the oldest due rows of a lane for LEASE_SECONDS, committed before the work begins.

    A row that kills its worker is thus counted, and comes back when the lease is over. Rows that were
    tried MAX_ATTEMPTS times come alone, so that a killer stops nothing else.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, attempts, size_bytes FROM inbox
             WHERE project_id = %s AND (not_before IS NULL OR not_before <= clock_timestamp())
             ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            [lane_id, max_rows],
        )
        ids = _bounded(cursor.fetchall())
        if not ids:
            return []
        cursor.execute(
            """
            UPDATE inbox SET attempts = attempts + 1, not_before = clock_timestamp() + make_interval(secs => %s)
             WHERE project_id = %s AND id = ANY(%s)
            RETURNING id, project_id, received_at, attempts, body
            """,
            [LEASE_SECONDS, lane_id, ids],
        )
        rows = cursor.fetchall()
    return sorted(
        Claimed(row_id, project_id, received_at, attempts, bytes(body))
        for row_id, project_id, received_at, attempts, body in rows
    )


def _bounded(rows: Sequence[tuple[int, int, int]]) -> list[int]:
    if rows and rows[0][1] >= MAX_ATTEMPTS:
        return [rows[0][0]]
    ids: list[int] = []
    size = 0
    for row_id, attempts, row_bytes in rows:
        if attempts >= MAX_ATTEMPTS or (ids and size + row_bytes > CLAIM_BYTES):
            break
        ids.append(row_id)
        size += row_bytes
    return ids


def hold(lane_id: UUID, rows: Sequence[Claimed]) -> bool:
    """Lock claimed rows in the caller's transaction; False where another worker has any of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM inbox WHERE project_id = %s AND id = ANY(%s) FOR UPDATE SKIP LOCKED",
            [lane_id, [row.id for row in rows]],
        )
        return len(cursor.fetchall()) == len(rows)


def settle(lane_id: UUID, rows: Iterable[Claimed]) -> None:
    """Delete rows whose content is written in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inbox WHERE project_id = %s AND id = ANY(%s)",
            [lane_id, [row.id for row in rows]],
        )


def due_lanes() -> list[UUID]:
    """Return the lanes that have due rows, the longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT project_id FROM inbox WHERE not_before IS NULL OR not_before <= clock_timestamp()"
            " GROUP BY project_id ORDER BY min(id)"
        )
        return [lane_id for (lane_id,) in cursor.fetchall()]


class _Backlog:
    """The inbox's size, looked up at most every BACKLOG_CHECK_SECONDS in a process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.checked_at = float("-inf")
        self.size_bytes = 0

    def is_over(self, limit_bytes: int) -> bool:
        with self.lock:
            now = time.monotonic()
            if now - self.checked_at >= BACKLOG_CHECK_SECONDS:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT coalesce(sum(octet_length(body)), 0) FROM inbox")
                    self.size_bytes = cursor.fetchone()[0]
                self.checked_at = now
            return self.size_bytes > limit_bytes


_backlog = _Backlog()


def check_backlog() -> None:
    """Raises InboxFull where the accepted but unwritten bytes are over RUNWOOD_MAX_INBOX_BYTES."""
    if _backlog.is_over(settings.INGEST_MAX_INBOX_BYTES):
        raise InboxFull


def _resolve_projects(workspace_id: UUID, decoded: DecodedRequest) -> None:
    """Turn names into ids. An id that is no project of the workspace becomes a project of that name."""
    items: list[RunOperation | FeedbackOperation] = [*decoded.runs, *decoded.feedback]
    given = {item.project_id for item in items if item.project_id is not None}
    known = known_project_ids(workspace_id, given)
    unknown = given - known
    dead = dead_projects(workspace_id, unknown) if unknown else frozenset()
    for item in items:
        if item.project_id in dead:
            item.project = None  # the id wins over a name; the drain drops what its project holds
            continue
        if item.project_id is not None and item.project_id not in known:
            item.project = item.project or str(item.project_id)
            item.project_id = None
        if item.project_id is None:
            name = item.project
            if (
                name is None
                and isinstance(item, RunOperation)
                and not item.is_update
                and item.is_placed
            ):
                name = DEFAULT_PROJECT  # an update without a project goes to where its run is
            if name is not None:
                item.project_id = get_or_create_project_id(workspace_id, name)


def _split_by_lane(workspace_id: UUID, decoded: DecodedRequest) -> dict[UUID, Batch]:
    batches: dict[UUID, Batch] = {}

    def batch(lane_id: UUID | None) -> Batch:
        return batches.setdefault(lane_id or workspace_id, Batch())

    for run in decoded.runs:
        batch(run.project_id if run.is_placed or run.is_span else None).runs.append(run)
    unplaced = place_attachments(decoded.attachments, decoded.runs)
    unplaced_ids = {id(attachment) for attachment in unplaced}
    for attachment in decoded.attachments:
        lane_id = None if id(attachment) in unplaced_ids else attachment.project_id
        batch(lane_id).attachments.append(attachment)
    for attachment in _copies_for_replicas(decoded):
        batch(attachment.project_id).attachments.append(attachment)
    projects = {run.id: run.project_id for run in decoded.runs}
    for feedback in decoded.feedback:
        if feedback.project_id is None and feedback.run_id is not None:
            feedback.project_id = projects.get(feedback.run_id)
        batch(feedback.project_id).feedback.append(feedback)
    return batches


def _copies_for_replicas(decoded: DecodedRequest) -> Iterator[AttachmentOperation]:
    """Yield files once more for each other project that the request sends their run to.

    Replicas of a run share its id, and a file names its run by nothing else.
    """
    if not decoded.attachments:
        return
    places: dict[UUID, dict[UUID, RunOperation]] = {}
    for run in decoded.runs:
        if run.is_placed and run.project_id is not None:
            places.setdefault(run.id, {})[run.project_id] = run
    for attachment in decoded.attachments:
        for project_id, run in places.get(attachment.run_id, {}).items():
            if project_id != attachment.project_id:
                yield msgspec.structs.replace(
                    attachment, project_id=project_id, trace_id=run.trace_id, day=run.day
                )
