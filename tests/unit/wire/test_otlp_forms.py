"""Protobuf and JSON say the same; what is broken in one span costs no other, and what is hostile little."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.wire.errors import (
    BodyError,
    MalformedJson,
    MalformedProtobuf,
    TooLarge,
    UnsupportedMediaType,
)
from collector.wire.limits import Limits
from collector.wire.operations import Rejection
from collector.wire.otlp.answers import encode_response, encode_status
from collector.wire.otlp.decode import JSON, PROTOBUF, decode_traces, form_of
from collector.wire.runs import Reading
from tests.unit.wire.otlp_support import (
    CHILD,
    ROOT,
    decode,
    extra_of,
    left_of,
    request,
    run_with,
    span,
    to_json,
    to_protobuf,
)
from tests.unit.wire.support import RECEIVED_AT

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = TEXTS | st.sampled_from(
    ["gen_ai.prompt", "gen_ai.prompt.0.content", "gen_ai.prompt.0.tool_calls.0.name", "input.value",
     "gen_ai.completion.0.tool_calls", "llm.input_messages.0.message.contents.0.message_content.type",
     "metadata", "langsmith.span.tags", "langsmith.span.id", "langsmith.trace.session_id",
     "gen_ai.input.messages", "gen_ai.system_instructions", "ai.response.toolCalls", "llm.tools.0.tool",
     "gen_ai.usage.input_tokens", "gen_ai.usage.input_token_details", "langsmith.usage_metadata",
     "retrieval.documents.0.document.content", "gen_ai.tool.definitions", "events", "langsmith.span.runtime"]
)  # fmt: skip
SPANS = st.builds(
    span,
    span_id=st.sampled_from([ROOT, CHILD]),
    parent=st.sampled_from(["", ROOT, CHILD]),
    attributes=st.dictionaries(NAMES, VALUES, max_size=6),
    events=st.lists(
        st.tuples(
            st.sampled_from(["exception", "gen_ai.choice", "gen_ai.user.message", "other"]),
            st.dictionaries(NAMES, VALUES, max_size=3),
        ),
        max_size=2,
    ),
    name=TEXTS,
    kind=st.integers(0, 5),
    startTimeUnixNano=st.integers(0, 2**64 - 1).map(str),
    endTimeUnixNano=st.integers(0, 2**64 - 1).map(str),
    status=st.fixed_dictionaries({"code": st.integers(0, 2), "message": TEXTS}),
)


@given(st.lists(SPANS, max_size=3), st.dictionaries(TEXTS, VALUES, max_size=2))
@settings(max_examples=300, deadline=None)
def test_both_forms_decode_to_the_same_storable_runs(spans: Any, resource: Any) -> None:
    of_protobuf = decode(to_protobuf(*spans, resource=resource), PROTOBUF)
    assert of_protobuf == decode(to_json(*spans, resource=resource), JSON)
    assert of_protobuf.rejected == []
    for run in of_protobuf.runs:
        extra_of(run)  # JSON
        assert "\0" not in f"{run.name}{run.error}{run.tags}{run.run_type}{run.project}"


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_export_or_an_error(body: bytes) -> None:
    for form in (PROTOBUF, JSON):
        with suppress(BodyError):
            decode(body, form)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_export_is_an_export_or_an_error(data: Any) -> None:
    for form, make in ((PROTOBUF, to_protobuf), (JSON, to_json)):
        body = bytearray(
            make(span(attributes={"gen_ai.prompt.0.content": "why?"}), span(CHILD, ROOT))
        )
        for _ in range(data.draw(st.integers(1, 4))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        with suppress(BodyError):
            decode(bytes(body), form)


# --- JSON's own rules -----------------------------------------------------------------------------------


def json_span(**fields: Any) -> Any:
    decoded = decode(json.dumps(request(span() | fields)).encode())
    assert decoded.rejected == []
    return decoded.runs[0]


def test_unknown_fields_are_ignored_at_every_level() -> None:
    body = request(span() | {"new": {"a": [1]}})
    body["new"] = body["resourceSpans"][0]["new"] = 1
    assert len(decode(json.dumps(body).encode()).runs) == 1


def test_ids_are_hexadecimal_in_either_case() -> None:
    assert json_span(spanId=ROOT.upper()) == json_span(spanId=ROOT)


def test_64_bit_numbers_may_be_numbers_or_text() -> None:
    as_text, as_number = (
        json_span(attributes=[{"key": "n", "value": {"intValue": value}}]) for value in ("7", 7)
    )
    assert left_of(as_text) == left_of(as_number) == {"n": 7}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_number_for_is_text_in_both_forms(value: str) -> None:
    run = json_span(attributes=[{"key": "n", "value": {"doubleValue": value}}])
    assert left_of(run) == {"n": value}
    assert left_of(decode(to_protobuf(span(attributes={"n": float(value)})), PROTOBUF).runs[0]) == {
        "n": value
    }


def test_bytes_are_base64_text() -> None:
    run = json_span(attributes=[{"key": "b", "value": {"bytesValue": "_-8"}}])
    assert left_of(run) == {"b": "/+8="}


def test_absent_and_null_are_the_same() -> None:
    bare = {"traceId": span()["traceId"], "spanId": ROOT}
    nulls = dict.fromkeys(span(), None) | bare
    assert decode(json.dumps(request(bare)).encode()) == decode(json.dumps(request(nulls)).encode())


@pytest.mark.parametrize("body", [b"{}", b'{"resourceSpans": null}', b'{"resourceSpans": [{}]}'])
def test_an_export_of_nothing_is_taken(body: bytes) -> None:
    assert not decode(body).is_storable
    assert not decode(b"", PROTOBUF).is_storable


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b'{"resourceSpans": 1}', b'{"resourceSpans": [', b"\xff"]
)
def test_a_body_that_is_no_export_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode(body)


@pytest.mark.parametrize("body", [b"{}", b"\x0a\xff", b"\x0a\x05abc", b"\xff" * 20])
def test_a_protobuf_body_that_is_no_export_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedProtobuf):
        decode(body, PROTOBUF)


@pytest.mark.parametrize("value", ["1_000", " 7", "7.5", "\u0667", str(2**63), "9" * 5000])
def test_a_number_that_is_none_refuses_its_span_alone(value: str) -> None:
    bad = span() | {"attributes": [{"key": "n", "value": {"intValue": value}}]}
    decoded = decode(json.dumps(request(bad, span(CHILD, ROOT))).encode())
    assert len(decoded.runs) == len(decoded.rejected) == 1
    assert decoded.rejected[0].id == ROOT


def test_a_span_that_is_none_is_refused_alone() -> None:
    decoded = decode(json.dumps(request(7, span() | {"events": 1}, span(CHILD, ROOT))).encode())  # type: ignore[arg-type]
    assert (len(decoded.runs), len(decoded.rejected)) == (1, 2)


def test_nan_and_lone_surrogates_in_the_json_are_mended() -> None:
    body = to_json(span(attributes={"t": 0.5, "s": "MARK"}))
    body = body.replace(b"0.5", b"NaN").replace(b"MARK", rb"\ud800")
    run = decode(body).runs[0]
    assert left_of(run) == {"t": "NaN", "s": "\ufffd"}
    assert run.notes


# --- Hostile bodies -------------------------------------------------------------------------------------


def test_bytes_that_are_no_utf8_are_replaced_in_their_span_alone() -> None:
    good, bad = span(CHILD, ROOT, name="good"), span(name="MARK", attributes={"k": "MARK"})
    for form, make in ((PROTOBUF, to_protobuf), (JSON, to_json)):
        decoded = decode(make(bad, good).replace(b"MARK", b"\xffARK"), form)
        mended, kept = decoded.runs
        assert (mended.name, left_of(mended), kept.name) == (
            "\ufffdARK",
            {"k": "\ufffdARK"},
            "good",
        )
        assert mended.notes is not None


def test_bytes_that_are_no_utf8_in_the_resource_are_replaced() -> None:
    body = to_protobuf(span(), resource={"service.name": "MARK"}).replace(b"MARK", b"\xffARK")
    assert extra_of(decode(body, PROTOBUF).runs[0])["otel"]["resource"] == {
        "service.name": "\ufffdARK"
    }


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_a_value_that_nests_as_deep_as_protobuf_lets_it_is_kept() -> None:
    assert left_of(run_with({"v": deep(30)})) == {"v": deep(30)}


def test_a_value_that_nests_deeper_refuses_its_span_alone() -> None:
    decoded = decode(to_protobuf(span(attributes={"v": deep(300)}), span(CHILD, ROOT)), PROTOBUF)
    assert (len(decoded.runs), len(decoded.rejected)) == (1, 1)


def test_json_that_nests_past_any_reader_refuses_its_span_alone() -> None:
    opened, closed = '{"arrayValue":{"values":[' * 20_000, "]}}" * 20_000
    body = to_json(span(attributes={"v": "MARK"}), span(CHILD, ROOT)).decode()
    body = body.replace('{"stringValue": "MARK"}', opened + closed)
    decoded = decode(body.encode())
    assert (len(decoded.runs), len(decoded.rejected)) == (1, 1)


def test_a_name_of_ten_thousand_dots_nests_no_deeper_than_the_others() -> None:
    name = "gen_ai.prompt.0." + ".".join("a" * 10_000)
    assert run_with({name: 1}).notes is None


def test_more_values_than_a_request_may_have_are_too_many() -> None:
    limits = Limits(max_json_values=100)
    for form, make in ((PROTOBUF, to_protobuf), (JSON, to_json)):
        body = make(span(attributes={"v": list(range(200))}))
        with pytest.raises(TooLarge):
            decode_traces(
                body, Reading(RECEIVED_AT, limits), form=form, project=None, default_project="d"
            )


def test_more_spans_than_a_request_may_have_are_too_many() -> None:
    with pytest.raises(TooLarge):
        decode(to_protobuf(span()) * 50_001, PROTOBUF)  # one after another, messages are one


def test_the_default_batch_of_the_collector_is_taken() -> None:
    body = to_protobuf(*(span(f"{number:016x}", ROOT) for number in range(1, 8193)))
    assert len(decode(body, PROTOBUF).runs) == 8192


def test_a_span_of_a_million_empty_attributes_takes_seconds_at_most() -> None:
    size = 1_000_000
    item = bytes.fromhex("0a10" + span()["traceId"] + "1208" + ROOT) + b"\x4a\x00" * size
    body = b"\x12" + _varint(len(item)) + item
    body = b"\x12" + _varint(len(body)) + body
    body = b"\x0a" + _varint(len(body)) + body
    began = time.monotonic()
    assert len(decode(body, PROTOBUF).runs) == 1
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("levels", [1, 2])
def test_millions_of_empty_resources_or_scopes_are_too_many_before_they_are_parsed(
    levels: int,
) -> None:
    body = (b"\x0a" if levels == 1 else b"\x12") + b"\x00"
    body *= 5_000_000
    if levels == 2:
        body = b"\x0a" + _varint(len(body)) + body
    began = time.monotonic()
    with pytest.raises(TooLarge):
        decode(body, PROTOBUF)
    assert time.monotonic() - began < 2


def test_a_tag_that_is_longer_than_it_need_be_hides_no_resources() -> None:
    with pytest.raises(TooLarge):
        decode(b"\x8a\x00\x00" * 50_001, PROTOBUF)


def test_a_million_fields_that_are_none_of_ours_are_too_many() -> None:
    with pytest.raises(TooLarge):
        decode(b"\x7a\x00" * 1_000_000, PROTOBUF)


def test_unknown_fields_of_every_wire_type_are_stepped_over() -> None:
    unknown = b"\x78\x05" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + b"\x7a\x03abc"
    assert len(decode(unknown + to_protobuf(span()) + unknown, PROTOBUF).runs) == 1


def test_empty_resources_in_json_are_too_many() -> None:
    with pytest.raises(TooLarge):
        decode(b'{"resourceSpans":[' + b"{}," * 50_000 + b"{}]}")


@pytest.mark.parametrize("form", [PROTOBUF, JSON])
def test_a_large_resource_is_not_multiplied_by_its_spans_past_the_limit(form: str) -> None:
    spans = [span(f"{number:016x}", ROOT) for number in range(1, 121)]
    resource = {"process.command_line": "a" * (1 << 20)}
    body = json.dumps(request(*spans, resource=resource)).encode()
    if form == PROTOBUF:
        body = to_protobuf(*spans, resource=resource)
    with pytest.raises(TooLarge):
        decode(body, form)


def test_a_resource_larger_than_a_span_may_be_is_refused() -> None:
    with pytest.raises(TooLarge):
        decode(to_protobuf(span(), resource={"all": "a" * (21 << 20)}), PROTOBUF)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


# --- Forms and answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/x-protobuf", PROTOBUF),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("application/protobuf", PROTOBUF),
    ],
)
def test_the_content_type_says_the_form(content_type: str, form: str) -> None:
    assert form_of(content_type) == form


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/grpc", "multipart/form-data"]
)
def test_another_content_type_is_unsupported(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        form_of(content_type)


REFUSED = [Rejection(id=ROOT, reason="traceId: must not be zero.", code="invalid_field")] * 7


def test_an_answer_counts_what_was_refused_in_either_form() -> None:
    message = ExportTraceServiceResponse.FromString(encode_response(PROTOBUF, REFUSED))
    answer = json.loads(encode_response(JSON, REFUSED))["partialSuccess"]
    assert message.partial_success.rejected_spans == int(answer["rejectedSpans"]) == 7
    assert message.partial_success.error_message == answer["errorMessage"]
    assert answer["errorMessage"].endswith("And 2 more.")


def test_an_answer_without_refusals_is_empty() -> None:
    assert encode_response(PROTOBUF, []) == b""
    assert encode_response(JSON, []) == b"{}"


@pytest.mark.parametrize("message", ["", "no", "ü" * 200])
def test_an_error_is_a_status_that_googles_own_class_reads(message: str) -> None:
    status_pb2 = pytest.importorskip("google.rpc.status_pb2")  # comes with the exporters only
    status = status_pb2.Status.FromString(encode_status(PROTOBUF, 503, message))
    assert (status.code, status.message) == (14, message)
    assert json.loads(encode_status(JSON, 503, message)) == {"code": 14, "message": message}


def test_gzip_is_no_part_of_the_form() -> None:
    """Encodings are undone before: an export that still is compressed is malformed."""
    with pytest.raises(MalformedProtobuf):
        decode(gzip.compress(to_protobuf(span())), PROTOBUF)
