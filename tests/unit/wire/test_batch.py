from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from collector.wire.batch import decode_batch, decode_one
from collector.wire.errors import EmptyBody, MalformedJson, TooLarge, WrongShape
from collector.wire.operations import ClientReport, Rejection
from collector.wire.runs import Reading
from tests.unit.wire.support import READING, RECEIVED_AT, ROOT_ID, RUN_ID, batch, run_fields

GOOD = run_fields(id=str(ROOT_ID), inputs={"a": 1})


def text_of(**fields: Any) -> bytes:
    return json.dumps(run_fields(**fields)).encode()


def test_posts_and_patches_are_read_in_order() -> None:
    decoded = batch([run_fields(), GOOD], [run_fields()])
    assert [(run.id, run.is_update) for run in decoded.runs] == [
        (RUN_ID, False),
        (ROOT_ID, False),
        (RUN_ID, True),
    ]


@pytest.mark.parametrize("body", [b'{"post":[]}', b'{"patch":null}', b'{"post":null,"patch":[]}'])
def test_a_batch_of_nothing_is_read(body: bytes) -> None:
    decoded = decode_batch(body, READING)
    assert (decoded.runs, decoded.rejected) == ([], [])


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (text_of(start_time="yesterday"), "invalid_field"),
        (text_of(tags=7), "invalid_field"),
        (text_of()[:-1] + b' "oops" }', "malformed_json"),
        (text_of()[:-1] + b', "inputs": [1,2,]}', "malformed_json"),
        (text_of()[:-1] + b', "inputs": nonsense}', "malformed_json"),
        (b"[1]", "invalid_field"),
        (b"0", "invalid_field"),
        (b'{"item":0}', "invalid_field"),
    ],
)
def test_a_bad_run_costs_no_sibling(bad: bytes, code: str) -> None:
    decoded = batch([GOOD, bad, {**GOOD, "id": str(RUN_ID), "outputs": float("nan")}])
    assert [run.id for run in decoded.runs] == [ROOT_ID, RUN_ID]
    assert [rejection.code for rejection in decoded.rejected] == [code]


def test_a_refused_run_is_named() -> None:
    decoded = batch([GOOD], [text_of(end_time=True)])
    assert decoded.rejected == [
        Rejection(
            id=str(RUN_ID), reason="end_time: must be a time, not a boolean.", code="invalid_field"
        )
    ]


def test_a_malformed_run_is_named_where_its_id_can_be_seen() -> None:
    decoded = batch([text_of()[:-1] + b",}"])
    assert decoded.rejected[0].id == str(RUN_ID)


@pytest.mark.parametrize(
    "odd",
    [
        text_of()[:-1] + b', "inputs": NaN}',
        text_of()[:-1] + rb', "inputs": "\ud800"}',
        text_of()[:-1] + b', "inputs": "\xff"}',
        text_of()[:-1] + b', "inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=["NaN", "surrogate", "not UTF-8", "deep"],
)
def test_only_the_run_that_was_mended_has_notes(odd: bytes) -> None:
    decoded = batch([GOOD, odd, GOOD])
    assert [run.notes is None for run in decoded.runs] == [True, False, True]


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    with pytest.raises(EmptyBody):
        decode_batch(body, READING)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"post":[{"id":"x"}',
        b'{"post":[{}],}',
        b"[" * 100_000,
        b'{"post":' + b"[" * 100_000,
        b"[true,false,]",
        b"[unable to serialize",
        b"[unable to serialize]]",
        b"[unable to serialize \xff]",
        b"[unable to serialize %s]" % (b"x" * 5_000),
        b"unable to serialize",
        b"<html>[no]</html>",
    ],
)
def test_a_malformed_body_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode_batch(body, READING)


