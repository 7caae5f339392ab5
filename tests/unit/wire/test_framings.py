"""However a client frames a request, the same comes out of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.batch import decode_batch
from collector.wire.encoding import decode_body
from collector.wire.limits import DEFAULT_LIMITS
from collector.wire.multipart import decode_multipart
from collector.wire.operations import DecodedRequest
from collector.wire.runs import Reading
from tests.unit.wire.support import RECEIVED_AT

FIELDS = ("inputs", "outputs", "events", "extra", "serialized", "error")


@dataclass
class Run:
    """What a request says of one run."""

    kind: str  # post or patch
    id: UUID
    main: dict[str, Any]
    fields: dict[str, Any]
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


@dataclass
class Framing:
    """How one client writes its requests."""

    boundary: str
    length: str  # header, parameter, both, none or wrong
    filename: str
    inline: frozenset[str]  # fields that stay in the run's own JSON
    headers: str  # usual, swapped or lower
    preamble: bytes
    epilogue: bytes
    compression: str


clients = {  # protocol facts 3.2
    "Python": ("7efff9633b68442c9326f08d728d2d90", "header", "", "usual"),
    "JS": ("----LangSmithFormBoundary-xX1", "parameter", "", "usual"),
    "JS 0.1": ("----formdata-undici-012345678901", "parameter", '; filename="blob"', "usual"),
    "curl": ("------------------------0123456789abcdef", "none", '; filename="a.json"', "usual"),
}
OTHER_BOUNDARIES = ["a", "x'y", "=_b.1", "0" * 70]
others = st.tuples(
    st.sampled_from(OTHER_BOUNDARIES),
    st.sampled_from(["header", "parameter", "both", "none", "wrong"]),
    st.sampled_from(["", '; filename="blob"', "; filename=name", "; filename*=UTF-8''x"]),
    st.sampled_from(["usual", "swapped", "lower"]),
)

# What looks like the end of a part, and is one in some framings
boundary_lines = st.builds(
    "\r\n--{}{}\r\n\r\n".format,
    st.sampled_from([*OTHER_BOUNDARIES, *(client[0] for client in clients.values())]),
    st.sampled_from(["", "--", "0"]),
).map(str.encode)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=6), values, max_size=3)
runs = st.builds(
    Run,
    kind=st.sampled_from(["post", "patch"]),
    id=st.uuids(),
    main=st.fixed_dictionaries(
        {"name": st.text(max_size=10), "start_time": st.integers(10**12, 2 * 10**12)},
        optional={"tags": st.none() | st.lists(st.text(max_size=4)), "unknown": values},
    ),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "inputs": values,
            "outputs": objects,
            "events": st.lists(objects, max_size=2),
            "extra": objects,
            "serialized": st.none() | objects,
            "error": st.none() | st.text(max_size=9),
        },
    ),
    files=st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_characters='%"\\\r\n\0'), min_size=1, max_size=8
        ),
        st.tuples(
            st.sampled_from(["image/png", "text/plain"]),
            st.binary(max_size=30) | st.sampled_from([b"\r\n--", b"--\r\n"]) | boundary_lines,
        ),
        max_size=2,
    ),
)
requests = st.lists(runs, min_size=1, max_size=4, unique_by=lambda run: (run.kind, run.id))


@st.composite
def framings(draw: st.DrawFn) -> Framing:
    boundary, length, filename, headers = draw(st.sampled_from(list(clients.values())) | others)
    return Framing(
        boundary=boundary,
        length=length,
        filename=filename,
        headers=headers,
        inline=draw(st.frozensets(st.sampled_from(FIELDS))),
        preamble=draw(st.sampled_from([b"", b"preamble\r\n", b"\r\n"])),
        epilogue=draw(st.sampled_from([b"", b"\r\n", b"\r\nepilogue"])),
        compression=draw(st.sampled_from(["", "gzip", "zstd", "two frames"])),
    )


def text_of(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def parts_of(run: Run, inline: frozenset[str]) -> list[tuple[str, str, bytes]]:
    """Return name, media type and content of a run's parts, in the order that clients send them."""
    main = {"id": str(run.id), **run.main}
    main |= {name: run.fields[name] for name in FIELDS if name in run.fields and name in inline}
    name = f"{run.kind}.{run.id}"
    parts = [(name, "application/json", text_of(main))]
    parts += [
        (f"{name}.{field}", "application/json", text_of(run.fields[field]))
        for field in FIELDS
        if field in run.fields and field not in inline
    ]
    for file, (mime_type, data) in run.files.items():
        parts.append((f"attachment.{run.id}.{file}", mime_type, data))
    return parts


