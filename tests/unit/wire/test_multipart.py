from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from collector.wire.errors import EmptyBody, TooLarge
from collector.wire.multipart import decode_multipart
from collector.wire.operations import AttachmentOperation, Rejection
from collector.wire.runs import Reading
from tests.unit.wire.support import (
    CONTENT_TYPE,
    READING,
    RECEIVED_AT,
    ROOT_ID,
    RUN_ID,
    frame,
    multipart,
    run_fields,
)

POST = f"post.{RUN_ID}"
PATCH = f"patch.{RUN_ID}"


def main(**fields: Any) -> bytes:
    return json.dumps(run_fields(**fields)).encode()


def test_sub_parts_belong_to_their_run() -> None:
    (run,) = multipart(
        (POST, main(extra={"inline": 1})),
        (f"{POST}.inputs", b'{"q":1}'),
        (f"{POST}.outputs", b"null"),
        (f"{POST}.events", b"[]"),
        (f"{POST}.error", b'"ValueError: no"'),
        (f"{POST}.serialized", b"{}"),
    ).runs
    assert (run.inputs, run.outputs, run.events, run.error, run.serialized, run.extra) == (
        b'{"q":1}',
        b"",
        b"[]",
        "ValueError: no",
        b"{}",
        b'{"inline": 1}',
    )


def test_a_sub_part_may_come_before_its_run_and_wins_over_an_inline_field() -> None:
    (run,) = multipart((f"{POST}.inputs", b"[1]"), (POST, main(inputs=[2]))).runs
    assert run.inputs == b"[1]"


def test_post_and_patch_of_a_run_are_two_operations() -> None:
    decoded = multipart((POST, main()), (PATCH, main()), (f"{PATCH}.inputs", b"[1]"))
    assert [(run.is_update, run.inputs) for run in decoded.runs] == [(False, b""), (True, b"[1]")]


def test_the_same_post_twice_is_two_operations() -> None:
    decoded = multipart((POST, main()), (f"{POST}.inputs", b"[1]"), (POST, main()))
    assert [run.inputs for run in decoded.runs] == [b"[1]", b""]


def test_an_update_may_be_nothing_but_a_sub_part() -> None:
    (run,) = multipart((f"{PATCH}.outputs", b"[1]")).runs
    assert (run.id, run.is_update, run.outputs) == (RUN_ID, True, b"[1]")


def test_a_create_without_its_main_part_is_refused() -> None:
    assert multipart((f"{POST}.outputs", b"[1]")).rejected == [
        Rejection(
            id=str(RUN_ID),
            reason="run: only parts of it were sent, not the run itself.",
            code="invalid_field",
        )
    ]


@pytest.mark.parametrize("text", [b"{oops}", b"[]", b"[true]", b'{"tags":5}', b"oops", b""])
def test_a_bad_run_costs_no_sibling(text: bytes) -> None:
    decoded = multipart((POST, text), (f"{POST}.inputs", b"{}"), (f"post.{ROOT_ID}", b"{}"))
    assert [run.id for run in decoded.runs] == [ROOT_ID]
    assert [rejection.id for rejection in decoded.rejected] == [str(RUN_ID)]


def test_a_name_without_a_uuid_is_refused() -> None:
    decoded = multipart(("post.7", main()), ("feedback.x", b"{}"), ("attachment.y.n", b""))
    assert [rejection.id for rejection in decoded.rejected] == ["7", "x", "y/n"]


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ("inputs", {"__raw__": "[unable to serialize]"}),
        ("events", [{"__raw__": "[unable to serialize]"}]),
    ],
)
def test_a_part_that_is_no_json_is_kept_as_text(field: str, kept: Any) -> None:
    (run,) = multipart((POST, main()), (f"{POST}.{field}", b"[unable to serialize]")).runs
    assert json.loads(getattr(run, field)) == kept
    assert run.notes == [f"{field}: is no JSON; its text is kept under __raw__"]


@pytest.mark.parametrize("name", [POST, PATCH])
def test_a_run_that_is_no_json_keeps_its_text_and_its_parts(name: str) -> None:
    text = b"[unable to serialize, circular reference is too complex to analyze]"
    decoded = multipart((name, text), (f"{name}.outputs", b'{"a":1}'), (f"post.{ROOT_ID}", b"{}"))
    run, sibling = decoded.runs
    assert (run.id, run.is_update, run.outputs) == (RUN_ID, True, b'{"a":1}')
    assert json.loads(run.other) == {"__raw__": text.decode()}
    assert run.notes == ["run: is no JSON; its text is kept under __raw__"]
    assert (run.trace_id, run.day) == (None, None)  # for whoever knows the run to say
    assert sibling.id == ROOT_ID


