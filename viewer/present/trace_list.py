"""What stands around the rows of a trace list: facets, histogram, time ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from collector.reads.types import TimeBucket, TraceOverview
from viewer.present.charts import Bar, view_bars
from viewer.present.columns import Column, columns_of, shown_columns
from viewer.present.durations import format_duration
from viewer.present.numbers import pluralize
from viewer.present.status import LOOKS, StatusLook, describe_status
from viewer.present.times import format_axis, format_input, format_moment, shift
from viewer.present.trace_list_query import LISTS, RANGES, SORTS, TraceListQuery

AXIS_LABELS = 4
ROW_WORDS = {"traces": "trace", "runs": "run", "llm": "LLM call"}


@dataclass(frozen=True, slots=True)
class FacetOption:
    """One value that the list may be narrowed to. `count` is None where nothing was counted."""

    value: str
    label: str
    look: StatusLook | None
    count: int | None
    percent: float
    is_on: bool
    href: str


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one filter."""

    key: str
    title: str
    options: list[FacetOption]


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """A bar, what it says, and the list of its time alone."""

    bar: Bar
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """`window_x` and `window_width` (percent) mark the time of the rows on the page."""

    bars: list[HistogramBar]
    label: str
    axis: list[str]
    window_x: float
    window_width: float


@dataclass(frozen=True, slots=True)
class RangeOption:
    """One time range to choose."""

    word: str
    is_on: bool
    href: str


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """The head of a column. `order` is as `aria-sort` has it; `href` is empty where one cannot sort by it."""

    column: Column
    order: str
    href: str


def view_facets(query: TraceListQuery, overview: TraceOverview | None) -> list[Facet]:
    statuses = [(status, overview.by_status.get(status) if overview else None) for status in LOOKS]
    names = _with_chosen(overview.by_name if overview else (), query.names)
    tags = _with_chosen(overview.by_tag if overview else (), query.tags)
    facets = [
        _facet(query, "statuses", "Status", statuses),
        _facet(query, "names", "Name", names),
        _facet(query, "tags", "Tag", tags),
    ]
    return [facet for facet in facets if facet.options]


def _with_chosen(
    counts: Sequence[tuple[str, int]], chosen: Sequence[str]
) -> list[tuple[str, int | None]]:
    """Add the values in force that are too rare to be among the most frequent ones: how else to take one out."""
    known = {value for value, _ in counts}
    return [*counts, *((value, None) for value in chosen if value not in known)]


def _facet(
    query: TraceListQuery, field: str, title: str, counts: Sequence[tuple[str, int | None]]
) -> Facet:
    peak = max((count or 0 for _, count in counts), default=0)
    chosen: tuple[str, ...] = getattr(query, field)
    options = []
    for value, count in counts:
        look = describe_status(value) if field == "statuses" else None
        options.append(
            FacetOption(
                value=value,
                label=look.word if look else value,
                look=look,
                count=count,
                percent=round(max(100 * count / peak, 2), 1) if count else 0.0,
                is_on=value in chosen,
                href=query.toggled(field, value).query_string(),
            )
        )
    return Facet(field, title, options)


def view_histogram(
    query: TraceListQuery,
    overview: TraceOverview | None,
    oldest_shown: datetime | None,
    *,
    now: datetime,
    zone: tzinfo,
) -> Histogram | None:
    """Return the bars over the time looked at, or None where there is nothing to draw."""
    buckets = overview.buckets if overview else ()
    if not buckets:
        return None
    begin, end = buckets[0].start, buckets[-1].end
    length = end - begin
    bars = view_bars([b.trace_count for b in buckets], [b.error_count for b in buckets])
    shown_from = min(max(oldest_shown or end, begin), end)
    # from the edge of a bar: half a bar in the shade would say nothing
    window_x = 100 * int((shown_from - begin) / length * len(buckets)) / len(buckets)
    return Histogram(
        bars=[
            HistogramBar(bar, _bar_label(bucket, now, zone), _bar_href(query, bucket))
            for bar, bucket in zip(bars, buckets, strict=True)
            if bucket.trace_count
        ],
        label=_histogram_label(buckets, now, zone),
        axis=_axis(begin, end, now=now, zone=zone),
        window_x=round(window_x, 2),
        window_width=round(100 - window_x, 2),
    )


