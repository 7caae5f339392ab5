"""JSON bodies: POST /runs, PATCH /runs/{id} and POST /runs/batch → `DecodedRequest`."""

from __future__ import annotations

from itertools import islice
from typing import TypeVar
from uuid import UUID

import msgspec

from collector.wire.errors import (
    BodyError,
    EmptyBody,
    ItemError,
    MalformedItem,
    MalformedJson,
    TooLarge,
    WrongShape,
)
from collector.wire.jsontext import find_items, has_member_twice, has_more_values_than, is_utf8
from collector.wire.limits import Limits
from collector.wire.operations import ClientReport, DecodedRequest, Rejection
from collector.wire.payloads import is_placeholder
from collector.wire.runs import Reading, decode_run, keep_placeholder, make_operation
from collector.wire.wirerun import WireRun, guess_id

_Run = TypeVar("_Run", WireRun, msgspec.Raw)
_List = list[_Run] | None | msgspec.UnsetType

_ITEM = b'{"item":'
# Of a client's report: it is logged and no more.
MAX_PROJECTS = 100
MAX_KINDS = 8
MAX_CHARS = 128


class _Body(msgspec.Struct):
    post: list[WireRun] | msgspec.UnsetType | None = msgspec.UNSET
    patch: list[WireRun] | msgspec.UnsetType | None = msgspec.UNSET
    client: msgspec.Raw = msgspec.Raw(b"")


class _Frame(msgspec.Struct):
    """The body with its runs unread."""

    post: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    patch: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    client: msgspec.Raw = msgspec.Raw(b"")


_body = msgspec.json.Decoder(_Body)
_frame = msgspec.json.Decoder(_Frame)
_raw = msgspec.json.Decoder(msgspec.Raw)
_report = msgspec.json.Decoder(ClientReport)


def decode_batch(body: bytes, reading: Reading) -> DecodedRequest:
    """Decode `{"post": [run…], "patch": [run…], "client": {…}}`. Either list may be absent or null.

    Raises:
        BodyError: nothing of it can be used.
    """
    _check(body, reading.limits)
    if is_utf8(body):
        try:
            strict = _body.decode(body)
            _check_members(body)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return _take_runs(strict, reading)
    try:
        return _take_texts(body, reading)
    except MalformedJson:
        if not is_placeholder(body):
            raise
        return DecodedRequest(runs=[keep_placeholder(body, reading, run_id=None)])


def decode_one(
    body: bytes, reading: Reading, *, is_update: bool, run_id: UUID | None = None
) -> DecodedRequest:
    """Decode the body of POST /runs (a create) or PATCH /runs/{run_id} (an update).

    Raises:
        BodyError: it is no JSON.
    """
    _check(body, reading.limits)
    decoded = DecodedRequest()
    try:
        decoded.runs.append(decode_run(body, reading, is_update=is_update, run_id=run_id))
    except ItemError as exc:
        if is_placeholder(body):
            return DecodedRequest(runs=[keep_placeholder(body, reading, run_id=run_id)])
        if isinstance(exc, MalformedItem):
            raise MalformedJson(exc.reason) from exc
        decoded.rejected.append(_rejection(exc, str(run_id) if run_id else guess_id(body)))
    return decoded


def _check(body: bytes, limits: Limits) -> None:
    if not body.strip():
        raise EmptyBody
    if has_more_values_than(limits.max_json_values, [body]):
        raise TooLarge("JSON values", limits.max_json_values)


def _take_runs(body: _Body, reading: Reading) -> DecodedRequest:
    decoded = DecodedRequest(client=_read_report(body.client))
    for runs, is_update in _lists(body.post, body.patch, reading.limits):
        for run in runs:
            try:
                decoded.runs.append(make_operation(run, reading, is_update=is_update))
            except ItemError as exc:
                decoded.rejected.append(_rejection(exc, str(run.id or "")))
    return decoded


def _take_texts(body: bytes, reading: Reading) -> DecodedRequest:
    """Read run by run: something in the body is no strict JSON, or not what the fields want."""
    frame, items = _split(body)
    decoded = DecodedRequest(client=_read_report(frame.client))
    for texts, is_update in _lists(frame.post, frame.patch, reading.limits):
        for raw in texts:
            text = bytes(raw)
            if items is not None and text.startswith(_ITEM):  # every object is one by now
                text = items[int(text[len(_ITEM) : -1])]
            try:
                decoded.runs.append(decode_run(text, reading, is_update=is_update))
            except ItemError as exc:
                decoded.rejected.append(_rejection(exc, guess_id(text)))
    return decoded


def _split(body: bytes) -> tuple[_Frame, list[bytes] | None]:
    """Return the frame, and the runs' texts where they had to be cut out of it unparsed."""
    try:
        frame = _frame.decode(body)
        _check_members(body)
        return frame, None
    except msgspec.ValidationError as exc:
        raise _wrong_shape(body, exc) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        text, items = find_items(body)
        problem = MalformedJson(f"The body is not valid JSON: {_where(exc)}")
    try:
        frame = _frame.decode(text)
        _check_members(text)
        return frame, items
    except msgspec.ValidationError as exc:
        raise _wrong_shape(text, exc) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise problem from exc


def _check_members(text: bytes) -> None:
    """Of two members of one name a parser keeps the last: runs would be lost without a word."""
    for name in (b"post", b"patch"):
        if has_member_twice(text, name):
            raise MalformedJson(f'The body has "{name.decode()}" twice.')


def _wrong_shape(text: bytes, error: msgspec.ValidationError) -> BodyError:
    """Tell JSON of another shape from what only begins like it: msgspec stops at the first wrong type."""
    try:
        _raw.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        return MalformedJson(f"The body is not valid JSON: {_where(exc)}")
    return WrongShape(f"The body is no batch of runs: {error}.")


def _where(error: Exception) -> str:
    return "it nests too deep." if isinstance(error, RecursionError) else f"{error}."


def _lists(
    post: _List[_Run], patch: _List[_Run], limits: Limits
) -> tuple[tuple[list[_Run], bool], tuple[list[_Run], bool]]:
    if post is msgspec.UNSET and patch is msgspec.UNSET:
        raise WrongShape('The body has neither "post" nor "patch": each is a list of runs.')
    creates, updates = post or [], patch or []
    if len(creates) + len(updates) > limits.max_runs:
        raise TooLarge("runs", limits.max_runs, "RUNWOOD_MAX_RUNS_PER_REQUEST")
    return (creates, False), (updates, True)


def _rejection(error: ItemError, run_id: str) -> Rejection:
    return Rejection(id=run_id, reason=error.reason, code=error.code)


def _read_report(text: msgspec.Raw) -> ClientReport | None:
    """Return the client's report. One that cannot be read is no reason to lose runs."""
    if not bytes(text):
        return None
    try:
        report = _report.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return ClientReport(
        process=report.process[:MAX_CHARS],
        name=report.name[:MAX_CHARS],
        version=report.version[:MAX_CHARS],
        dropped={
            project[:MAX_CHARS]: {
                kind[:MAX_CHARS]: count for kind, count in islice(counts.items(), MAX_KINDS)
            }
            for project, counts in islice(report.dropped.items(), MAX_PROJECTS)
        },
    )
