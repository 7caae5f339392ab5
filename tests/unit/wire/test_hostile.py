"""Bodies that nobody means well with: refused by `BodyError` or item by item, at a bounded cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.wire.batch import decode_batch, decode_one
from collector.wire.errors import BodyError, MalformedJson
from collector.wire.multipart import decode_multipart
from collector.wire.operations import DecodedRequest
from collector.wire.runs import Reading
from tests.unit.wire.support import BOUNDARY, CONTENT_TYPE, READING, RECEIVED_AT, RUN_ID, frame

FIELDS = (
    "id",
    "name",
    "inputs",
    "tags",
    "error",
    "start_time",
    "dotted_order",
    "key",
    "score",
    "x",
)
# What is nearly JSON: words of a run, split by what breaks a parser.
snippets = st.sampled_from(
    [
        *[b'"%s":' % field.encode() for field in FIELDS],
        *[b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"\xff", b"\x00", b"\xed\xa0\x80", b"NaN"],
        *[rb'"\ud800"', b"-Infinity", b"1e999", b"9" * 400, b"null", b"true", b'"%s"' % BOUNDARY],
        *[b'"post":[', b'"patch":[', b'"client":', b'{"id":"x\xff"}', str(RUN_ID).encode()],
    ]
)
near_json = st.lists(snippets | st.binary(max_size=4), max_size=25).map(b"".join)
objects = near_json.map(lambda text: b'{"id":"%s",%s}' % (str(RUN_ID).encode(), text))
texts = near_json | objects | st.binary(max_size=60)


def small_reading() -> Reading:
    return Reading(RECEIVED_AT, replace(READING.limits, max_run_bytes=1000, max_mended_bytes=1000))


@given(texts)
@example(b'{"id":"x\xff"}')
@example(b'{"\xff":1}')
def test_no_body_of_one_run_fails_otherwise(text: bytes) -> None:
    for is_update in (False, True):
        with suppress(BodyError):
            decode_one(text, small_reading(), is_update=is_update)


@given(st.lists(texts, max_size=3))
@example([b'{"id":"x\xff"}'])
@example([b'{"\xff":1}', b"{}"])
def test_no_batch_fails_otherwise(items: list[bytes]) -> None:
    for body in (b'{"post":[%s]}' % b",".join(items), b",".join(items)):
        with suppress(BodyError):
            decode_batch(body, small_reading())


@given(st.sampled_from(["post", "patch", "feedback", "attachment"]), st.lists(texts, max_size=4))
def test_no_multipart_body_fails_otherwise(kind: str, contents: list[bytes]) -> None:
    names = ("", ".inputs", ".error", ".other")
    parts = [(f"{kind}.{RUN_ID}{name}", text) for name, text in zip(names, contents, strict=False)]
    for body in (frame(*parts), b"".join(contents)):
        with suppress(BodyError):
            decode_multipart(body, CONTENT_TYPE, small_reading())


def test_a_run_whose_id_is_no_utf8_costs_no_sibling() -> None:
    good = json.dumps({"id": str(RUN_ID)}).encode()
    decoded = decode_batch(b'{"post":[{"id":"x\xff"},%s]}' % good, READING)
    assert [run.id for run in decoded.runs] == [RUN_ID]
    assert [item.id for item in decoded.rejected] == ["x\ufffd"]


def send_batch(field: bytes, reading: Reading) -> DecodedRequest:
    run = b'{"id":"%s","inputs":%s}' % (str(RUN_ID).encode(), field)
    return decode_batch(b'{"post":[%s,%s]}' % (run, run), reading)


def send_parts(field: bytes, reading: Reading) -> DecodedRequest:
    main = b'{"id":"%s"}' % str(RUN_ID).encode()
    run = ((f"post.{RUN_ID}", main), (f"post.{RUN_ID}.inputs", field))
    return decode_multipart(frame(*run, *run), CONTENT_TYPE, reading)


@pytest.mark.parametrize("send", [send_batch, send_parts])
def test_a_run_that_is_too_large_is_refused_unmended(
    send: Callable[[bytes, Reading], DecodedRequest],
) -> None:
    decoded = send(b'"%s"' % (b"\x01" * 1000), small_reading())
    assert [item.code for item in decoded.rejected] == ["item_too_large"] * 2
    assert "has 1,0" in decoded.rejected[0].reason  # as sent, not as mended


@pytest.mark.parametrize("send", [send_batch, send_parts])
def test_what_a_request_has_mended_is_bounded(
    send: Callable[[bytes, Reading], DecodedRequest],
) -> None:
    decoded = send(b'["%s",NaN]' % (b"x" * 600), small_reading())
    assert len(decoded.runs) == 1
    assert "mended" in decoded.rejected[0].reason


def test_unknown_fields_are_bounded_like_payloads() -> None:
    run = b'{"id":"%s","unknown":"%s"}' % (str(RUN_ID).encode(), b"x" * 1000)
    decoded = decode_batch(b'{"post":[%s]}' % run, small_reading())
    assert [item.code for item in decoded.rejected] == ["item_too_large"]


@pytest.mark.parametrize("rest", [b"", b',"oops":NaN', b',"client":{"a":}'])
@pytest.mark.parametrize("name", [b"post", b"patch"])
def test_a_list_that_is_sent_twice_is_refused(name: bytes, rest: bytes) -> None:
    run = b'{"id":"%s"}' % str(RUN_ID).encode()
    with pytest.raises(MalformedJson):
        decode_batch(b'{"%s":[%s],"%s":[%s]%s}' % (name, run, name, run, rest), READING)
