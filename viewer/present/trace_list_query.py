"""The query string of a trace list: what it means, and the links that change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast
from urllib.parse import urlencode

from collector.query.search import Search
from collector.reads.types import STATUSES, Measure, Status, TraceFilter
from viewer.present.columns import parse_columns
from viewer.present.search_words import (
    SearchFault,
    as_langsmith,
    inside_words,
    say_conditions,
    understand,
)
from viewer.present.status import describe_status
from viewer.present.times import FIRST, LAST

MAX_TEXT = 1_000  # characters of a search box
MAX_VALUES = 20  # of one filter: enough for a person, bounded for the database
MAX_VALUE = 512  # characters of one value, as long as a project's name

RANGES = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "all": ("All time", None),
}
DEFAULT_RANGE = "7d"
LISTS = {"traces": "Traces", "runs": "All runs", "llm": "LLM calls"}  # what the rows are
DEFAULT_LIST = "traces"
# How rows may stand besides newest first. What is no order of time is one among the newest.
SORTS = {
    "oldest": "Oldest first",
    "latency": "Slowest",
    "tokens": "Most tokens",
    "cost": "Most expensive",
}

Params = Mapping[str, Sequence[str]]  # a query string: every value of every key


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter in force: what it says, and the query string without it."""

    key: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class TraceListQuery:
    """The query string of a trace list. What it does not understand it leaves out: a link never fails."""

    of: str = DEFAULT_LIST
    text: str = ""
    statuses: tuple[Status, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    thread: str = ""
    range: str = DEFAULT_RANGE
    start_from: datetime | None = None
    start_to: datetime | None = None
    sort: str = ""  # one of SORTS; "": newest first
    columns: tuple[str, ...] = ()  # (): the usual ones
    before: str = ""  # a cursor

    @classmethod
    def parse(cls, params: Params, zone: tzinfo) -> TraceListQuery:
        chosen = set(_values(params, "status"))
        range_, of, sort = (_last(params, key) for key in ("range", "of", "sort"))
        of = of if of in LISTS else DEFAULT_LIST
        return cls(
            of=of,
            text=_text(params),
            statuses=tuple(status for status in STATUSES if status in chosen),
            names=_values(params, "name"),
            tags=_values(params, "tag"),
            thread=_last(params, "thread"),
            range=range_ if range_ in RANGES else DEFAULT_RANGE,
            start_from=_parse_moment(_last(params, "from"), zone),
            start_to=_parse_moment(_last(params, "to"), zone),
            sort=sort if sort in SORTS else "",
            columns=parse_columns(".".join(params.get("columns", ())), of),
            before=_last(params, "before"),
        )

    @property
    def measure(self) -> Measure | None:
        """What the rows are sorted by, where that is no order of time."""
        return cast("Measure", self.sort) if self.sort in ("latency", "tokens", "cost") else None

    @property
    def is_custom_range(self) -> bool:
        return self.start_from is not None or self.start_to is not None

    @property
    def range_word(self) -> str:
        return RANGES[self.range][0]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the time range leaves traces out."""
        return bool(self.text or self.statuses or self.names or self.tags or self.thread)

    @property
    def search(self) -> Search | None:
        """What the text asks for; None where it asks for nothing, or nobody understands it."""
        return understand(self.text)[0]

    @property
    def fault(self) -> SearchFault | None:
        """What is wrong with the text."""
        return understand(self.text)[1]

    def said(self) -> list[tuple[str, str]]:
        """Return (condition in words, the query string without it) of each condition of the text."""
        if self.search is None:
            return []
        first_page = self.first_page()
        return [
            (item.words, replace(first_page, text=item.without).query_string())
            for item in say_conditions(self.search)
        ]

    def langsmith(self) -> list[tuple[str, str]]:
        """Return (argument, filter): the text in LangSmith's language."""
        return as_langsmith(self.search) if self.search else []

    def times(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return from when to when the list goes; None where it has no such end."""
        length = RANGES[self.range][1]
        if not self.is_custom_range and length is not None:
            return now - length, self.start_to
        return self.start_from, self.start_to

    def inside_words(self) -> str:
        """Return the query string that looks for the words inside of words too; "" where that is no other."""
        text = inside_words(self.search) if self.search else ""
        return replace(self.first_page(), text=text).query_string() if text else ""

    def to_filter(self, now: datetime) -> TraceFilter:
        start_from, start_to = self.times(now)
        return TraceFilter(
            statuses=self.statuses,
            names=self.names,
            tags=self.tags,
            search=self.search,
            start_from=start_from,
            start_to=start_to,
            thread_id=self.thread or None,
        )

    def query_string(self) -> str:
        """Return the query string that parses to this, with `?`; what is as by default is left out."""
        # "?" alone is the page itself without its query; an empty href would keep it
        return f"?{urlencode(self.pairs())}"

    def pairs(self, *left_out: str) -> list[tuple[str, str]]:
        """Return the query string as pairs, for the hidden fields of a form that sets `left_out` itself."""
        pairs = [("of", "" if self.of == DEFAULT_LIST else self.of), ("q", self.text)]
        pairs += [("status", word) for word in self.statuses]
        pairs += [("name", name) for name in self.names]
        pairs += [("tag", tag) for tag in self.tags]
        pairs += [
            ("thread", self.thread),
            ("range", "" if self.range == DEFAULT_RANGE else self.range),
        ]
        pairs += [("from", _format_moment(self.start_from)), ("to", _format_moment(self.start_to))]
        pairs += [("sort", self.sort), ("columns", ".".join(self.columns))]
        pairs += [("before", self.before)]
        return [(key, value) for key, value in pairs if value and key not in left_out]

    def toggled(self, field: str, value: str) -> TraceListQuery:
        """Return this with a value of a many-valued filter put in, or taken out if it is in."""
        values: tuple[str, ...] = getattr(self, field)
        kept = tuple(other for other in values if other != value)
        change: dict[str, Any] = {field: kept if value in values else (*values, value)}
        return replace(self, before="", **change)

    def with_range(self, name: str) -> TraceListQuery:
        return replace(self, range=name, start_from=None, start_to=None, before="")

    def without_filters(self) -> TraceListQuery:
        return replace(self, text="", statuses=(), names=(), tags=(), thread="", before="")

    def with_list(self, name: str) -> TraceListQuery:
        """Return this about other rows: conditions and time range stay."""
        return replace(self, of=name, columns=(), before="")

    def with_sort(self, sort: str) -> TraceListQuery:
        return replace(self, sort=sort, before="")

    def first_page(self) -> TraceListQuery:
        return replace(self, before="")

    def filter_words(self) -> str:
        """Return "this filter", "both filters" or "all 3 filters"."""
        count = len(list(self.each_dropped()))
        return {1: "this filter", 2: "both filters"}.get(count, f"all {count} filters")

    def each_dropped(self) -> Iterable[tuple[Chip, TraceListQuery]]:
        """Yield every filter in force but the time range, with the query that lacks it."""
        first_page = self.first_page()
        for field, key, values in (
            ("statuses", "status", self.statuses),
            ("names", "name", self.names),
            ("tags", "tag", self.tags),
        ):
            for value in values:
                word = describe_status(value).word if key == "status" else value
                query = first_page.toggled(field, value)
                yield Chip(key, word, query.query_string()), query
        if self.thread:
            query = replace(first_page, thread="")
            yield Chip("thread", self.thread, query.query_string()), query
        for item in say_conditions(self.search) if self.search else ():
            query = replace(first_page, text=item.without)
            yield Chip("text", item.words, query.query_string()), query

    def chips(self) -> list[Chip]:
        """Return the filters that stand before the search box; the text stands in it."""
        return [chip for chip, _ in self.each_dropped() if chip.key != "text"]


def _last(params: Params, key: str) -> str:
    values = params.get(key)
    return values[-1].replace("\0", "").strip()[:MAX_VALUE] if values else ""


def _text(params: Params) -> str:
    values = params.get("q")
    return values[-1].replace("\0", "").strip()[:MAX_TEXT] if values else ""


def _values(params: Params, key: str) -> tuple[str, ...]:
    """Return the values as they are: a run's name may begin with a space."""
    values = (value[:MAX_VALUE] for value in params.get(key, ()))
    return tuple(dict.fromkeys(filter(None, values)))[:MAX_VALUES]


def _parse_moment(text: str, zone: tzinfo) -> datetime | None:
    """Read an ISO time; one without an offset is in the reader's zone, as a browser's input sends it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the year 1 east of Greenwich, the year 9999 west of it
        return FIRST if moment.year == 1 else LAST


def _format_moment(moment: datetime | None) -> str:
    # not strftime: it writes the year 1 as "1", which would not be read again
    return (
        f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
        if moment
        else ""
    )
