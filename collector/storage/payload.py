"""The table `payload`: blocks in and folded payloads out. What a block is: `blocks.py`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from collector.storage.blocks import Block, PayloadLayer, RunPayload, fold, read_block
from collector.storage.errors import UnreadableBlock

logger = logging.getLogger(__name__)

COLUMNS = ("project_id", "trace_id", "id", "day", "run_ids", "data")
TYPES = ("uuid", "uuid", "uuid", "date", "uuid[]", "bytea")


def block_row(project_id: UUID, trace_id: UUID, day: date, block: Block) -> list[Any]:
    """Return the values of a block's row in the order of COLUMNS."""
    return [project_id, trace_id, uuid.uuid4(), day, block.run_ids, block.data]


def fetch_payloads(
    project_ids: Collection[UUID],
    day: date,
    trace_id: UUID,
    run_ids: Collection[UUID] | None = None,
) -> dict[UUID, RunPayload]:
    """Return the folded payloads of a trace's runs (of all, or of `run_ids`); runs without any are absent.

    A damaged block costs the payloads in it: those runs come with `is_damaged` set.
    """
    layers: dict[UUID, list[PayloadLayer]] = {}
    damaged: set[UUID] = set()
    wanted = None if run_ids is None else set(run_ids)
    for block_run_ids, data in _fetch_blocks(project_ids, day, trace_id, run_ids):
        try:
            for run_id, piece in read_block(block_run_ids, data, wanted):
                layers.setdefault(run_id, []).extend(piece)
        except UnreadableBlock:
            logger.exception("a payload block of trace %s is damaged", trace_id)
            damaged.update(run_id for run_id in block_run_ids if wanted is None or run_id in wanted)
    payloads = {run_id: fold(piece) for run_id, piece in layers.items()}
    for run_id in damaged:
        payloads.setdefault(run_id, RunPayload()).is_damaged = True
    return payloads


def _fetch_blocks(
    project_ids: Collection[UUID], day: date, trace_id: UUID, run_ids: Collection[UUID] | None
) -> Iterable[tuple[list[UUID], bytes]]:
    query = (
        "SELECT run_ids, data FROM payload"
        " WHERE project_id = ANY(%s::uuid[]) AND day = %s AND trace_id = %s"
    )
    parameters: list[Any] = [list(project_ids), day, trace_id]
    if run_ids is not None:
        query += " AND run_ids && %s::uuid[]"
        parameters.append(list(run_ids))
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [(run_ids, bytes(data)) for run_ids, data in cursor.fetchall()]
