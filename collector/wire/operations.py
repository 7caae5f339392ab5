"""The one internal form of everything that a client may say about runs.

Every protocol is a decoder from bytes to these; the inbox holds them; the worker knows nothing else.
Payload values stay undecoded JSON text (`bytes`): nobody pays for parsing what only gets stored.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

FORMAT_VERSION = 1  # of a packed Batch; a worker refuses a version that it does not know


class RunOperation(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """One create (LangSmith: post) or update (patch) of one run. None and b"" mean "not given".

    Values are already storable: no NUL and no lone surrogate in any `str`; every `bytes` payload is
    valid UTF-8 JSON text (an escaped NUL may stand in it: payloads are stored as bytes).
    """

    id: UUID
    is_update: bool = False
    received_at: datetime
    # Where it belongs. `project` names it or `project_id` is it; None: wherever the run already is.
    project: str | None = None
    project_id: UUID | None = None
    trace_id: UUID | None = None
    parent_run_id: UUID | None = None
    dotted_order: str | None = None
    day: date | None = None  # of the trace: its partition. None: to be found by the worker
    is_provisional: bool = False  # trace and day are the worker's guess
    # Scalars
    name: str | None = None
    run_type: str | None = None
    start_time: datetime | None = None  # aware, UTC
    end_time: datetime | None = None
    # A hint of clients that know more: interrupted, cancelled, incomplete
    status: str | None = None
    error: str | None = None
    tags: list[str] | None = None
    reference_example_id: UUID | None = None
    # Of an OpenTelemetry span, as a signed 64-bit number: by it other spans name it as their parent
    span_id: int | None = None
    # Payloads, JSON text
    inputs: bytes = b""
    outputs: bytes = b""
    events: bytes = b""
    extra: bytes = b""
    serialized: bytes = b""
    other: bytes = b""  # a JSON object of wire fields that Runwood has no name for
    notes: list[str] | None = None  # what the edge had to change to make the run storable

    @property
    def is_placed(self) -> bool:
        """Whether the worker can write it without looking anything up."""
        return self.trace_id is not None and self.day is not None

    @property
    def is_span(self) -> bool:
        """Whether it came from OpenTelemetry: then the worker that writes it finds the day by itself."""
        return self.span_id is not None


class FeedbackOperation(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """A scored judgement on a run (LangSmith protocol 3.9), last writer by `modified_at` wins."""

    id: UUID
    received_at: datetime
    project: str | None = None
    project_id: UUID | None = None
    run_id: UUID | None = None
    trace_id: UUID | None = None
    key: str
    score: float | None = None
    value: bytes = b""
    comment: str | None = None
    correction: bytes = b""
    feedback_source: bytes = b""
    other: bytes = b""
    created_at: datetime | None = None
    modified_at: datetime | None = None


class AttachmentOperation(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """A file that belongs to a run."""

    run_id: UUID
    name: str
    mime_type: str
    data: bytes
    project_id: UUID | None = None
    trace_id: UUID | None = None
    day: date | None = None


class Rejection(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Why one run, feedback or attachment of a request was refused while its siblings were kept."""

    id: str
    reason: str
    code: str


class Batch(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What one inbox row holds: the accepted part of one request for one project."""

    version: int = FORMAT_VERSION
    runs: list[RunOperation] = []
    feedback: list[FeedbackOperation] = []
    attachments: list[AttachmentOperation] = []


class ClientReport(msgspec.Struct, kw_only=True):
    """What our own handler says of itself, and what it had to drop: totals of its process."""

    process: str = ""  # whose totals these are
    name: str = ""
    version: str = ""
    dropped: dict[str, dict[str, int]] = {}  # project → runs, ends or payloads → how many

    @property
    def dropped_count(self) -> int:
        return sum(sum(counts.values()) for counts in self.dropped.values())


class DecodedRequest(msgspec.Struct, kw_only=True):
    """What a decoder made of one request body."""

    runs: list[RunOperation] = []
    feedback: list[FeedbackOperation] = []
    attachments: list[AttachmentOperation] = []
    rejected: list[Rejection] = []
    ignored: list[str] = []  # parts that no client of ours is known to send, by name
    client: ClientReport | None = None

    @property
    def is_storable(self) -> bool:
        """Whether anything at all came through."""
        return bool(self.runs or self.feedback or self.attachments)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def pack_batch(batch: Batch) -> bytes:
    return _encoder.encode(batch)


def unpack_batch(packed: bytes) -> Batch:
    """Raises msgspec.ValidationError where the bytes are not a Batch."""
    return _decoder.decode(packed)
