from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.errors import InvalidField, ItemError, ItemTooLarge, MalformedItem
from collector.wire.operations import Batch, RunOperation, pack_batch, unpack_batch
from collector.wire.runs import Reading, decode_run
from tests.unit.wire.support import (
    PARENT_ID,
    READING,
    RECEIVED_AT,
    ROOT_ID,
    RUN_ID,
    decode,
    run_fields,
)

ROOT_SEGMENT = f"20261123T234328437623Z{ROOT_ID}"
PARENT_SEGMENT = f"20261123T234328445450Z{PARENT_ID}"
OWN_SEGMENT = f"20261124T000000000001Z{RUN_ID}"
DOTTED_ORDER = f"{ROOT_SEGMENT}.{PARENT_SEGMENT}.{OWN_SEGMENT}"
DAY = date(2026, 11, 23)


def placement(run: RunOperation) -> tuple[Any, ...]:
    return run.trace_id, run.parent_run_id, run.dotted_order, run.day


# --- Fields ---------------------------------------------------------------------------------------


def test_a_whole_run_is_read() -> None:
    run = decode(
        trace_id=str(ROOT_ID),
        parent_run_id=str(PARENT_ID),
        dotted_order=DOTTED_ORDER,
        session_name="my project",
        start_time="2026-11-24T00:00:00.000001Z",
        end_time=1795478400000,
        error="ValueError: no",
        tags=["a", "b"],
        reference_example_id=str(ROOT_ID),
        status="interrupted",
        inputs={"q": 1},
        outputs={"a": 2},
        events=[{"name": "start"}],
        extra={"metadata": {}},
        serialized={"lc": 1},
    )
    assert run == RunOperation(
        id=RUN_ID,
        received_at=RECEIVED_AT,
        project="my project",
        trace_id=ROOT_ID,
        parent_run_id=PARENT_ID,
        dotted_order=DOTTED_ORDER,
        day=DAY,
        name="ChatOpenAI",
        run_type="llm",
        start_time=datetime(2026, 11, 24, 0, 0, 0, 1, UTC),
        end_time=datetime(2026, 11, 24, 0, 0, tzinfo=UTC),
        status="interrupted",
        error="ValueError: no",
        tags=["a", "b"],
        reference_example_id=ROOT_ID,
        inputs=b'{"q": 1}',
        outputs=b'{"a": 2}',
        events=b'[{"name": "start"}]',
        extra=b'{"metadata": {}}',
        serialized=b'{"lc": 1}',
    )


def test_null_says_nothing() -> None:
    nulls = dict.fromkeys(
        [
            "parent_run_id",
            "dotted_order",
            "session_name",
            "session_id",
            "start_time",
            "end_time",
            "error",
            "tags",
            "status",
            "inputs",
            "outputs",
            "events",
            "extra",
            "serialized",
        ]
    )
    assert decode(**nulls) == decode()


def test_the_id_of_the_address_wins_over_the_body() -> None:
    run = decode_run(b'{"id":"%s"}' % str(RUN_ID).encode(), READING, is_update=True, run_id=ROOT_ID)
    assert (run.id, run.notes) == (ROOT_ID, [f"id: {RUN_ID} in the run itself was ignored"])


