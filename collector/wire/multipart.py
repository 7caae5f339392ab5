"""POST /runs/multipart → `DecodedRequest`.

Names say what a part is: `post.<id>` and `patch.<id>` are runs without their large fields, which follow
as `post.<id>.inputs` and so on; `feedback.<id>` and `attachment.<run id>.<name>` are what they say.
Names are split at the first two dots only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from collector.wire.errors import EmptyBody, InvalidField, ItemError, ItemTooLarge, TooLarge
from collector.wire.feedback import decode_feedback
from collector.wire.fields import read_uuid, storable
from collector.wire.jsontext import has_more_values_than, is_utf8
from collector.wire.operations import (
    AttachmentOperation,
    DecodedRequest,
    Rejection,
    RunOperation,
)
from collector.wire.parts import Part, find_boundary, split_parts
from collector.wire.payloads import PAYLOAD_FIELDS, is_placeholder, wrap_text
from collector.wire.runs import Reading, make_operation, read_one
from collector.wire.wirerun import WireRun

MAX_NAME_CHARS = 255  # of an attachment, and of its media type
MAX_IGNORED = 20  # names given back; a client that sends nonsense need not hear all of it

_PAYLOADS = {name.encode(): name for name in PAYLOAD_FIELDS}
_raw = msgspec.json.Decoder(msgspec.Raw)


@dataclass(slots=True)
class _RunParts:
    """The parts of one operation on one run."""

    kind: bytes
    id_bytes: bytes
    main: bytes | None = None
    fields: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def id_text(self) -> str:
        return _text(self.id_bytes[:64])


@dataclass(slots=True)
class _Sorted:
    """The parts of a request, by what they are."""

    runs: list[_RunParts] = field(default_factory=list)
    feedback: list[tuple[str, bytes]] = field(default_factory=list)
    attachments: list[tuple[str, str, Part]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def json_texts(self) -> list[bytes]:
        texts = [text for run in self.runs for text in (run.main or b"", *run.fields.values())]
        return texts + [text for _, text in self.feedback]


def decode_multipart(body: bytes, content_type: str, reading: Reading) -> DecodedRequest:
    """Decode a multipart body that is complete and decompressed.

    Raises:
        BodyError: nothing of it can be used.
    """
    if not body:
        raise EmptyBody
    limits = reading.limits
    found = _sort_parts(body, find_boundary(content_type), reading)
    if len(found.runs) > limits.max_runs:
        raise TooLarge("runs", limits.max_runs, "RUNWOOD_MAX_RUNS_PER_REQUEST")
    if has_more_values_than(limits.max_json_values, found.json_texts()):
        raise TooLarge("JSON values", limits.max_json_values)
    decoded = DecodedRequest(ignored=found.ignored)
    for parts in found.runs:
        try:
            decoded.runs.append(_decode_run(parts, reading))
        except ItemError as exc:
            decoded.rejected.append(_rejection(parts.id_text, exc))
    for id_text, text in found.feedback:
        try:
            item_id = read_uuid("feedback", id_text)
            decoded.feedback.append(decode_feedback(text, reading, feedback_id=item_id))
        except ItemError as exc:
            decoded.rejected.append(_rejection(id_text, exc))
    _take_attachments(found, decoded, reading)
    return decoded


def _sort_parts(body: bytes, boundary: bytes, reading: Reading) -> _Sorted:
    found = _Sorted()
    open_runs: dict[tuple[bytes, bytes], _RunParts] = {}
    for part in split_parts(body, boundary, reading.limits):
        kind, _, rest = part[0].partition(b".")
        id_bytes, _, name = rest.partition(b".")
        if kind in (b"post", b"patch") and id_bytes:
            run = open_runs.get((kind, id_bytes))
            if run is None or (not name and run.main is not None):  # the same run a second time
                run = open_runs[kind, id_bytes] = _RunParts(kind, id_bytes)
                found.runs.append(run)
            if name:
                run.fields[name] = part[2]
            else:
                run.main = part[2]
        elif kind == b"feedback" and id_bytes and not name:
            found.feedback.append((_text(id_bytes[:64]), part[2]))
        elif kind == b"attachment" and name:
            found.attachments.append((_text(id_bytes[:64]), _text(name)[:MAX_NAME_CHARS], part))
        elif len(found.ignored) < MAX_IGNORED:
            found.ignored.append(_text(part[0])[:MAX_NAME_CHARS])
    return found


def _decode_run(parts: _RunParts, reading: Reading) -> RunOperation:
    is_update = parts.kind == b"patch"
    run_id = read_uuid("The id in the part's name", parts.id_text)
    other: dict[str, msgspec.Raw] = {}
    notes: list[str] = []
    if parts.main is not None and is_placeholder(parts.main):
        # An update, whatever it was: it says nothing of the run but its id, and must not place it.
        is_update, run = True, WireRun()
        other["__raw__"] = msgspec.Raw(msgspec.json.encode(_text(parts.main)))
        notes.append("run: is no JSON; its text is kept under __raw__")
    elif parts.main is not None:
        run, other, notes = read_one(parts.main, reading)
    elif is_update:
        run = WireRun()
    else:  # without project, trace and time there is no telling where it belongs
        raise InvalidField("run", "only parts of it were sent, not the run itself.")
    payloads = _strict_payloads(parts.fields)
    if payloads is None:
        payloads = _careful_payloads(parts.fields, run, other, reading, notes)
    return make_operation(
        run, reading, is_update=is_update, run_id=run_id, other=other, parts=payloads, notes=notes
    )


def _strict_payloads(fields: dict[bytes, bytes]) -> dict[str, bytes] | None:
    """Return the payloads if each is known, and valid JSON with nothing around it; else None."""
    payloads: dict[str, bytes] = {}
    try:
        for name, text in fields.items():
            if text[0] <= 0x20 or text[-1] <= 0x20:
                return None
            if not text.isascii():
                text.decode()
            _raw.decode(text)
            payloads[_PAYLOADS[name]] = text
    except (IndexError, KeyError, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return None
    return payloads


def _careful_payloads(
    fields: dict[bytes, bytes],
    run: WireRun,
    other: dict[str, msgspec.Raw],
    reading: Reading,
    notes: list[str],
) -> dict[str, bytes]:
    """Return the payloads, mended; put `error` into the run, and what has no name here into `other`."""
    size, limit = sum(map(len, fields.values())), reading.limits.max_run_bytes
    if size > limit:
        raise ItemTooLarge("The run", size, limit)
    payloads: dict[str, bytes] = {}
    for name_bytes, text in fields.items():
        if name_bytes == b"error":
            run.error = _error_part(text)
            continue
        name = _text(name_bytes)
        json_text = _json_part(name, text, reading, notes)
        if name_bytes in _PAYLOADS:
            payloads[name] = json_text
        else:
            other[name] = msgspec.Raw(json_text)
    return payloads


def _json_part(name: str, text: bytes, reading: Reading, notes: list[str]) -> bytes:
    """Return the part as valid JSON; one that is none, as a string in a wrapper of ours."""
    text = text.strip()
    if not text:
        return b"null"
    if is_utf8(text) and _is_json(text):
        return text
    mended, changes = reading.mend(text, max_depth=reading.limits.max_depth)
    if not _is_json(mended):
        notes.append(f"{name}: is no JSON; its text is kept under __raw__")
        return wrap_text(name, text)
    notes += [f"{name}: {change}" for change in changes]
    return mended


def _is_json(text: bytes) -> bool:
    try:
        _raw.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _error_part(text: bytes) -> str | None:
    """Return the error: a JSON string, or whatever else the client wrote."""
    if not text or text == b"null":
        return None
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return text.decode(errors="replace")


def _take_attachments(found: _Sorted, decoded: DecodedRequest, reading: Reading) -> None:
    kept_runs = {run.id for run in decoded.runs}
    refused_runs = {run.id_text.lower().replace("-", "") for run in found.runs}
    refused_runs -= {run_id.hex for run_id in kept_runs}
    counts: dict[UUID, int] = {}
    for id_text, name, part in found.attachments:
        try:
            run_id = read_uuid("attachment", id_text)
            if run_id is None:
                raise InvalidField("attachment", "names no run.")
            if run_id.hex in refused_runs:
                raise InvalidField("attachment", "its run was refused.")
            count = counts.get(run_id, 0)
            decoded.attachments.append(_attachment(run_id, name, part, count, reading))
            counts[run_id] = count + 1
        except ItemError as exc:
            decoded.rejected.append(_rejection(f"{id_text}/{name}", exc))


def _attachment(
    run_id: UUID, name: str, part: Part, count: int, reading: Reading
) -> AttachmentOperation:
    limits = reading.limits
    if len(part[2]) > limits.max_attachment_bytes:
        raise ItemTooLarge("The attachment", len(part[2]), limits.max_attachment_bytes)
    if count >= limits.max_attachments:
        raise InvalidField("attachment", f"a run has at most {limits.max_attachments}.")
    return AttachmentOperation(
        run_id=run_id,
        name=name,
        mime_type=_text(part[1])[:MAX_NAME_CHARS],
        data=part[2],
    )


def _rejection(item_id: str, error: ItemError) -> Rejection:
    return Rejection(id=item_id[:MAX_NAME_CHARS], reason=error.reason, code=error.code)


def _text(name: bytes) -> str:
    return storable(name.decode(errors="replace"))
