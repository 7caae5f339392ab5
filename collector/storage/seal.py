"""The follow-up of a trace that came in parts: when it has gone quiet, it is rolled up and sealed.

Sealing folds its blocks into as few as can be. A live trace leaves a block a drain; two or three of them cost twice the bytes of one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from collector.storage import payload
from collector.storage.blocks import PayloadLayer, make_blocks, merge_layers, read_block
from collector.storage.copy import copy_rows, raw_connection
from collector.storage.errors import UnreadableBlock
from collector.storage.move import move_if_late
from collector.storage.rollup import roll_up

logger = logging.getLogger(__name__)

TRACES_PER_ROUND = 100
# A trace past this is sealed in parts: its blocks are full already, and all of it need not be in memory.
MAX_SEALED_BYTES = 16 << 20


DUE = """
SELECT project_id, trace_id, day FROM follow_up WHERE due_at <= %s ORDER BY due_at LIMIT %s
"""

# The trace first, then the follow-up: a drain takes them in this order too.
LOCK_TRACE = """
SELECT 1 FROM trace WHERE project_id = %s AND id = %s AND day = %s FOR UPDATE SKIP LOCKED
"""
TAKE = """
DELETE FROM follow_up WHERE project_id = %s AND trace_id = %s AND day = %s AND due_at <= %s
"""


def follow_up_due_traces() -> int:
    """Finish every trace that is due and return how many; a trace that is being written waits."""
    finished = 0
    while True:
        now = timezone.now()
        with connection.cursor() as cursor:
            cursor.execute(DUE, [now, TRACES_PER_ROUND])
            due = cursor.fetchall()
        taken = sum(_follow_up(project_id, trace_id, day, now) for project_id, trace_id, day in due)
        finished += taken
        if not taken:
            return finished


def _follow_up(project_id: UUID, trace_id: UUID, day: date, now: datetime) -> bool:
    """Finish one trace in a transaction of its own; return whether it was still to do, and free."""
    if move_if_late(project_id, trace_id, day):
        return True
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_TRACE, [project_id, trace_id, day])
        is_free = cursor.fetchone() is not None
        if not is_free and _exists(project_id, trace_id, day):
            return False
        cursor.execute(TAKE, [project_id, trace_id, day, now])
        if not cursor.rowcount:
            return False
        if is_free:
            roll_up(project_id, trace_id, day)
            seal_trace(project_id, trace_id, day)
        return True


def _exists(project_id: UUID, trace_id: UUID, day: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM trace WHERE project_id = %s AND id = %s AND day = %s",
            [project_id, trace_id, day],
        )
        return cursor.fetchone() is not None


def seal_trace(project_id: UUID, trace_id: UUID, day: date) -> None:
    """Replace the blocks of one trace by full ones. Call inside a transaction.

    Blocks that are appended meanwhile are not seen and not touched. A trace with a damaged block stays
    as it is: what can be read can still be read.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, octet_length(data) FROM payload WHERE project_id = %s AND trace_id = %s AND day = %s"
            " ORDER BY octet_length(data) FOR UPDATE",
            [project_id, trace_id, day],
        )
        chosen = _smallest(cursor.fetchall())
        if len(chosen) < 2:
            return
        cursor.execute(
            "SELECT run_ids, data FROM payload"
            " WHERE project_id = %s AND trace_id = %s AND day = %s AND id = ANY(%s)",
            [project_id, trace_id, day, chosen],
        )
        try:
            pieces = dict(_merged(cursor.fetchall()))
        except UnreadableBlock:
            logger.exception("trace %s has a damaged payload block and is not sealed", trace_id)
            return
        cursor.execute(
            "DELETE FROM payload WHERE project_id = %s AND trace_id = %s AND day = %s AND id = ANY(%s)",
            [project_id, trace_id, day, chosen],
        )
    with raw_connection().cursor() as raw_cursor:
        copy_rows(
            raw_cursor,
            "payload",
            payload.COLUMNS,
            payload.TYPES,
            (
                payload.block_row(project_id, trace_id, day, block)
                for block in make_blocks(sorted(pieces.items()))
            ),
        )


def _smallest(blocks: Iterable[tuple[UUID, int]]) -> list[UUID]:
    chosen: list[UUID] = []
    size = 0
    for block_id, block_bytes in blocks:
        size += block_bytes
        if size > MAX_SEALED_BYTES and chosen:
            break
        chosen.append(block_id)
    return chosen


def _merged(rows: Iterable[tuple[list[UUID], bytes]]) -> Iterator[tuple[UUID, list[PayloadLayer]]]:
    layers: dict[UUID, list[PayloadLayer]] = {}
    for run_ids, data in rows:
        for run_id, piece in read_block(run_ids, bytes(data)):
            layers.setdefault(run_id, []).extend(piece)
    for run_id, piece in layers.items():
        yield run_id, merge_layers(piece)
