"""A feedback object (LangSmith protocol facts 3.9) → `FeedbackOperation`."""

from __future__ import annotations

import math
import uuid
from typing import Any
from uuid import UUID

import msgspec

from collector.wire.address import named_project
from collector.wire.errors import (
    EmptyBody,
    InvalidField,
    ItemError,
    ItemTooLarge,
    MalformedItem,
    MalformedJson,
)
from collector.wire.fields import json_type, read_text, read_time, read_uuid, storable
from collector.wire.jsontext import is_utf8
from collector.wire.operations import DecodedRequest, FeedbackOperation, Rejection
from collector.wire.payloads import keep_payload
from collector.wire.runs import Reading

_READERS: dict[str, Any] = {
    "id": read_uuid,
    "run_id": read_uuid,
    "trace_id": read_uuid,
    "session_id": read_uuid,
    "session_name": read_text,
    "address": read_text,
    "key": read_text,
    "comment": read_text,
    "created_at": read_time,
    "modified_at": read_time,
}
_JSON = ("value", "correction", "feedback_source")

# What PATCH may change beside the fields that have columns.
_KEPT = ("feedback_config", "extra", "error", "feedback_group_id", "comparative_experiment_id")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class FeedbackChange(msgspec.Struct, kw_only=True):
    """What an update sets. UNSET stays as it is; None and b"" clear."""

    score: float | msgspec.UnsetType | None = msgspec.UNSET
    comment: str | msgspec.UnsetType | None = msgspec.UNSET
    value: bytes | msgspec.UnsetType = msgspec.UNSET
    correction: bytes | msgspec.UnsetType = msgspec.UNSET
    other: bytes = b""  # an object, whose fields are set one by one


def decode_feedback(
    text: bytes,
    reading: Reading,
    *,
    feedback_id: UUID | None = None,
    spare_id: UUID | None = None,
) -> FeedbackOperation:
    """Return the operation. `feedback_id` (of the part's name) wins over the object's `id`, that over `spare_id`.

    Raises:
        ItemError: the feedback cannot be stored, and why.
    """
    limits = reading.limits
    fields = _read_fields(text, reading)
    values = {name: read(name, _value(name, fields)) for name, read in _READERS.items()}
    item_id = feedback_id or values["id"] or spare_id
    if item_id is None:
        raise InvalidField("id", "is missing.")
    if not values["key"]:
        raise InvalidField("key", "is missing.")
    known = {*_READERS, *_JSON, "score"}
    other = {name: fields[name] for name in fields if name not in known}
    return FeedbackOperation(
        id=item_id,
        received_at=reading.received_at,
        project=_cut(
            named_project(values["session_name"], values["address"]), limits.max_project_chars
        ),
        project_id=values["session_id"],
        run_id=values["run_id"],
        trace_id=values["trace_id"],
        key=storable(values["key"])[: limits.max_key_chars],
        score=_score(_value("score", fields)),
        comment=values["comment"] and storable(values["comment"]),
        created_at=values["created_at"],
        modified_at=values["modified_at"],
        other=msgspec.json.encode(other) if other else b"",
        **{name: _json(name, fields.get(name), reading) for name in _JSON},
    )


def decode_feedback_body(body: bytes, reading: Reading) -> DecodedRequest:
    """Decode the body of POST /feedback: one feedback object. One without an id is given one.

    Raises:
        BodyError: there is nothing, or no JSON.
    """
    if not body.strip():
        raise EmptyBody
    decoded = DecodedRequest()
    try:
        decoded.feedback.append(decode_feedback(body, reading, spare_id=uuid.uuid4()))
    except MalformedItem as exc:
        raise MalformedJson(exc.reason) from exc
    except ItemError as exc:
        decoded.rejected.append(Rejection(id="", reason=exc.reason, code=exc.code))
    return decoded


def decode_feedback_change(body: bytes, reading: Reading) -> FeedbackChange:
    """Decode the body of PATCH /feedback/{id}: what is named is set, null clears it, all else stays.

    Raises:
        ItemError: a field cannot be stored, and why.
    """
    fields = _read_fields(body or b"{}", reading)
    comment = read_text("comment", _value("comment", fields))
    change = FeedbackChange(
        score=_score(_value("score", fields)) if "score" in fields else msgspec.UNSET,
        comment=(comment and storable(comment)) if "comment" in fields else msgspec.UNSET,
        **{
            name: _json(name, fields[name], reading)
            for name in ("value", "correction")
            if name in fields
        },
    )
    kept = {name: fields[name] for name in _KEPT if name in fields}
    change.other = msgspec.json.encode(kept) if kept else b""
    return change


def _cut(text: str | None, max_chars: int) -> str | None:
    """Return the text as a run's `session_name` is kept, so that both name the same project."""
    if not text:
        return None
    text = storable(text)
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _read_fields(text: bytes, reading: Reading) -> dict[str, msgspec.Raw]:
    limits = reading.limits
    if len(text) > limits.max_feedback_bytes:
        raise ItemTooLarge("The feedback", len(text), limits.max_feedback_bytes)
    if not is_utf8(text):
        text, _ = reading.mend(text, max_depth=limits.max_depth)
    return _decode_fields(text, reading)


def _decode_fields(text: bytes, reading: Reading) -> dict[str, msgspec.Raw]:
    try:
        return _fields.decode(text)
    except (msgspec.DecodeError, RecursionError):
        text, _ = reading.mend(text, max_depth=reading.limits.max_depth)
    try:
        return _fields.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise MalformedItem("Feedback must be a JSON object.") from exc


def _value(name: str, fields: dict[str, msgspec.Raw]) -> Any:
    if name not in fields:
        return None
    try:
        return msgspec.json.decode(fields[name])
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidField(name, "has a value that cannot be read.") from exc


def _score(value: Any) -> float | None:
    """Return the number; a boolean counts as 1 or 0, and NaN (a string by now) as no score."""
    if value is None or value in ("NaN", "Infinity", "-Infinity"):
        return None
    if not isinstance(value, int | float):
        raise InvalidField("score", f"must be a number or a boolean, not {json_type(value)}.")
    try:
        score = float(value)
    except OverflowError as exc:
        raise InvalidField("score", "is a number that is too large.") from exc
    return score if math.isfinite(score) else None


def _json(name: str, text: msgspec.Raw | None, reading: Reading) -> bytes:
    return b"" if text is None else keep_payload(name, bytes(text), reading.limits, notes=[])
