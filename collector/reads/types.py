"""What readers get: frozen values, no models, no querysets. Times are aware UTC, latencies seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from collector.query.search import Search
from collector.query.tree import Expression

T = TypeVar("T")

Status = Literal["running", "success", "error", "interrupted", "cancelled", "incomplete"]
STATUSES: tuple[Status, ...] = (
    "running",
    "success",
    "error",
    "interrupted",
    "cancelled",
    "incomplete",
)

# What a list may be sorted by besides time.
Measure = Literal["latency", "tokens", "cost"]

# A run that has not ended, in a trace of which nothing was heard for this long, is shown as incomplete.
SILENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One keyset page, newest first. `next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None
    # Set when the time for one page was over before it was full: all that is newer was looked at,
    # and `next_cursor` goes on from here. Only then "no items" does not mean that there are none.
    scanned_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` (inclusive) to `end` (exclusive)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project with figures over a time range (None where there is nothing to measure)."""

    id: UUID
    name: str
    description: str
    created_at: datetime
    trace_count: int
    run_count: int
    error_count: int  # traces whose root failed
    error_rate: float | None  # error_count / trace_count
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    total_tokens: int
    total_cost: Decimal | None
    last_run_time: datetime | None
    traces_per_bucket: tuple[
        int, ...
    ] = ()  # equal buckets over the range, oldest first: a sparkline
    errors_per_bucket: tuple[int, ...] = ()
    has_figures: bool = True  # False: they would have taken too long, and are all zero or None


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One row of the trace list: the root run's face and the trace's totals."""

    id: UUID
    project_id: UUID
    day: date
    has_root: bool  # False: only children were received so far
    name: str
    run_type: str
    status: Status
    start_time: datetime
    end_time: datetime | None
    latency_seconds: float | None  # of the root; None while it runs
    first_token_time: datetime | None
    inputs_preview: str
    outputs_preview: str
    error: str  # first line, "" when none
    tags: tuple[str, ...]
    thread_id: str | None
    user_id: str | None
    run_count: int
    ended_count: int
    error_count: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    total_cost: Decimal | None
    last_heard_at: datetime
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One row of the tree: everything but payloads."""

    id: UUID
    project_id: UUID
    day: date
    trace_id: UUID
    parent_run_id: UUID | None
    name: str
    run_type: str
    status: Status
    start_time: datetime
    end_time: datetime | None
    latency_seconds: float | None
    first_token_time: datetime | None
    model: str | None
    thread_id: str | None
    user_id: str | None
    tags: tuple[str, ...]
    inputs_preview: str
    outputs_preview: str
    error: str
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    total_cost: Decimal | None
    position: (
        datetime  # time in the run's own dotted_order segment: siblings sort by (position, id)
    )
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    provider: str | None = None
    usage_details: dict[str, Any] | None = None  # shape: collector/storage/usage.py
    price_id: UUID | None = None  # of the applied price that the cost was computed by
    reference_example_id: UUID | None = None
    # Sums over the run and all below it, known once the trace was rolled up; None: what it has itself
    subtree_prompt_tokens: int | None = None
    subtree_completion_tokens: int | None = None
    subtree_total_tokens: int | None = None
    subtree_prompt_cost: Decimal | None = None
    subtree_completion_cost: Decimal | None = None
    subtree_total_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RunNode:
    """A run in its place in the tree. Nodes come depth first, root first."""

    run: RunSummary
    depth: int  # 0 is the root; where no root was received, what hangs below it
    child_count: int
    descendant_count: int
    error_count: int  # failed runs below this one
    is_orphan: bool  # its parent was not received; hangs under the root
    is_last_child: bool
    is_plumbing: bool  # framework internals: hidden by default


@dataclass(frozen=True, slots=True)
class TraceTree:
    """A whole trace without payloads."""

    trace: TraceSummary
    nodes: tuple[RunNode, ...]  # depth first, siblings by (position, id)
    orphan_count: int
    truncated_count: int  # runs past the limit of the call


@dataclass(frozen=True, slots=True)
class AttachmentSummary:
    """A file of a run, without its bytes."""

    name: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """One judgement on a run."""

    id: UUID
    key: str
    score: float | None
    value: Any
    comment: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its payloads. Values are parsed JSON; `raw_sizes` gives bytes of JSON per field."""

    run: RunSummary
    dotted_order: str
    parent_run_ids: tuple[UUID, ...]  # root first
    inputs: Any
    outputs: Any
    error: str | None  # whole text, with its traceback
    events: list[Any]
    extra: dict[str, Any]
    serialized: Any
    other: dict[str, Any]
    notes: tuple[str, ...]
    reference_example_id: UUID | None = None
    attachments: tuple[AttachmentSummary, ...] = ()
    feedback: tuple[FeedbackSummary, ...] = ()
    raw_sizes: dict[str, int] = field(default_factory=dict)
    payload_error: str | None = None  # set when a stored block could not be read
    raw: dict[str, bytes] = field(default_factory=dict)  # JSON text per field, exactly as sent

    @property
    def metadata(self) -> dict[str, Any]:
        metadata = self.extra.get("metadata")
        return metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True, slots=True)
class Standing:
    """`slower_than` is the share (0 to 1) of `count` runs of this name that took less time."""

    slower_than: float
    count: int


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What the trace list may be narrowed by. Every field only narrows."""

    statuses: tuple[Status, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    search: Search | None = None
    start_from: datetime | None = None  # inclusive
    start_to: datetime | None = None  # exclusive
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class TraceCounts:
    """How many traces there are of each status, among the newest ones that were looked at."""

    total: int  # of the statuses that the filter asks for
    by_status: dict[Status, int]  # the filter's statuses set aside: the other tabs need numbers too
    is_capped: bool  # there are older ones that were not counted: show "10,000+"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a list of runs may be narrowed by. Every field only narrows."""

    ids: tuple[UUID, ...] = ()
    trace_id: UUID | None = None
    parent_run_id: UUID | None = None
    reference_example_ids: tuple[UUID, ...] = ()
    start_from: datetime | None = None  # inclusive
    start_to: datetime | None = None  # inclusive, as LangSmith has it
    expression: Expression | None = None  # holds of the run itself
    root_expression: Expression | None = None  # of the root of its trace
    tree_expression: Expression | None = None  # of some one run of its trace


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """Traces that started in one part of a time range."""

    start: datetime
    end: datetime
    trace_count: int
    error_count: int


@dataclass(frozen=True, slots=True)
class TraceOverview:
    """Figures over a filter. The counts of statuses and names leave that one filter aside: what else could be chosen."""

    trace_count: int
    error_count: int
    total_tokens: int
    total_cost: Decimal | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    by_status: dict[Status, int]
    by_name: tuple[tuple[str, int], ...]  # most frequent first
    by_tag: tuple[tuple[str, int], ...]  # within the filter: several tags must all be there
    buckets: tuple[TimeBucket, ...]  # oldest first; empty where there is nothing to draw
    is_capped: bool  # older traces of the time range were not looked at
