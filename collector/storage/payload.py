"""The table `payload`: blocks in and folded payloads out. What a block is: `blocks.py`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping
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
    found = fetch_payloads_of_traces(project_ids, {(day, trace_id): run_ids})
    return {run_id: payload for (_, _, run_id), payload in found.items()}


def fetch_payloads_of_traces(
    project_ids: Collection[UUID], wanted: Mapping[tuple[date, UUID], Collection[UUID] | None]
) -> dict[tuple[date, UUID, UUID], RunPayload]:
    """Return the payloads of several traces by (day, trace id, run id), read in one query.

    `wanted` gives the runs of each trace by (day, trace id); None stands for all of its runs.
    """
    layers: dict[tuple[date, UUID, UUID], list[PayloadLayer]] = {}
    damaged: set[tuple[date, UUID, UUID]] = set()
    for day, trace_id, block_run_ids, data in _fetch_blocks(project_ids, wanted):
        if (day, trace_id) not in wanted:
            continue
        run_ids = wanted[day, trace_id]
        try:
            for run_id, piece in read_block(block_run_ids, data, run_ids):
                layers.setdefault((day, trace_id, run_id), []).extend(piece)
        except UnreadableBlock:
            logger.exception("a payload block of trace %s is damaged", trace_id)
            damaged.update(
                (day, trace_id, run_id)
                for run_id in block_run_ids
                if run_ids is None or run_id in run_ids
            )
    payloads = {key: fold(piece) for key, piece in layers.items()}
    for key in damaged:
        payloads.setdefault(key, RunPayload()).is_damaged = True
    return payloads


def _fetch_blocks(
    project_ids: Collection[UUID], wanted: Mapping[tuple[date, UUID], Collection[UUID] | None]
) -> Iterable[tuple[date, UUID, list[UUID], bytes]]:
    query = (
        "SELECT day, trace_id, run_ids, data FROM payload"
        " WHERE project_id = ANY(%s::uuid[]) AND day = ANY(%s) AND trace_id = ANY(%s::uuid[])"
    )
    parameters: list[Any] = [
        list(project_ids),
        list({day for day, _ in wanted}),
        list({trace_id for _, trace_id in wanted}),
    ]
    if None not in wanted.values():
        query += " AND run_ids && %s::uuid[]"
        parameters.append([run_id for run_ids in wanted.values() for run_id in run_ids or ()])
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [(*key, run_ids, bytes(data)) for *key, run_ids, data in cursor.fetchall()]
