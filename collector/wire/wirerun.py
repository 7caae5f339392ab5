"""The JSON object of one run, read into known fields: the quick way, and the careful one.

The quick way is one strict decode into `WireRun`, which leaves payloads as undecoded text. A run that
it refuses (unknown fields, odd types, NaN, …) is read field by field, alone: its siblings do not pay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from collector.wire.errors import InvalidField, MalformedItem
from collector.wire.fields import read_error, read_tags, read_text, read_time, read_uuid
from collector.wire.jsontext import is_utf8
from collector.wire.payloads import PAYLOAD_FIELDS

Mend = Callable[[bytes], tuple[bytes, list[str]]]
ABSENT = msgspec.Raw(b"")
_ID_IN_TEXT = re.compile(rb'"id"\s*:\s*"([^"\\]{1,64})"')


class WireRun(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The fields that LangSmith's clients send (protocol facts 3.3) and our handler's `status`."""

    id: UUID | None = None
    trace_id: UUID | None = None
    parent_run_id: UUID | None = None
    dotted_order: str | None = None
    name: str | None = None
    run_type: str | None = None
    session_name: str | None = None
    session_id: UUID | None = None
    address: str | None = None
    start_time: datetime | int | float | None = None
    end_time: datetime | int | float | None = None
    status: str | None = None
    error: str | None = None
    tags: list[str] | None = None
    reference_example_id: UUID | None = None
    inputs: msgspec.Raw = ABSENT
    outputs: msgspec.Raw = ABSENT
    events: msgspec.Raw = ABSENT
    extra: msgspec.Raw = ABSENT
    serialized: msgspec.Raw = ABSENT
    child_runs: msgspec.Raw = ABSENT  # these three only so that the quick way knows them
    execution_order: msgspec.Raw = ABSENT
    child_execution_order: msgspec.Raw = ABSENT


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "id": read_uuid,
    "trace_id": read_uuid,
    "parent_run_id": read_uuid,
    "dotted_order": read_text,
    "name": read_text,
    "run_type": read_text,
    "session_name": read_text,
    "session_id": read_uuid,
    "address": read_text,
    "start_time": read_time,
    "end_time": read_time,
    "status": read_text,
    "error": read_error,
    "tags": read_tags,
    "reference_example_id": read_uuid,
}


class _OpenRun(WireRun, forbid_unknown_fields=False):
    """The same, for a run that has other fields besides."""


_strict = msgspec.json.Decoder(WireRun)
_open = msgspec.json.Decoder(_OpenRun)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_run(text: bytes, mend: Mend) -> tuple[WireRun, dict[str, msgspec.Raw], list[str]]:
    """Return the known fields, the unknown ones, and what had to be mended.

    Raises:
        MalformedItem: the text is no JSON, even after repair.
        InvalidField: a field has a type or form that cannot be stored.
        ItemTooLarge: it would have to be mended, and is too much for that.
    """
    if is_utf8(text):  # the strict decoders do not look
        try:
            return _strict.decode(text), {}, []
        except (msgspec.DecodeError, RecursionError):
            pass
        try:
            return _open.decode(text), _unknown(_fields.decode(text)), []
        except (msgspec.DecodeError, RecursionError):
            pass
    notes: list[str] = []
    try:
        fields = _decode_fields(text)
    except MalformedItem:
        text, notes = mend(text)
        fields = _decode_fields(text)
    values: dict[str, Any] = {name: fields.get(name, ABSENT) for name in PAYLOAD_FIELDS}
    for name, read in _READERS.items():
        if name in fields:
            values[name] = read(name, _decode_value(name, fields[name]))
    return WireRun(**values), _unknown(fields), notes


def _unknown(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {name: fields[name] for name in fields if name not in WireRun.__struct_fields__}


def _decode_fields(text: bytes) -> dict[str, msgspec.Raw]:
    if not is_utf8(text):
        raise MalformedItem("It is not UTF-8.")
    try:
        return _fields.decode(text)
    except msgspec.ValidationError as exc:
        raise InvalidField("run", "must be a JSON object.") from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise MalformedItem(f"It is not valid JSON: {exc}.") from exc


def _decode_value(name: str, text: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidField(name, "has a value that cannot be read.") from exc


def guess_id(text: bytes) -> str:
    """Return the id of a run that was refused, as the client wrote it; "" where none can be seen."""
    try:
        run_id = msgspec.json.decode(_fields.decode(text)["id"])
    except (KeyError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        match = _ID_IN_TEXT.search(text)
        return match[1].decode(errors="replace") if match else ""
    return str(run_id)[:64] if isinstance(run_id, str | int) else ""
