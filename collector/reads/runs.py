"""Runs: one with its payload, and lists across traces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from collector.reads.attachments import list_attachments
from collector.reads.cursors import ListKind, Position, decode_cursor, encode_cursor
from collector.reads.feedback import list_feedback
from collector.reads.lineage import Lineages
from collector.reads.payloads import (
    iterate_payloads,
    parse_list,
    parse_object,
    parse_value,
    payload_texts,
)
from collector.reads.recheck import Recheck
from collector.reads.rows import RUN_COLUMNS, run_summary, silent_before
from collector.reads.run_filter import CompiledFilter, compile_run_filter
from collector.reads.scan import BUDGET_SECONDS, ScanResult, scan_page
from collector.reads.sql import Row, fetch_all, likely_days, time_limit
from collector.reads.types import Page, RunDetail, RunFilter, RunSummary
from collector.storage.blocks import RunPayload

PAGE_RUNS = 500

DAMAGED = "A stored block of this run's payload is damaged and cannot be read."

FIND_RUN = f"""
SELECT {RUN_COLUMNS}, trace.last_heard_at
  FROM run LEFT JOIN trace ON trace.project_id = run.project_id AND trace.id = run.trace_id
   AND trace.day = run.day
 WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND run.id = %(id)s
"""  # noqa: S608 (our own words)

LAST_HEARD = """
SELECT project_id, id, day, last_heard_at FROM trace
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND id = ANY(%(ids)s::uuid[]) AND day = ANY(%(days)s)
"""


def find_run(
    project_ids: Sequence[UUID], run_id: UUID, day: date | None = None
) -> RunSummary | None:
    """Return a run without its payload, or None where these projects have none with this id.

    `day` is a hint: where the run's trace lies. Without one it is guessed from the id's time.
    """
    params: dict[str, Any] = {"project_ids": list(project_ids), "id": run_id}
    newest = " ORDER BY run.day DESC LIMIT 1"
    rows: list[Row] = []
    days = [day] if day is not None else likely_days(run_id)
    if days:
        rows = fetch_all(
            f"{FIND_RUN} AND run.day = ANY(%(days)s){newest}", {**params, "days": days}
        )
    if not rows:
        rows = fetch_all(FIND_RUN + newest, params)
    return run_summary(rows[0][:-1], rows[0][-1], silent_before()) if rows else None


def get_run(project_ids: Sequence[UUID], run_id: UUID, day: date | None = None) -> RunDetail | None:
    """Return a run with its payload, or None where these projects have none with this id."""
    run = find_run(project_ids, run_id, day)
    if run is None:
        return None
    ((_, payload),) = iterate_payloads([run])
    detail = _detail(run, payload, Lineages([run]))
    return replace(detail, attachments=list_attachments(run), feedback=list_feedback(run))


def iterate_details(runs: Sequence[RunSummary]) -> Iterator[RunDetail]:
    """Yield runs with their payloads, without attachments and feedback, read as they are asked for."""
    lineages = Lineages(runs)
    for run, payload in iterate_payloads(runs):
        yield _detail(run, payload, lineages)


def _detail(run: RunSummary, payload: RunPayload, lineages: Lineages) -> RunDetail:
    texts = payload_texts(payload)
    lineage = lineages.of(run)
    return RunDetail(
        run=run,
        dotted_order=lineage.dotted_order,
        parent_run_ids=lineage.parent_run_ids,
        inputs=parse_value(payload.inputs),
        outputs=parse_value(payload.outputs),
        error=payload.error or run.error or None,
        events=parse_list(payload.events),
        extra=parse_object(payload.extra),
        serialized=parse_value(payload.serialized),
        other=parse_object(payload.other),
        notes=tuple(payload.notes),
        reference_example_id=payload.reference_example_id,
        raw_sizes={field: len(text) for field, text in texts.items()},
        payload_error=DAMAGED if payload.is_damaged else None,
        raw=texts,
    )


def list_runs(
    project_ids: Sequence[UUID],
    filter_: RunFilter,
    cursor: str | None = None,
    limit: int = 50,
    *,
    is_descending: bool = True,
    budget_seconds: float = BUDGET_SECONDS,
) -> Page[RunSummary]:
    """Return a page of runs in order of their start. May end early: see `Page.scanned_to`.

    Raises:
        BadCursor: `cursor` is not of this list in this order.
        ReadTimeout: the database took too long.
    """
    kind = ListKind.RUNS_NEWEST_FIRST if is_descending else ListKind.RUNS_OLDEST_FIRST
    after = decode_cursor(kind, cursor) if cursor else None
    compiled = _compile(project_ids, filter_, budget_seconds)
    result = _scan_page(
        project_ids, compiled, after, limit, budget_seconds, is_descending=is_descending
    )
    end = result.next_position
    return Page(
        items=_summaries(result.rows),
        next_cursor=encode_cursor(kind, end) if end else None,
        scanned_to=end.start_time if end and result.is_cut_short else None,
    )


def iterate_matching(
    project_ids: Sequence[UUID],
    filter_: RunFilter,
    max_runs: int,
    *,
    budget_seconds: float = BUDGET_SECONDS,
) -> Iterator[RunSummary]:
    """Yield the newest `max_runs` runs that match: also those that SQL alone cannot find.

    Ends early when the time is over; see `CompiledFilter.needs_payload` for a quicker way where there is one.

    Raises:
        ReadTimeout: the database took too long.
    """
    deadline = time.monotonic() + budget_seconds
    compiled = _compile(project_ids, filter_, budget_seconds)
    after: Position | None = None
    while max_runs > 0 and (left := deadline - time.monotonic()) > 0:
        limit = min(max_runs, PAGE_RUNS)
        result = _scan_page(project_ids, compiled, after, limit, left, is_descending=True)
        yield from _summaries(result.rows)
        max_runs -= len(result.rows)
        after = result.next_position
        if after is None or result.is_cut_short:
            return


def _compile(
    project_ids: Sequence[UUID], filter_: RunFilter, budget_seconds: float
) -> CompiledFilter:
    with time_limit(2 * budget_seconds):
        return compile_run_filter(project_ids, filter_)


def _scan_page(
    project_ids: Sequence[UUID],
    compiled: CompiledFilter,
    after: Position | None,
    limit: int,
    budget_seconds: float,
    *,
    is_descending: bool,
) -> ScanResult:
    """Return rows of RUN_COLUMNS, rechecked where that is needed."""
    result = scan_page(
        project_ids,
        compiled.scan(is_descending=is_descending),
        after,
        limit,
        budget_seconds,
        Recheck(compiled) if compiled.needs_payload else None,
    )
    return result._replace(rows=[row[:-1] for row in result.rows])


def run_cursor(run: RunSummary, *, is_descending: bool = True) -> str:
    """Return the cursor of the page that begins after this run."""
    kind = ListKind.RUNS_NEWEST_FIRST if is_descending else ListKind.RUNS_OLDEST_FIRST
    return encode_cursor(kind, Position(run.start_time, run.id))


def _summaries(rows: Sequence[Row]) -> tuple[RunSummary, ...]:
    """Build from rows of RUN_COLUMNS, with the status that the silence of their traces gives them."""
    silent = silent_before()
    runs = [run_summary(row, None, silent) for row in rows]
    running = [run for run in runs if run.status == "running"]
    if not running:
        return tuple(runs)
    last_heard: dict[tuple[UUID, UUID, date], datetime] = {
        (project_id, id_, day): time
        for project_id, id_, day, time in fetch_all(
            LAST_HEARD,
            {
                "project_ids": sorted({run.project_id for run in running}),
                "ids": sorted({run.trace_id for run in running}),
                "days": sorted({run.day for run in running}),
            },
        )
    }
    return tuple(
        run_summary(row, last_heard.get((run.project_id, run.trace_id, run.day)), silent)
        for row, run in zip(rows, runs, strict=True)
    )
