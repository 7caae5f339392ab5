"""One run of any LangSmith body, decoded on its own: JSON text → `RunOperation`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from uuid import UUID, uuid4

import msgspec

from collector.wire.address import named_project
from collector.wire.dotted_order import InvalidDottedOrder, format_segment, parse_lineage
from collector.wire.errors import InvalidField, ItemTooLarge
from collector.wire.fields import storable, utc
from collector.wire.jsontext import repair
from collector.wire.limits import Limits
from collector.wire.operations import RunOperation
from collector.wire.payloads import PAYLOAD_FIELDS, keep_payload, wrap_text
from collector.wire.wirerun import ABSENT, WireRun, read_run

# What clients that know more than LangSmith's may say; any other status is derived from end and error.
STATUS_HINTS = frozenset({"interrupted", "cancelled", "incomplete"})

# Of no use to anyone: JS sends an empty child_runs, old clients count execution order. Inline
# attachments are a client's own bookkeeping, and a run read back with that key crashes the SDK.
_IGNORED = frozenset(
    {"child_runs", "execution_order", "child_execution_order", "child_run_ids", "attachments"}
)
# One text of this size at a time: mending takes up to 25 times its size, for a moment.
ALONE_BYTES = 1 << 20
_mending = threading.Lock()


@dataclass(slots=True)
class Reading:
    """What holds for a whole request."""

    received_at: datetime
    limits: Limits
    mended_bytes: int = 0

    def mend(self, text: bytes, *, max_depth: int) -> tuple[bytes, list[str]]:
        """Repair the text of one item.

        Raises:
            ItemTooLarge: it is larger than a run may be, or the request has had too much to mend.
        """
        limits = self.limits
        if len(text) > limits.max_run_bytes:
            raise ItemTooLarge("The run", len(text), limits.max_run_bytes)
        self.count_mended(len(text))
        if len(text) < ALONE_BYTES:
            return repair(text, max_depth=max_depth)
        with _mending:
            return repair(text, max_depth=max_depth)

    def count_mended(self, size: int) -> None:
        """Take `size` bytes more into the account of what has to be mended.

        Raises:
            ItemTooLarge: that is too much for one request.
        """
        self.mended_bytes += size
        if self.mended_bytes > self.limits.max_mended_bytes:
            raise ItemTooLarge(
                "What had to be mended", self.mended_bytes, self.limits.max_mended_bytes
            )


def decode_run(
    text: bytes, reading: Reading, *, is_update: bool, run_id: UUID | None = None
) -> RunOperation:
    """Return the operation that one run's JSON object asks for. `run_id` wins over its `id`.

    Raises:
        ItemError: the run cannot be stored, and why.
    """
    run, other, notes = read_one(text, reading)
    return make_operation(
        run, reading, is_update=is_update, run_id=run_id, other=other, notes=notes
    )


def read_one(text: bytes, reading: Reading) -> tuple[WireRun, dict[str, msgspec.Raw], list[str]]:
    """Read one run's object. One level more: a payload's depth counts from the payload."""
    return read_run(text, partial(reading.mend, max_depth=reading.limits.max_depth + 1))


def make_operation(
    run: WireRun,
    reading: Reading,
    *,
    is_update: bool,
    run_id: UUID | None = None,
    other: dict[str, msgspec.Raw] | None = None,
    parts: dict[str, bytes] | None = None,
    notes: list[str] | None = None,
) -> RunOperation:
    """Return the operation. `parts` are payload fields that came apart from the run's own JSON."""
    limits = reading.limits
    notes = [] if notes is None else notes
    if run_id is None:
        run_id = run.id
        if run_id is None:
            raise InvalidField("id", "is missing.")
    elif run.id is not None and run.id != run_id:
        notes.append(f"id: {run.id} in the run itself was ignored")
    start_time = None if run.start_time is None else _time("start_time", run.start_time)
    trace_id, parent_run_id, dotted_order, day = _place(
        run_id, run, start_time, notes, is_update=is_update
    )
    payloads = _payloads(run, parts, limits, notes)
    error = run.error
    if error:
        error = fit_text("error", error, limits.max_string_bytes, notes)
    return RunOperation(
        id=run_id,
        is_update=is_update,
        received_at=reading.received_at,
        project=_project(run, limits, notes),
        project_id=run.session_id,
        trace_id=trace_id,
        parent_run_id=parent_run_id,
        dotted_order=dotted_order,
        day=day,
        name=run.name and fit_text("name", run.name, limits.max_name_chars, notes),
        run_type=run.run_type
        and fit_text("run_type", run.run_type, limits.max_run_type_chars, notes),
        start_time=start_time,
        end_time=None if run.end_time is None else _time("end_time", run.end_time),
        status=run.status if run.status in STATUS_HINTS else None,
        error=error,
        tags=run.tags and fit_tags(run.tags, limits, notes),
        reference_example_id=run.reference_example_id,
        span_id=None,
        is_provisional=False,
        other=_other(other, limits, notes) if other else b"",
        notes=notes or None,
        **payloads,
    )