def _bar_href(query: TraceListQuery, bucket: TimeBucket) -> str:
    # Links hold whole seconds: the end is rounded up, or the last traces of the bar would be left out.
    end = shift(bucket.end.replace(microsecond=0), timedelta(seconds=1))
    return replace(query, start_from=bucket.start, start_to=end, before="").query_string()


def _bar_label(bucket: TimeBucket, now: datetime, zone: tzinfo) -> str:
    failed = f", {pluralize(bucket.error_count, 'error')}" if bucket.error_count else ""
    return f"{format_moment(bucket.start, now=now, zone=zone)}: {pluralize(bucket.trace_count, 'trace')}{failed}"


def _histogram_label(buckets: Sequence[TimeBucket], now: datetime, zone: tzinfo) -> str:
    peak = max(buckets, key=lambda bucket: bucket.trace_count)
    width = format_duration((buckets[0].end - buckets[0].start).total_seconds())
    failed = sum(bucket.error_count for bucket in buckets)
    when = format_moment(peak.start, now=now, zone=zone)
    return f"Traces per {width}, peak {peak.trace_count} at {when}, {failed} failed"


def _axis(begin: datetime, end: datetime, *, now: datetime, zone: tzinfo) -> list[str]:
    length = end - begin
    labels = [
        format_axis(begin + length * part / AXIS_LABELS, length=length, zone=zone)
        for part in range(AXIS_LABELS + 1)
    ]
    if abs(now - end) < timedelta(seconds=2):
        labels[-1] = "now"
    return labels


def view_ranges(query: TraceListQuery) -> list[RangeOption]:
    return [
        RangeOption(
            word,
            not query.is_custom_range and query.range == name,
            query.with_range(name).query_string(),
        )
        for name, (word, _) in RANGES.items()
    ]


def view_range_word(query: TraceListQuery, *, now: datetime, zone: tzinfo) -> str:
    """Return what the button of the time range says."""
    if not query.is_custom_range:
        return query.range_word
    start, end = (
        format_moment(moment, now=now, zone=zone) if moment else ""
        for moment in (query.start_from, query.start_to)
    )
    if start and end:
        return f"{start} – {end}"
    return f"Since {start}" if start else f"Until {end}"


def view_surroundings(
    query: TraceListQuery,
    overview: TraceOverview | None,
    oldest_shown: datetime | None,
    *,
    now: datetime,
    zone: tzinfo,
) -> dict[str, Any]:
    """Return what a list page shows around its rows, by the names of the template."""
    rate = (
        overview.error_count / overview.trace_count if overview and overview.trace_count else None
    )
    return {
        "facets": view_facets(query, overview),
        "histogram": view_histogram(query, overview, oldest_shown, now=now, zone=zone),
        "ranges": view_ranges(query),
        "lists": [
            (word, query.of == name, query.with_list(name).query_string())
            for name, word in LISTS.items()
        ],
        "search_fields": query.pairs("q", "before"),
        "range_fields": query.pairs("range", "from", "to", "before"),
        "filter_words": query.filter_words(),
        "error_rate": rate,
        "range_word": view_range_word(query, now=now, zone=zone),
        "from_input": format_input(query.start_from, zone=zone),
        "to_input": format_input(query.start_to, zone=zone),
        "row_word": ROW_WORDS[query.of],
    }


def view_table(
    query: TraceListQuery, remembered: Sequence[str], *, may_sort: bool
) -> dict[str, Any]:
    """Return the columns of the list's table, and those that could be shown."""
    shown = shown_columns(query.columns or remembered, query.of)
    keys = {column.key for column in shown}
    return {
        "columns": [_head(query, column, may_sort=may_sort) for column in shown],
        "shown": dict.fromkeys(keys, True),
        "choices": [(column, column.key in keys) for column in columns_of(query.of)],
        "column_fields": query.pairs("columns", "before"),
        "sort_word": SORTS.get(query.sort, ""),
    }


def _head(query: TraceListQuery, column: Column, *, may_sort: bool) -> ColumnHead:
    """Return how the list is sorted by a column, and what a click on its head asks for."""
    if column.sort == "start":
        order = {"": "descending", "oldest": "ascending"}.get(query.sort, "")
        way = query.with_sort("oldest" if order == "descending" else "")
        return ColumnHead(column, order, way.query_string())
    if not column.sort or not may_sort:
        return ColumnHead(column, "", "")
    is_on = query.sort == column.sort
    way = query.with_sort("" if is_on else column.sort)
    return ColumnHead(column, "descending" if is_on else "", way.query_string())