PLACEHOLDERS = [  # what npm's langsmith writes where it could not write JSON
    b"[unable to serialize, circular reference is too complex to analyze]",
    b"[Unserializable]",
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("route", ["batch", "runs"])
def test_words_in_the_place_of_runs_are_kept_as_a_run_that_says_so(text: bytes, route: str) -> None:
    decoded = (
        decode_batch(text, READING)
        if route == "batch"
        else decode_one(text, READING, is_update=False)
    )
    (run,) = decoded.runs
    assert (run.name, run.run_type, run.project) == ("unreadable request", "chain", None)
    assert json.loads(run.inputs) == {"__raw__": text.decode()}
    assert (run.start_time, run.end_time) == (RECEIVED_AT, RECEIVED_AT)
    assert (run.trace_id, run.is_placed, run.is_update) == (run.id, True, False)
    assert (run.error or "").startswith("The client could not write its runs as JSON.")
    assert run.notes == ["The request is no JSON; its text is kept under __raw__"]


def test_each_unreadable_request_is_a_run_of_its_own() -> None:
    assert len({decode_batch(PLACEHOLDERS[0], READING).runs[0].id for _ in range(3)}) == 3


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_words_in_the_place_of_an_update_are_its_outputs(text: bytes) -> None:
    (run,) = decode_one(text, READING, is_update=True, run_id=RUN_ID).runs
    assert (run.id, run.is_update, run.end_time, run.error) == (RUN_ID, True, None, None)
    assert json.loads(run.outputs) == {"__raw__": text.decode()}
    assert run.notes == ["The update is no JSON; its text is kept under __raw__"]


def test_a_body_cut_anywhere_is_refused() -> None:
    body = b'{"post":[%s,%s]}' % (json.dumps(GOOD).encode(), text_of())
    for end in range(1, len(body)):
        with pytest.raises(MalformedJson):
            decode_batch(body[:end], READING)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{}", b'{"runs":[]}', b'{"post":{}}'])
def test_json_that_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(WrongShape):
        decode_batch(body, READING)


def test_too_many_runs_are_refused() -> None:
    reading = Reading(RECEIVED_AT, replace(READING.limits, max_runs=2))
    body = json.dumps({"post": [GOOD, GOOD], "patch": [GOOD]}).encode()
    with pytest.raises(TooLarge, match="more than 2 runs"):
        decode_batch(body, reading)


def test_too_many_json_values_are_refused_unread() -> None:
    body = b'{"post":[%s]}' % (b"[]," * 2_000_000)
    with pytest.raises(TooLarge, match="more than 2,000,000 JSON values"):
        decode_batch(body, READING)


def test_the_clients_report_is_read() -> None:
    report = {
        "process": "p1",
        "name": "runwood-python",
        "version": "0.1.0",
        "dropped": {"my project": {"runs": 3, "ends": 1}},
    }
    decoded = decode_batch(json.dumps({"post": [GOOD], "client": report}).encode(), READING)
    assert decoded.client == ClientReport(**report)  # type: ignore[arg-type]


def test_the_clients_report_is_read_beside_a_malformed_run() -> None:
    body = b'{"post":[{oops}],"client":{"process":"p1","dropped":{"a":{"runs":3}}}}'
    assert decode_batch(body, READING).client == ClientReport(
        process="p1", dropped={"a": {"runs": 3}}
    )


@pytest.mark.parametrize("report", [b"null", b"7", b'{"dropped":[]}', b'{"process":{}}'])
def test_a_report_that_cannot_be_read_costs_no_run(report: bytes) -> None:
    decoded = decode_batch(b'{"post":[%s],"client":%s}' % (text_of(), report), READING)
    assert (len(decoded.runs), decoded.client) == (1, None)


def test_one_run_is_a_body_of_its_own() -> None:
    decoded = decode_one(text_of(), READING, is_update=False)
    assert [run.id for run in decoded.runs] == [RUN_ID]


def test_one_bad_run_is_named() -> None:
    decoded = decode_one(b'{"tags":1}', READING, is_update=True, run_id=RUN_ID)
    assert [rejection.id for rejection in decoded.rejected] == [str(RUN_ID)]


def test_one_malformed_run_is_a_malformed_body() -> None:
    with pytest.raises(MalformedJson):
        decode_one(text_of()[:-1], READING, is_update=False)