def keep_placeholder(text: bytes, reading: Reading, *, run_id: UUID | None) -> RunOperation:
    """Return what keeps the text that a client sent as the whole of a request, where JSON should stand.

    An update says which run it is of. A create does not: it becomes a run of its own, of no project.
    """
    wrapped = wrap_text("outputs", text.strip())
    if run_id is not None:
        return RunOperation(
            id=run_id,
            is_update=True,
            received_at=reading.received_at,
            outputs=wrapped,
            notes=["The update is no JSON; its text is kept under __raw__"],
        )
    run_id, time = uuid4(), reading.received_at
    return RunOperation(
        id=run_id,
        received_at=time,
        trace_id=run_id,
        dotted_order=format_segment(time, run_id),
        day=time.astimezone(UTC).date(),
        name="unreadable request",
        run_type="chain",
        start_time=time,
        end_time=time,
        error="The client could not write its runs as JSON. The inputs hold what it sent in their place.",
        inputs=wrapped,
        notes=["The request is no JSON; its text is kept under __raw__"],
    )


def _place(
    run_id: UUID, run: WireRun, start_time: datetime | None, notes: list[str], *, is_update: bool
) -> tuple[UUID | None, UUID | None, str | None, date | None]:
    """Return trace, parent, dotted_order and the trace's day, as far as the run tells them.

    The explicit ids win: a dotted_order that contradicts them is dropped with a note, which costs the
    run its exact place among its siblings, nothing else.
    """
    trace_id, parent_run_id = run.trace_id, run.parent_run_id
    if parent_run_id == run_id:
        notes.append("parent_run_id: the run itself; it was dropped")
        parent_run_id = None
    if run.dotted_order:
        try:
            own_id, parent, root_id, day = parse_lineage(run.dotted_order)
        except InvalidDottedOrder as exc:
            notes.append(f"{exc.reason} It was dropped.")
        else:
            if (
                own_id == run_id
                and (trace_id is None or trace_id == root_id)
                and (parent_run_id is None or parent_run_id == parent)
            ):
                return root_id, parent, run.dotted_order, day
            notes.append("dotted_order: contradicts the run's ids and was dropped")
            if trace_id == root_id:
                return trace_id, parent_run_id, None, day
    if not is_update and parent_run_id is None and trace_id in (None, run_id):  # a root
        return run_id, None, None, None if start_time is None else start_time.date()
    return trace_id, parent_run_id, None, None


def _project(run: WireRun, limits: Limits, notes: list[str]) -> str | None:
    name = named_project(run.session_name, run.address)
    if not name:
        return None
    return fit_text("session_name", name, limits.max_project_chars, notes)


def _time(field: str, value: datetime | float) -> datetime:
    try:
        return utc(value)
    except (ValueError, OverflowError) as exc:
        raise InvalidField(field, "is a number that is no time.") from exc


def fit_text(field: str, text: str, max_chars: int, notes: list[str]) -> str:
    """Return the text of a column: without NUL, and cut to `max_chars`. The notes say what was done."""
    if "\0" in text:  # surrogates were found by the decoder
        text = storable(text)
        notes.append(f"{field}: NUL was replaced by U+FFFD")
    if len(text) > max_chars:
        notes.append(f"{field}: cut from {len(text):,} to {max_chars:,} characters")
        text = text[: max_chars - 1] + "…"
    return text


def fit_tags(tags: list[str], limits: Limits, notes: list[str]) -> list[str]:
    """Return as many tags as a run may have, each fit for its column."""
    if len(tags) > limits.max_tags:
        notes.append(f"tags: the first {limits.max_tags} of {len(tags):,} were kept")
        tags = tags[: limits.max_tags]
    return [fit_text("tags", tag, limits.max_tag_chars, notes) for tag in tags]


def _payloads(
    run: WireRun, parts: dict[str, bytes] | None, limits: Limits, notes: list[str]
) -> dict[str, bytes]:
    payloads: dict[str, bytes] = {}
    size = len(run.error) if run.error else 0
    for field in PAYLOAD_FIELDS:
        text = parts.get(field) if parts else None
        if text is None:
            raw = getattr(run, field)
            if raw is ABSENT:
                continue
            text = bytes(raw)  # a copy: what is kept must not hold the whole body
        size += len(text)
        payloads[field] = text
    if size > limits.max_run_bytes:
        raise ItemTooLarge("The run", size, limits.max_run_bytes)
    for field, text in payloads.items():
        payloads[field] = keep_payload(field, text, limits, notes)
    return payloads


def _other(fields: dict[str, msgspec.Raw], limits: Limits, notes: list[str]) -> bytes:
    kept = {name: text for name, text in fields.items() if name not in _IGNORED}
    if not kept:
        return b""
    text = msgspec.json.encode(kept)
    if len(text) > limits.max_run_bytes:
        raise ItemTooLarge("The run", len(text), limits.max_run_bytes)
    return keep_payload("other", text, limits, notes)
