"""Operations → the bodies of `POST /runs/batch`: LangSmith's JSON, compressed with zstd.

Each run is encoded alone: one that cannot be costs only itself, and a body can be split without
encoding anything again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from runwood.recording.answer import AnswerSoFar
from runwood.recording.operation import PAYLOAD_FIELDS, Operation
from runwood.values.secrets import hide_secrets

# The server announces 100 runs; a body of this size takes it some milliseconds. Over it a body is cut.
MAX_BATCH_RUNS = 100
MAX_BATCH_BYTES = 5 << 20
ZSTD_LEVEL = 3  # measured: docs/decisions/0006-client-wire.md

_BIGGEST = 1 << 64
_SMALLEST = -(1 << 63)
_REPLACEMENT = "\ufffd"


@dataclass
class EncodedRun:
    """One run of a body."""

    run_id: str
    project: str
    is_update: bool
    data: bytes
    is_reduced: bool = False

    def reduce(self) -> None:
        """Drop the payloads: the server found the run too large."""
        body = orjson.loads(self.data)
        left_out = [name for name in PAYLOAD_FIELDS if body.pop(name, None) is not None]
        body["extra"] = {"runwood": {"left_out": left_out, "bytes": len(self.data)}}
        self.data = orjson.dumps(body)
        self.is_reduced = True


def encode_operations(
    operations: list[Operation], *, redact_secrets: bool = False
) -> list[EncodedRun]:
    """Return the operations as JSON, in order, without the secrets in their texts where these are to be hidden."""
    finish = hide_secrets if redact_secrets else bytes
    encoded = []
    for operation in operations:
        body = operation.body()
        project, data = operation.run.project, finish(encode_body(body))
        encoded.append(EncodedRun(body["id"], project, operation.is_update, data))
    return encoded


def encode_body(body: dict[str, Any]) -> bytes:
    """Return a run as JSON that every parser and Postgres can take."""
    try:
        data = orjson.dumps(body, _answer_so_far)
    except (TypeError, ValueError):  # a lone surrogate, an integer over 64 bits
        data = _encode_repaired(body)
    if b"\\u0000" in data:
        data = _encode_repaired(body)
    return data


def _answer_so_far(value: Any) -> dict[str, Any]:
    """Return the outputs of a run that streams; orjson asks this for nothing else."""
    if type(value) is AnswerSoFar:
        return value.take()
    raise TypeError


def tells_end(data: bytes) -> bool:
    """Whether an update ends its run; else it is an answer so far."""
    return b'"end_time":' in data or b'"status":' in data


def cut_batches(runs: list[EncodedRun]) -> Iterator[list[EncodedRun]]:
    """Yield the runs in portions that fit one body. A run over the limit travels alone."""
    batch: list[EncodedRun] = []
    size = 0
    for run in runs:
        if batch and (len(batch) >= MAX_BATCH_RUNS or size + len(run.data) > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(run)
        size += len(run.data)
    if batch:
        yield batch


def build_body(runs: list[EncodedRun], client: dict[str, Any]) -> bytes:
    """Return the JSON body: `{"post": […], "patch": […], "client": {…}}`."""
    parts = [b'{"post":[']
    for is_update, between in ((False, b'],"patch":['), (True, b'],"client":')):
        for run in runs:
            if run.is_update is is_update:
                parts += (run.data, b",")
        if parts[-1] == b",":
            parts.pop()
        parts.append(between)
    return b"".join([*parts, orjson.dumps(client), b"}"])  # once: bodies are large


class Compressor:
    """Compresses bodies, one at a time."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)

    def compress(self, body: bytes) -> bytes:
        """Return the body as one zstd frame that tells its size."""
        return self._zstd.compress(body)


def _encode_repaired(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(_repair(body))
    except (
        TypeError,
        ValueError,
    ):  # nothing known is left that could: but the run must not be lost
        scalars = {name: item for name, item in body.items() if name not in PAYLOAD_FIELDS}
        return orjson.dumps(_repair(scalars), default=str)


def _repair(value: Any) -> Any:
    kind = type(value)
    if isinstance(value, str):
        return _repair_text(value)
    if kind is dict:
        return {_repair_text(name): _repair(item) for name, item in value.items()}
    if kind is list:
        return [_repair(item) for item in value]
    if kind is AnswerSoFar:
        return _repair(value.take())
    if kind is int and not _SMALLEST <= value < _BIGGEST:
        return _integer_text(value)
    return value


def _repair_text(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", _REPLACEMENT)


def _integer_text(value: int) -> str:
    if value.bit_length() > 4096:
        return f"<integer of {value.bit_length():,} bits>"
    return str(value)
