"""The index of what runs say: traces into it and out of it. `text_candidates.py` asks it.

One row a trace and 4,000 tokens, a `tsvector` under GIN, partitioned by the day of the trace's start. It says
"perhaps": whoever asks looks at the payloads of what it finds. A trace that changed stands in `text_queue` until it is
indexed anew, so that a search can look at it itself.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from collector.storage.blocks import read_block
from collector.storage.errors import UnreadableBlock
from collector.storage.leaves import said_texts
from collector.storage.partitions import ensure_partitions
from collector.storage.text_rows import MAX_ROWS, token_rows

logger = logging.getLogger(__name__)

TraceKey = tuple[date, UUID]

ROWS_AT_ONCE = 64  # of one statement, about 2 MB
ENQUEUE = """
INSERT INTO text_queue (project_id, trace_id, day, start_time, due_at)
SELECT %s, trace_id, day, start_time, %s
  FROM unnest(%s::uuid[], %s::date[], %s::timestamptz[]) AS s (trace_id, day, start_time) ORDER BY day, trace_id
ON CONFLICT (project_id, trace_id, day) DO UPDATE SET start_time = excluded.start_time, due_at = excluded.due_at
"""
ENQUEUE_ALL = """
INSERT INTO text_queue (project_id, trace_id, day, start_time)
SELECT project_id, id, day, start_time FROM trace
ON CONFLICT (project_id, trace_id, day) DO NOTHING
"""
# Whoever writes or deletes a trace changes its row of the queue: who has locked the row has the trace as it is.
TAKE = """
SELECT day, trace_id, start_time FROM text_queue
 WHERE project_id = %(project_id)s AND (day, trace_id) IN (SELECT * FROM unnest(%(days)s::date[], %(trace_ids)s::uuid[]))
   AND (due_at <= %(now)s OR due_at IS NULL)
 FOR UPDATE SKIP LOCKED
"""
SETTLE = """
DELETE FROM text_queue
 WHERE project_id = %(project_id)s AND (day, trace_id) IN (SELECT * FROM unnest(%(days)s::date[], %(trace_ids)s::uuid[]))
"""
FORGET = """
DELETE FROM trace_text WHERE project_id = %(project_id)s AND trace_id = ANY(%(trace_ids)s::uuid[])
   AND (trace_day, trace_id) IN (SELECT * FROM unnest(%(days)s::date[], %(trace_ids)s::uuid[]))
"""
NAMES = """
SELECT DISTINCT day, trace_id, name FROM run
 WHERE project_id = %(project_id)s AND day = ANY(%(days)s) AND trace_id = ANY(%(trace_ids)s::uuid[]) AND name IS NOT NULL
"""
BLOCK_SIZES = """
SELECT day, trace_id, id, octet_length(data) FROM payload
 WHERE project_id = %(project_id)s AND day = ANY(%(days)s) AND trace_id = ANY(%(trace_ids)s::uuid[])
"""
BLOCKS = """
SELECT day, trace_id, run_ids, data FROM payload
 WHERE project_id = %(project_id)s AND day = ANY(%(days)s) AND trace_id = ANY(%(trace_ids)s::uuid[]) AND id = ANY(%(block_ids)s::uuid[])
"""
INSERT = """
INSERT INTO trace_text (project_id, trace_id, start_time, day, trace_day, part, words)
SELECT %s, trace_id, start_time, day, trace_day, part, to_tsvector('simple', words)
  FROM unnest(%s::uuid[], %s::timestamptz[], %s::date[], %s::date[], %s::integer[], %s::text[])
    AS s (trace_id, start_time, day, trace_day, part, words)
"""
SMALL_BYTES = 256 << 10  # compressed; the blocks of a larger trace are read one by one

# Stands in every row of a trace that says more than is indexed.
TOO_LONG = "runwoodtracetoolongforitsindex"


class TextRow(NamedTuple):
    """A row of `trace_text` before Postgres has parsed it."""

    trace_id: UUID
    start_time: datetime
    day: date
    trace_day: date
    part: int
    words: str


def project_word(project_id: UUID) -> str:
    """Return the word that every row of a project has: so the index finds the rows of one project."""
    return f"p{project_id.hex}"


def index_later(project_id: UUID, starts: Mapping[TraceKey, datetime], due_at: datetime) -> None:
    """Have traces indexed at `due_at`. Call in the transaction that changes them."""
    if not starts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            ENQUEUE,
            [
                project_id,
                due_at,
                [trace_id for _, trace_id in starts],
                [day for day, _ in starts],
                list(starts.values()),
            ],
        )


def forget_traces(project_id: UUID, keys: Collection[TraceKey]) -> None:
    """Take traces out of the index. Call in the transaction that deletes or moves them."""
    params = _key_params(project_id, keys)
    with connection.cursor() as cursor:
        # the queue first: an indexer that is at one of them has locked its row
        cursor.execute(SETTLE, params)
        cursor.execute(FORGET, params)


def index_all_later() -> None:
    """Have every stored trace indexed anew, by the worker in its free time or by the command."""
    with connection.cursor() as cursor:
        cursor.execute(ENQUEUE_ALL)


def count_waiting() -> int:
    """Return how many traces wait to be indexed, in all projects."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM text_queue")
        (count,) = cursor.fetchone()
    return int(count)