def test_an_update_needs_no_id_of_its_own() -> None:
    run = decode_run(b'{"outputs":{}}', READING, is_update=True, run_id=RUN_ID)
    assert run == RunOperation(id=RUN_ID, is_update=True, received_at=RECEIVED_AT, outputs=b"{}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 7),
        ("id", "no uuid"),
        ("id", None),
        ("trace_id", "x"),
        ("parent_run_id", {}),
        ("dotted_order", 5),
        ("name", ["x"]),
        ("run_type", 1),
        ("session_name", {}),
        ("session_id", "x"),
        ("start_time", "yesterday"),
        ("end_time", {}),
        ("tags", "one"),
        ("tags", [1]),
        ("extra", []),
        ("events", {}),
        ("reference_example_id", "x"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidField, match=f"^{field}: "):
        decode(**{field: value})


def test_an_error_that_is_no_text_is_kept_as_json() -> None:
    assert decode(error={"message": "no"}).error == '{"message":"no"}'


def test_unknown_fields_are_kept() -> None:
    run = decode(manifest_id="m", tenant_id=[1], received_at="2001-01-01")
    assert json.loads(run.other) == {
        "manifest_id": "m",
        "tenant_id": [1],
        "received_at": "2001-01-01",
    }


def test_known_junk_is_dropped() -> None:
    run = decode(child_runs=[], execution_order=1, child_execution_order=2, attachments={"a": 1})
    assert run == decode()


@pytest.mark.parametrize("status", ["success", "error", "pending", "nonsense"])
def test_only_hints_of_the_closed_set_are_kept(status: str) -> None:
    assert decode(status=status).status is None


# --- Projects -------------------------------------------------------------------------------------


def test_a_project_may_be_given_by_id() -> None:
    run = decode(session_id=str(ROOT_ID))
    assert (run.project, run.project_id) == (None, ROOT_ID)


def test_an_empty_project_name_says_nothing() -> None:
    assert decode(session_name="").project is None


@pytest.mark.parametrize(
    ("address", "project"),
    [("lrn:agents/support/environments/prod", "support/prod"), ("elsewhere", "elsewhere")],
)
def test_an_agents_address_names_its_project(address: str, project: str) -> None:
    assert decode(address=address).project == project


# --- Where a run belongs --------------------------------------------------------------------------


def test_dotted_order_places_a_run_alone() -> None:
    run = decode(dotted_order=DOTTED_ORDER)
    assert placement(run) == (ROOT_ID, PARENT_ID, DOTTED_ORDER, DAY)


def test_ids_of_another_spelling_agree() -> None:
    run = decode(
        dotted_order=DOTTED_ORDER.upper(),
        trace_id=ROOT_ID.hex,
        parent_run_id=str(PARENT_ID).upper(),
    )
    assert placement(run) == (ROOT_ID, PARENT_ID, DOTTED_ORDER.upper(), DAY)


def test_a_root_without_dotted_order_is_placed_by_its_start() -> None:
    run = decode(start_time="2026-11-24T01:00:00+02:00")
    assert placement(run) == (RUN_ID, None, None, DAY)


def test_a_root_without_any_time_is_left_to_the_worker() -> None:
    assert placement(decode()) == (RUN_ID, None, None, None)


def test_a_child_without_dotted_order_is_left_to_the_worker() -> None:
    run = decode(parent_run_id=str(PARENT_ID), start_time="2026-11-24T00:00:00Z")
    assert placement(run) == (None, PARENT_ID, None, None)


def test_an_update_without_dotted_order_is_left_to_the_worker() -> None:
    run = decode(is_update=True, start_time="2026-11-24T00:00:00Z", trace_id=str(RUN_ID))
    assert placement(run) == (RUN_ID, None, None, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"trace_id": str(PARENT_ID)}, (PARENT_ID, None, None, None)),
        ({"parent_run_id": str(ROOT_ID), "trace_id": str(ROOT_ID)}, (ROOT_ID, ROOT_ID, None, DAY)),
        ({"parent_run_id": str(ROOT_ID)}, (None, ROOT_ID, None, None)),
    ],
    ids=["another trace", "another parent in the same trace", "another parent only"],
)
def test_ids_win_over_a_dotted_order_that_contradicts_them(
    fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    run = decode(dotted_order=DOTTED_ORDER, **fields)
    assert (placement(run), run.notes) == (
        expected,
        ["dotted_order: contradicts the run's ids and was dropped"],
    )


def test_a_dotted_order_of_another_run_is_dropped() -> None:
    run = decode(dotted_order=ROOT_SEGMENT, trace_id=str(ROOT_ID), parent_run_id=str(ROOT_ID))
    assert placement(run) == (ROOT_ID, ROOT_ID, None, DAY)


def test_a_malformed_dotted_order_costs_no_run() -> None:
    run = decode(dotted_order="20261123", trace_id=str(ROOT_ID), parent_run_id=str(PARENT_ID))
    assert placement(run) == (ROOT_ID, PARENT_ID, None, None)
    assert run.notes is not None
    assert run.notes[0].endswith("It was dropped.")


def test_a_run_is_not_its_own_parent() -> None:
    assert decode(parent_run_id=str(RUN_ID)).parent_run_id is None


def test_an_end_before_the_start_is_kept() -> None:
    run = decode(start_time="2026-11-24T00:00:01Z", end_time="2026-11-24T00:00:00Z")
    assert (run.start_time, run.end_time) == (
        datetime(2026, 11, 24, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_the_year_9999_is_kept() -> None:
    assert decode(start_time="9999-12-31T23:59:59Z").day == date(9999, 12, 31)


# --- What has to be changed to be storable ----------------------------------------------------------


def test_nul_is_replaced_in_text_and_kept_in_payloads() -> None:
    run = decode(name="a\0b", error="e\0", tags=["t\0"], session_name="p\0", inputs={"k\0": "v\0"})
    assert (run.name, run.error, run.tags, run.project, run.inputs) == (
        "a\ufffdb",
        "e\ufffd",
        ["t\ufffd"],
        "p\ufffd",
        rb'{"k\u0000": "v\u0000"}',
    )


def test_lone_surrogates_are_replaced_everywhere() -> None:
    run = decode(name="a\ud800", inputs={"k": "\udc00"})
    assert (run.name, run.inputs, run.notes) == (
        "a\ufffd",
        rb'{"k": "\ufffd"}',
        ["lone surrogates were replaced by U+FFFD"],
    )


def test_not_a_number_becomes_a_string() -> None:
    run = decode(outputs={"a": [float("nan"), float("-inf")]})
    assert (run.outputs, run.notes) == (
        b'{"a": ["NaN", "-Infinity"]}',
        ["NaN and infinities were turned into strings"],
    )


def test_huge_integers_keep_their_digits() -> None:
    assert decode(inputs={"n": 2**70}).inputs == b'{"n": %d}' % 2**70


def test_a_payload_of_200_levels_is_kept_as_it_is() -> None:
    text = b"[" * 200 + b"]" * 200
    run = decode(json.dumps(run_fields()).encode()[:-1] + b',"inputs":' + text + b"}")
    assert (run.inputs, run.notes) == (text, None)


@pytest.mark.parametrize("depth", [201, 900, 5_000, 100_000])
def test_what_nests_deeper_becomes_a_string(depth: int) -> None:
    text = b"[" * depth + b"]" * depth
    run = decode(json.dumps(run_fields()).encode()[:-1] + b',"inputs":' + text + b"}")
    inner = b"[" * (depth - 200) + b"]" * (depth - 200)
    assert run.inputs == b"[" * 200 + b'"' + inner + b'"' + b"]" * 200
    assert run.notes is not None
    assert len(run.notes) == 1


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("name", "n" * 1025, "n" * 1023 + "…"),
        ("run_type", "t" * 65, "t" * 63 + "…"),
        ("tags", ["x" * 257], ["x" * 255 + "…"]),
        ("tags", ["x"] * 101, ["x"] * 100),
    ],
)
def test_long_text_is_cut_with_a_note(field: str, sent: Any, kept: Any) -> None:
    run = decode(**{field: sent})
    assert getattr(run, field) == kept
    assert run.notes is not None


def test_a_long_project_name_is_cut_with_a_note() -> None:
    run = decode(session_name="p" * 513)
    assert (run.project, run.notes) == (
        "p" * 511 + "…",
        ["session_name: cut from 513 to 512 characters"],
    )


def limited(**limits: int) -> Reading:
    return Reading(RECEIVED_AT, replace(READING.limits, **limits))


def test_a_run_past_its_limit_is_refused() -> None:
    text = json.dumps(run_fields(inputs="x" * 600, outputs="y" * 600)).encode()
    with pytest.raises(ItemTooLarge, match="1,204 bytes; the limit is 1,000"):
        decode_run(text, limited(max_run_bytes=1000), is_update=False)


def test_a_long_string_is_cut_with_a_mark() -> None:
    text = json.dumps(run_fields(inputs={"a": "é" * 400, "b": "short"})).encode()
    run = decode_run(text, limited(max_string_bytes=500), is_update=False)
    assert json.loads(run.inputs) == {
        "a": "é" * 250 + "… [cut: 800 bytes in all]",
        "b": "short",
    }


def test_too_many_events_are_thinned_and_the_last_is_kept() -> None:
    events = [{"n": number} for number in range(1000)]
    text = json.dumps(run_fields(events=events)).encode()
    run = decode_run(text, limited(max_events=100), is_update=False)
    kept = [event["n"] for event in json.loads(run.events)]
    assert len(kept) <= 100
    assert (kept[:3], kept[-1]) == ([0, 11, 22], 999)


@pytest.mark.parametrize("text", [b"", b"{", b'{"id":}', b"nonsense", b"\xff", b'{"id":"x"} {}'])
def test_malformed_json_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedItem):
        decode(text)


