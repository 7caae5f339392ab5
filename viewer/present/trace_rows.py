"""Rows of the trace list: what a cell says where the stored value alone would not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from collector.reads.types import RunSummary, Status, TraceSummary
from viewer.present.durations import format_clock, format_duration
from viewer.present.times import format_age

SHOWN_TAGS = 3
SMALLEST_BAR = 4.0  # percent: what took any time can be seen


@dataclass(frozen=True, slots=True)
class Pace:
    """What is slow in this list, and how long the longest bar is. From the list's own percentiles."""

    slow_seconds: float
    full_seconds: float

    @classmethod
    def of(cls, p50: float | None, p95: float | None) -> Pace:
        if p50 is None or p95 is None:
            return cls(slow_seconds=float("inf"), full_seconds=10.0)
        # Among equals nobody is slow, though some are always the slowest twentieth.
        return cls(slow_seconds=max(p95, 2 * p50), full_seconds=max(1.25 * p95, 0.001))


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace as a row. `elapsed_seconds` is set while it runs: its clock goes on in the browser."""

    trace: TraceSummary
    output: str
    output_status: Status | None  # colours the output where it is a message of ours or an error
    latency: str
    first_token: str
    elapsed_seconds: float | None
    bar_percent: float
    is_slow: bool
    tokens: int | None
    cost: Decimal | None
    tags: tuple[str, ...]
    more_tags: int
    is_dated: bool  # its start is written with a date, which takes room


def view_rows(traces: Sequence[TraceSummary], pace: Pace, *, now: datetime) -> list[TraceRow]:
    return [_view_row(trace, pace, now) for trace in traces]


def _view_row(trace: TraceSummary, pace: Pace, now: datetime) -> TraceRow:
    elapsed = (
        max((now - trace.start_time).total_seconds(), 0.0) if trace.status == "running" else None
    )
    seconds = trace.latency_seconds if elapsed is None else elapsed
    output, status = say_output(trace, trace.last_heard_at, now)
    first = trace.first_token_time
    return TraceRow(
        trace=trace,
        output=output,
        output_status=status,
        latency=format_duration(seconds) if elapsed is None else format_clock(elapsed),
        first_token=format_duration(max((first - trace.start_time).total_seconds(), 0))
        if first
        else "",
        elapsed_seconds=elapsed,
        bar_percent=bar_percent(seconds, pace),
        is_slow=elapsed is None and seconds is not None and seconds > pace.slow_seconds,
        tokens=trace.total_tokens,
        cost=trace.total_cost,
        tags=trace.tags[:SHOWN_TAGS],
        more_tags=max(len(trace.tags) - SHOWN_TAGS, 0),
        is_dated=is_dated(trace.start_time, now),
    )


def is_dated(start_time: datetime, now: datetime) -> bool:
    """Whether a start is written with its date."""
    return not timedelta(0) <= now - start_time < timedelta(days=6)


def bar_percent(seconds: float | None, pace: Pace) -> float:
    if seconds is None:
        return 0.0
    return round(min(max(100 * seconds / pace.full_seconds, SMALLEST_BAR), 100.0), 1)


def say_output(
    run: TraceSummary | RunSummary, last_heard_at: datetime | None, now: datetime
) -> tuple[str, Status | None]:
    """Return the words of the output cell: the error where there is one, else the output, else why there is none."""
    match run.status:
        case "error":
            return run.error or "Failed without a message", "error"
        case "interrupted":
            waits = (
                f"Waiting for input: {run.outputs_preview}"
                if run.outputs_preview
                else "Waiting for input"
            )
            return waits, "interrupted"
        case "incomplete":
            if last_heard_at is None:
                return "Never ended", "incomplete"
            silence = format_age(last_heard_at, now=now).removesuffix(" ago")
            return f"No word for {silence}, the process has probably died", "incomplete"
        case "cancelled" if not run.outputs_preview:
            after = (
                f" after {format_duration(run.latency_seconds)}"
                if run.latency_seconds is not None
                else ""
            )
            return f"Cancelled by the caller{after}", "cancelled"
        case _:
            return run.outputs_preview, None
