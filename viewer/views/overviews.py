"""Figures over a trace list, kept for some seconds for pages that refresh themselves."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from collector.reads.errors import ReadTimeout
from collector.reads.overview import get_overview
from collector.reads.run_overview import get_run_overview
from collector.reads.trace_search import is_decided_by_rows
from collector.reads.types import TraceOverview
from viewer.present.run_list import to_run_filter
from viewer.present.trace_list_query import TraceListQuery

# A live page asks about once a second, and many readers may have the same one open.
KEPT_SECONDS = 5.0
MAX_KEPT = 100

Key = tuple[tuple[UUID, ...], TraceListQuery]
_kept: OrderedDict[Key, tuple[float, TraceOverview]] = OrderedDict()


def is_decided(query: TraceListQuery) -> bool:
    """Whether rows alone tell what a query finds, so that it can be counted and sorted."""
    return query.search is None or is_decided_by_rows(query.search)


def find_overview(
    project_ids: Sequence[UUID], query: TraceListQuery, *, now: datetime, may_be_cached: bool
) -> TraceOverview | None:
    """Return the figures, or None: they take too long, or only payloads tell what is found."""
    if not is_decided(query):
        return None
    key = (tuple(project_ids), replace(query, before="", sort="", columns=()))
    kept = _kept.get(key) if may_be_cached else None
    if kept and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    try:
        overview = get_overview(project_ids, query.to_filter(now), now=now)
    except ReadTimeout:
        return None
    _kept[key] = (time.monotonic(), overview)
    while len(_kept) > MAX_KEPT:
        _kept.popitem(last=False)
    return overview


def find_run_overview(
    project_ids: Sequence[UUID], query: TraceListQuery, *, now: datetime
) -> TraceOverview | None:
    """Return the figures of a list of runs, or None: as `find_overview`."""
    if not is_decided(query):
        return None
    try:
        return get_run_overview(project_ids, to_run_filter(query, now), now=now)
    except ReadTimeout:
        return None