@pytest.mark.parametrize("text", [b"[]", b"null", b"5", b'"x"'])
def test_json_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidField, match="must be a JSON object"):
        decode(text)


# --- All at once ------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3)
    ),
    max_leaves=6,
)
field_names = st.sampled_from(
    [
        "trace_id",
        "parent_run_id",
        "dotted_order",
        "name",
        "run_type",
        "session_name",
        "session_id",
        "start_time",
        "end_time",
        "error",
        "tags",
        "inputs",
        "outputs",
        "events",
        "extra",
        "status",
        "serialized",
        "address",
        "unknown",
        "child_runs",
        "reference_example_id",
    ]
)


@given(st.dictionaries(field_names, json_values, max_size=8), st.booleans())
def test_any_fields_give_a_storable_operation_or_a_reason(
    fields: dict[str, Any], is_update: bool
) -> None:
    with contextlib.suppress(ItemError):
        run = decode(is_update=is_update, **fields)
        assert unpack_batch(pack_batch(Batch(runs=[run]))).runs == [run]
        for payload in (run.inputs, run.outputs, run.events, run.extra, run.serialized, run.other):
            if payload:
                msgspec.json.decode(payload)


good_fields = st.fixed_dictionaries(
    {},
    optional={
        "trace_id": st.uuids().map(str),
        "parent_run_id": st.none() | st.uuids().map(str),
        "dotted_order": st.sampled_from([DOTTED_ORDER, OWN_SEGMENT, "x"]),
        "name": st.text(max_size=8),
        "session_name": st.none() | st.text(max_size=8),
        "start_time": st.datetimes().map(datetime.isoformat) | st.integers(0, 2**42),
        "end_time": st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
        | st.floats(0, 2e12),
        "tags": st.none() | st.lists(st.text(max_size=4), max_size=3),
        "inputs": json_values,
        "events": st.lists(json_values, max_size=2),
        "status": st.sampled_from(["interrupted", "success"]),
    },
)


@given(good_fields, st.booleans())
def test_the_quick_and_the_careful_way_agree(fields: dict[str, Any], is_update: bool) -> None:
    quick = decode(is_update=is_update, **fields)
    careful = decode(is_update=is_update, **fields, unknown=1)
    careful.other = b""
    assert careful == quick


@given(st.uuids())
def test_no_id_is_refused(run_id: UUID) -> None:
    assert decode(id=str(run_id)).id == run_id
