"""Operations on runs → one `MergedRun` each. Pure: no Django, no database.

The invariant that all storage relies on: the result depends on the *set* of operations only, never on
their order, repetition or split (LangSmith protocol 3.5). `versions.py` says who wins; per field the
highest version that gives a value wins; `extra` is merged one level deep, and its `metadata` and
`runtime` one level deeper; null never erases.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from collector.storage import jsonvalue
from collector.storage.blocks import PayloadLayer, prune
from collector.storage.preview import preview
from collector.storage.row import COUNTED_RUN_TYPES, STATUS_HINTS, RunRow
from collector.storage.terms import OVERFLOW, Kind, Terms
from collector.storage.usage import find_exact_usage, find_model, find_provider, find_usage
from collector.storage.versions import operation_version
from collector.wire.dotted_order import last_segment_time
from collector.wire.fields import utc
from collector.wire.operations import RunOperation

# Past this a payload is not parsed for its one-line preview: 256 KB cost about half a millisecond.
MAX_PREVIEWED_BYTES = 256 * 1024
MAX_ERROR_CHARACTERS = 300  # of the first line, in the row; the whole text lies in the payload
THREAD_KEYS = ("session_id", "thread_id", "conversation_id")
MAX_INDEXED_CHARACTERS = 256  # a longer value would not fit an index page


class MergedRun:
    """All that one drain says of one run: its row so far, its payload layers, lowest first, its terms."""

    __slots__ = ("layers", "row", "terms")

    def __init__(self, row: RunRow, layers: list[PayloadLayer], terms: set[int]) -> None:
        self.row = row
        self.layers = layers
        self.terms = terms


def merge_operations(project_id: UUID, operations: Iterable[RunOperation]) -> list[MergedRun]:
    """Fold placed operations by (day, trace, run); the result is sorted by that key."""
    groups: dict[tuple[date, UUID, UUID], dict[int, RunOperation]] = {}
    for operation in operations:
        assert operation.trace_id is not None
        assert operation.day is not None
        key = (operation.day, operation.trace_id, operation.id)
        groups.setdefault(key, {}).setdefault(operation_version(operation), operation)
    payload_terms = PayloadTerms(_terms(project_id))
    return [
        _merge_run(project_id, *key, sorted(versions.items()), payload_terms)
        for key, versions in sorted(groups.items())
    ]


@lru_cache(maxsize=64)
def _terms(project_id: UUID) -> Terms:
    return Terms(project_id)


class PayloadTerms:
    """The terms of payloads, each made once a drain: a chain's inputs are its first step's as well."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._made: dict[tuple[Kind, bytes], set[int]] = {}

    def of(self, kind: Kind, key_kind: Kind, payload: bytes, value: Any) -> set[int]:
        """Return the terms of a payload and its parsed value, which is None where it was too large."""
        made = self._made.get((kind, payload))
        if made is None:
            made = self.terms.of_pairs(key_kind, kind, value)
            if value is None and len(payload) > MAX_PREVIEWED_BYTES:
                made.add(OVERFLOW)
            self._made[kind, payload] = made
        return made

    def of_row(self, row: RunRow) -> set[int]:
        """Return the terms of what stands in the row."""
        term = self.terms.term
        made = {term("tag", tag) for tag in row.tags or ()}
        if row.name is not None:
            made.add(term("name", row.name))
        if row.model is not None:
            made.add(term("model", row.model))
        if row.error or row.status == "cancelled":
            made.add(term("error", ""))
        return made


def _merge_run(
    project_id: UUID,
    day: date,
    trace_id: UUID,
    run_id: UUID,
    versions: list[tuple[int, RunOperation]],
    payload_terms: PayloadTerms,
) -> MergedRun:
    heard_at = min(operation.received_at for _, operation in versions)
    row = RunRow(project_id, day, trace_id, run_id, heard_at)
    # A preview is plain last-writer-wins, so only the winning inputs need to be parsed for theirs;
    # outputs also give model and tokens, which a higher operation may lack.
    top_inputs = max((version for version, operation in versions if operation.inputs), default=0)
    extra: tuple[bytes, dict[str, Any]] = (b"", {})
    terms: set[int] = set()
    for version, operation in versions:
        _set_scalars(row, version, operation)
        if version == top_inputs:
            text, inputs = _preview(operation.inputs)
            row.set("inputs_preview", version, text)
            terms |= payload_terms.of("input", "input_key", operation.inputs, inputs)
        if operation.extra != extra[0]:  # an update often repeats its create's
            extra = (operation.extra, jsonvalue.parse_object(operation.extra))
            terms |= payload_terms.of(
                "metadata", "metadata_key", operation.extra, extra[1].get("metadata")
            )
        outputs = None
        if operation.outputs:
            is_growing = operation.is_update and not (operation.end_time or operation.status)
            text, outputs = _preview(operation.outputs, is_growing=is_growing)
            row.set("outputs_preview", version, text)
            terms |= payload_terms.of("output", "output_key", operation.outputs, outputs)
        _set_derived(row, version, operation, extra[1] if operation.extra else {}, outputs)
    row.settle()
    terms |= payload_terms.of_row(row)
    return MergedRun(row, prune([_payload_layer(*item) for item in versions]), terms)