def test_an_error_part_that_is_no_json_is_the_error() -> None:
    (run,) = multipart((POST, main()), (f"{POST}.error", b"Error: no\0")).runs
    assert run.error == "Error: no\ufffd"


def test_a_part_is_mended_with_a_note() -> None:
    (run,) = multipart((POST, main()), (f"{POST}.outputs", b' {"a":NaN,"b":"\xff"} ')).runs
    assert (run.outputs, run.notes) == (
        '{"a":"NaN","b":"\ufffd"}'.encode(),
        [
            "outputs: bytes that are not UTF-8 were replaced by U+FFFD",
            "outputs: NaN and infinities were turned into strings",
        ],
    )


@pytest.mark.parametrize("depth", [201, 5_000, 100_000])
def test_a_deep_part_is_flattened(depth: int) -> None:
    text = b"[" * depth + b"]" * depth
    (run,) = multipart((POST, main()), (f"{POST}.inputs", text)).runs
    assert run.inputs.startswith(b"[" * 200 + b'"[')


def test_a_field_without_a_name_here_is_kept() -> None:
    (run,) = multipart((POST, main()), (f"{POST}.metadata.x", b'{"a":1}')).runs
    assert json.loads(run.other) == {"metadata.x": {"a": 1}}


def test_unknown_parts_are_ignored_and_named() -> None:
    decoded = multipart((POST, main()), ("trace.1", b"{}"), ("post", b"{}"), ("x\0", b""))
    assert (len(decoded.runs), decoded.ignored) == (1, ["trace.1", "post", "x\ufffd"])


def test_attachments_are_raw_bytes() -> None:
    data = b"\x89PNG\r\n--" + b"\0\xff"
    decoded = multipart(
        (POST, main()),
        (f"attachment.{RUN_ID}.my.image", data, {"Content-Type": "image/png; length=12"}),
    )
    assert decoded.attachments == [
        AttachmentOperation(run_id=RUN_ID, name="my.image", mime_type="image/png", data=data)
    ]


def test_attachments_of_a_refused_run_are_refused() -> None:
    decoded = multipart((POST, b"oops"), (f"attachment.{RUN_ID.hex.upper()}.a", b"x"))
    assert [(item.id, item.code) for item in decoded.rejected] == [
        (str(RUN_ID), "malformed_json"),
        (f"{RUN_ID.hex.upper()}/a", "invalid_field"),
    ]


def test_attachments_are_kept_without_their_run() -> None:
    assert len(multipart((f"attachment.{RUN_ID}.a", b"x")).attachments) == 1


def test_attachments_past_the_limits_are_refused() -> None:
    limits = replace(READING.limits, max_attachments=2, max_attachment_bytes=4)
    contents = {"a": b"1234", "b": b"12345", "c": b"", "d": b""}
    body = frame(*((f"attachment.{RUN_ID}.{name}", data) for name, data in contents.items()))
    decoded = decode_multipart(body, CONTENT_TYPE, Reading(RECEIVED_AT, limits))
    assert [attachment.name for attachment in decoded.attachments] == ["a", "c"]
    assert [rejection.id for rejection in decoded.rejected] == [f"{RUN_ID}/b", f"{RUN_ID}/d"]


def test_feedback_comes_along() -> None:
    decoded = multipart(
        (f"feedback.{ROOT_ID}", json.dumps({"key": "k", "run_id": str(RUN_ID)}).encode())
    )
    assert [(item.id, item.run_id, item.key) for item in decoded.feedback] == [
        (ROOT_ID, RUN_ID, "k")
    ]


def test_json_values_count_over_all_parts_but_attachments() -> None:
    limits = replace(READING.limits, max_json_values=10)
    reading = Reading(RECEIVED_AT, limits)
    attachment = (f"attachment.{RUN_ID}.a", b"," * 100)
    body = frame((PATCH, b'{"id":null}'), (f"{PATCH}.inputs", b"[1,2,3,4]"), attachment)
    assert decode_multipart(body, CONTENT_TYPE, reading).runs
    body = frame((PATCH, b'{"id":null}'), (f"{PATCH}.inputs", b"[1,2,3,4,5,6,7,8,9]"))
    with pytest.raises(TooLarge, match="JSON values"):
        decode_multipart(body, CONTENT_TYPE, reading)


def test_too_many_runs_are_refused() -> None:
    reading = Reading(RECEIVED_AT, replace(READING.limits, max_runs=1))
    with pytest.raises(TooLarge, match="more than 1 runs"):
        decode_multipart(frame((POST, main()), (PATCH, main())), CONTENT_TYPE, reading)


def test_an_empty_body_is_refused() -> None:
    with pytest.raises(EmptyBody):
        decode_multipart(b"", CONTENT_TYPE, READING)
