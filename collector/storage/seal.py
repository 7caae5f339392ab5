"""The follow-up of a trace: when it has gone quiet, its blocks are folded into as few as can be.

A live trace leaves a block a drain; two or three of them cost twice the bytes of one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from collector.storage import payload
from collector.storage.blocks import PayloadLayer, make_blocks, merge_layers, read_block
from collector.storage.copy import copy_rows, raw_connection
from collector.storage.errors import UnreadableBlock

logger = logging.getLogger(__name__)

TRACES_PER_ROUND = 100
# A trace past this is sealed in parts: its blocks are full already, and all of it need not be in memory.
MAX_SEALED_BYTES = 16 << 20


def seal_due_traces() -> int:
    """Seal every trace that is due and return how many; two sealers at once never take the same trace."""
    sealed = 0
    while count := _seal_round():
        sealed += count
    return sealed


def _seal_round() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT project_id, trace_id, day FROM follow_up WHERE due_at <= %s"
            " ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED",
            [timezone.now(), TRACES_PER_ROUND],
        )
        due = cursor.fetchall()
        for project_id, trace_id, day in due:
            seal_trace(project_id, trace_id, day)
            cursor.execute(
                "DELETE FROM follow_up WHERE project_id = %s AND trace_id = %s AND day = %s",
                [project_id, trace_id, day],
            )
        return len(due)


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