_SCALARS = (
    "name", "run_type", "parent_run_id", "start_time", "end_time", "tags", "reference_example_id",
    "span_id",
)  # fmt: skip


def _set_scalars(row: RunRow, version: int, operation: RunOperation) -> None:
    for register in _SCALARS:
        value = getattr(operation, register)
        if value is not None:
            row.set(register, version, value)
    if operation.dotted_order is not None:
        row.set("position", version, last_segment_time(operation.dotted_order))
    if operation.error:
        row.set("error", version, _first_line(operation.error))
    if operation.status in STATUS_HINTS:
        row.set("status", version, operation.status)
    elif operation.end_time is not None:
        row.set(
            "status", version, ""
        )  # a later end without a hint ends the hint; settle() fills it


def _set_derived(
    row: RunRow, version: int, operation: RunOperation, extra: dict[str, Any], outputs: Any
) -> None:
    """Set what is dug out of the payloads. Looks at this operation alone: that keeps it order-free."""
    metadata = extra.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    thread_id = next((word for key in THREAD_KEYS if (word := _word(metadata.get(key)))), None)
    if thread_id is not None:
        row.set("thread_id", version, thread_id)
    user_id = _word(metadata.get("user_id")) or _word(metadata.get("ls_user_id"))
    if user_id is not None:
        row.set("user_id", version, user_id)
    is_model = operation.run_type in (None, *COUNTED_RUN_TYPES)
    serialized = operation.serialized if is_model else b""
    model = _word(find_model(extra, metadata, outputs, serialized))
    if model is not None:
        row.set("model", version, model)
    provider = _word(find_provider(extra, metadata, outputs))
    if provider is not None:
        row.set("provider", version, provider)
    _set_usage(row, version, operation, metadata, outputs)
    first_token_time = _first_token_time(operation.events)
    if first_token_time is not None:
        row.set("first_token_time", version, first_token_time)


def _set_usage(
    row: RunRow, version: int, operation: RunOperation, metadata: dict[str, Any], outputs: Any
) -> None:
    usage = find_usage(metadata, outputs)
    if usage is not None and usage.costs is not None:
        usage = find_exact_usage(operation.extra, operation.outputs) or usage
    if usage is None:
        return
    if usage.tokens is not None or usage.details is not None:
        row.set("prompt_tokens", version, *(usage.tokens or (None, None, None)), usage.details)
    if usage.costs is not None:
        row.set("prompt_cost", version, *usage.costs)


def _preview(payload: bytes, *, is_growing: bool = False) -> tuple[str, Any]:
    """Return the preview ("" where there are no words) and the parsed value (None where too large)."""
    if len(payload) > MAX_PREVIEWED_BYTES and not _may_hold_usage(payload):
        return f"{len(payload) / 1e6:.1f} MB of JSON", None
    value = jsonvalue.parse(payload)
    return preview(value, is_growing=is_growing) or "", value


def _may_hold_usage(payload: bytes) -> bool:
    return b"usage" in payload or b"Usage" in payload


def _word(value: Any) -> str | None:
    """Return a metadata value as text fit for an index, or None where it is no word."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        return None
    return _storable(str(value)[:MAX_INDEXED_CHARACTERS])


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _first_line(error: str) -> str:
    line = next((line for line in error[:4000].splitlines() if line.strip()), "error")
    return line.strip()[:MAX_ERROR_CHARACTERS]


def _first_token_time(events: bytes) -> datetime | None:
    """Return the earliest time of a new_token event of the run itself."""
    if b"new_token" not in events:
        return None
    value = jsonvalue.parse(events)
    times = [
        time
        for event in (value if isinstance(value, list) else [])
        if isinstance(event, dict)
        and event.get("name") == "new_token"
        and (time := _event_time(event.get("time"))) is not None
    ]
    return min(times, default=None)


def _event_time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return utc(datetime.fromisoformat(value))
    except ValueError:
        return None


def _payload_layer(version: int, operation: RunOperation) -> PayloadLayer:
    return PayloadLayer(
        version=version,
        inputs=operation.inputs,
        outputs=operation.outputs,
        events=operation.events,
        extra=operation.extra,
        serialized=operation.serialized,
        error=operation.error or "",
        other=operation.other,
        notes=operation.notes or [],
        reference_example_id=operation.reference_example_id,
    )
