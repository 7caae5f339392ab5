"""Stored traces, indexed at once, and searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from collector.query.search import parse_search
from collector.reads import traces
from collector.reads.types import Page, TraceFilter, TraceSummary
from collector.storage.indexing import index_due_traces
from collector.wire.operations import RunOperation
from tests.factories import make_run, store_runs

PROJECT = UUID(int=1)


def store_text(text: Any, **fields: Any) -> RunOperation:
    """Store a trace of one run whose input this is."""
    run = make_run(inputs=orjson.dumps({"input": text}), **fields)
    store_runs(PROJECT, run)
    return run


def index_everything() -> int:
    """Index all that waits, as if it had been quiet for long; return how many traces."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE text_queue SET due_at = now()")
    return index_due_traces(60)


def search(
    text: str, project_ids: Sequence[UUID] = (PROJECT,), **fields: Any
) -> Page[TraceSummary]:
    return traces.list_traces(project_ids, TraceFilter(search=parse_search(text), **fields))


def found(text: str, **fields: Any) -> list[UUID]:
    page = search(text, **fields)
    assert page.scanned_to is None
    return [trace.id for trace in page.items]


def rows(query: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()