def index_traces(project_id: UUID, keys: dict[TraceKey, datetime], now: datetime) -> int:
    """Index traces of the queue, each as it is now, in one transaction; return how many were free."""
    ensure_partitions({_day_of(start) for start in keys.values()})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE, _key_params(project_id, keys) | {"now": now})
        starts = {(day, trace_id): start for day, trace_id, start in cursor.fetchall()}
        if not starts:
            return 0
        forget_traces(project_id, starts)
        rows = _text_rows(project_id, starts)
        while part := list(islice(rows, ROWS_AT_ONCE)):
            cursor.execute(INSERT, [project_id, *map(list, zip(*part, strict=True))])
    return len(starts)


def _day_of(start_time: datetime) -> date:
    return start_time.astimezone(UTC).date()


def _text_rows(project_id: UUID, starts: dict[TraceKey, datetime]) -> Iterator[TextRow]:
    names: dict[TraceKey, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(NAMES, _key_params(project_id, starts))
        for day, trace_id, name in cursor.fetchall():
            names.setdefault((day, trace_id), []).append(name)
    common = project_word(project_id)
    for key, texts in _said(project_id, starts):
        rows = token_rows(chain(names.get(key, ()), texts))
        kept = [" ".join((common, *row)) for row in islice(rows, MAX_ROWS)]
        if next(rows, None) is not None:
            kept[0] = f"{TOO_LONG} {kept[0]}"
        day, trace_id = key
        for part, words in enumerate(kept):
            yield TextRow(trace_id, starts[key], _day_of(starts[key]), day, part, words)


def _said(project_id: UUID, keys: Collection[TraceKey]) -> Iterator[tuple[TraceKey, Iterator[str]]]:
    """Yield each trace with what its runs say. The blocks of small traces are read together."""
    sizes: dict[TraceKey, list[tuple[UUID, int]]] = {key: [] for key in keys}
    with connection.cursor() as cursor:
        cursor.execute(BLOCK_SIZES, _key_params(project_id, keys))
        for day, trace_id, block_id, size in cursor.fetchall():
            if (day, trace_id) in sizes:
                sizes[day, trace_id].append((block_id, size))
    small = {key for key, blocks in sizes.items() if sum(n for _, n in blocks) <= SMALL_BYTES}
    ids = [block_id for key in small for block_id, _ in sizes[key]]
    data: dict[TraceKey, list[tuple[list[UUID], bytes]]] = {}
    for key, run_ids, frame in _blocks(project_id, small, ids):
        data.setdefault(key, []).append((run_ids, frame))
    for key in small:
        yield key, _texts_of(key, data.pop(key, []))
    for key in sizes.keys() - small:
        one_by_one = (
            (run_ids, frame)
            for block_id, _ in sizes[key]
            for _, run_ids, frame in _blocks(project_id, [key], [block_id])
        )
        yield key, _texts_of(key, one_by_one)


def _blocks(
    project_id: UUID, keys: Collection[TraceKey], block_ids: Sequence[UUID]
) -> list[tuple[TraceKey, list[UUID], bytes]]:
    if not block_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(BLOCKS, _key_params(project_id, keys) | {"block_ids": block_ids})
        return [
            ((day, trace_id), run_ids, bytes(data))
            for day, trace_id, run_ids, data in cursor.fetchall()
        ]


def _texts_of(key: TraceKey, blocks: Iterable[tuple[list[UUID], bytes]]) -> Iterator[str]:
    """Yield what every layer in the blocks says: also what a later one replaced, until it is sealed."""
    for run_ids, data in blocks:
        try:
            pieces = list(read_block(run_ids, data))
        except UnreadableBlock:
            logger.warning("a payload block of trace %s is damaged and not indexed", key[1])
            continue
        for _, layers in pieces:
            for layer in layers:
                yield from said_texts(layer.inputs, layer.outputs, layer.extra, layer.error)


def _key_params(project_id: UUID, keys: Collection[TraceKey]) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "days": [day for day, _ in keys],
        "trace_ids": [trace_id for _, trace_id in keys],
    }