def headers_of(name: str, mime_type: str, size: int, framing: Framing) -> bytes:
    if framing.length == "wrong":
        size //= 2  # as of a client that counts characters
    has = {"parameter": (True, False), "header": (False, True), "none": (False, False)}
    as_parameter, as_header = has.get(framing.length, (True, True))
    lines = [
        f'Content-Disposition: form-data; name="{name}"{framing.filename}',
        f"Content-Type: {mime_type}" + (f"; length={size}" if as_parameter else ""),
        *([f"Content-Length: {size}"] if as_header else []),
    ]
    if framing.headers == "swapped":
        lines.reverse()
    if framing.headers == "lower":
        lines = [line[: line.index(":")].lower() + line[line.index(":") :] for line in lines]
    return "".join(f"{line}\r\n" for line in lines).encode()


def frame(request: list[Run], framing: Framing) -> bytes:
    boundary = framing.boundary.encode()
    body = framing.preamble
    for run in request:
        for name, mime_type, content in parts_of(run, framing.inline):
            headers = headers_of(name, mime_type, len(content), framing)
            body += b"--%b\r\n%b\r\n%b\r\n" % (boundary, headers, content)
    body += b"--%b--" % boundary + framing.epilogue
    half = len(body) // 2
    match framing.compression:
        case "gzip":
            return gzip.compress(body)
        case "zstd":
            return zstandard.compress(body)
        case "two frames":
            return zstandard.compress(body[:half]) + zstandard.compress(body[half:])
    return body


def decode(request: list[Run], framing: Framing) -> DecodedRequest:
    body = decode_body(
        frame(request, framing),
        framing.compression.replace("two frames", "zstd"),
        max_bytes=DEFAULT_LIMITS.max_decoded_bytes,
    )
    quoted = f'"{framing.boundary}"' if "=" in framing.boundary else framing.boundary
    reading = Reading(RECEIVED_AT, DEFAULT_LIMITS)
    return decode_multipart(body, f"multipart/form-data; boundary={quoted}", reading)


def plainly(request: list[Run]) -> DecodedRequest:
    boundary, length, filename, headers = clients["Python"]
    return decode(request, Framing(boundary, length, filename, frozenset(), headers, b"", b"", ""))


@given(requests, framings())
def test_every_framing_of_a_request_decodes_to_the_same(
    request: list[Run], framing: Framing
) -> None:
    if framing.length in ("none", "wrong"):  # then the boundary alone tells where a part ends
        for run in request:
            separator = b"\r\n--" + framing.boundary.encode()
            run.files = {
                name: (mime_type, data)
                for name, (mime_type, data) in run.files.items()
                if separator not in b"\r\n" + data + b"\r\n"
            }
    decoded = decode(request, framing)
    assert (decoded.rejected, decoded.ignored) == ([], [])
    assert decoded == plainly(request)


@given(requests)
def test_a_batch_of_runs_decodes_to_what_its_parts_do(request: list[Run]) -> None:
    bodies = {
        kind: [{"id": str(run.id), **run.main, **run.fields} for run in request if run.kind == kind]
        for kind in ("post", "patch")
    }
    decoded = decode_batch(text_of(bodies), Reading(RECEIVED_AT, DEFAULT_LIMITS))
    from_parts = sorted(plainly(request).runs, key=lambda run: run.is_update)
    assert decoded.runs == from_parts


@given(requests, st.randoms(use_true_random=False))
def test_the_order_of_a_requests_parts_means_nothing(request: list[Run], random: Any) -> None:
    shuffled = list(request)
    random.shuffle(shuffled)
    decoded, expected = plainly(shuffled), plainly(request)
    assert sorted(decoded.runs, key=str) == sorted(expected.runs, key=str)
    assert sorted(decoded.attachments, key=str) == sorted(expected.attachments, key=str)
