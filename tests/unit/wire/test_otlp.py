"""A span of OpenTelemetry is a run: which one, where it stands, when it was and how it ended."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from collector.wire.dotted_order import format_segment
from collector.wire.fields import EPOCH, LATEST
from collector.wire.otlp.decode import PROTOBUF
from tests.unit.wire.otlp_support import (
    CHILD,
    GRANDCHILD,
    ROOT,
    SECOND,
    START,
    TRACE,
    decode,
    extra_of,
    metadata_of,
    parsed,
    run_of,
    run_with,
    runs_of,
    span,
    to_json,
)
from tests.unit.wire.support import RECEIVED_AT

TRACE_ID = UUID(TRACE)
STARTED = datetime(2026, 11, 24, 12, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "samples" / "24-py-otlp-protobuf.bin"
FIRST, SECOND_ID = UUID(int=1 << 100), UUID(int=2 << 100)
LANGSMITH_TRACE = (
    "019ab5b6e40078d8934e7ba1b08d8cb8"  # a UUID of version 7, made at 2025-11-24T15:33Z
)
LANGSMITH_START = str(1763998400 * SECOND)


def padded(span_id: str) -> UUID:
    return UUID(int=int(span_id, 16))


# --- Ids ------------------------------------------------------------------------------------------


def test_a_root_is_its_trace() -> None:
    run = run_of(span_id=ROOT)
    assert (run.id, run.trace_id, run.parent_run_id) == (TRACE_ID, TRACE_ID, None)


def test_a_parent_id_of_zeros_is_none() -> None:
    assert run_of(parent="0" * 16).id == TRACE_ID


def test_a_child_is_its_span_id_after_eight_bytes_of_zeros() -> None:
    run = run_of(span_id=CHILD, parent=GRANDCHILD)
    assert (run.id, run.trace_id) == (padded(CHILD), TRACE_ID)
    assert run.parent_run_id == padded(GRANDCHILD)


def test_a_child_of_the_root_names_the_trace_as_its_parent() -> None:
    child, root, grandchild = runs_of(
        span(CHILD, ROOT), span(ROOT), span(GRANDCHILD, CHILD)
    )  # children end first
    assert child.parent_run_id == root.id == TRACE_ID
    assert grandchild.parent_run_id == child.id


def test_every_run_has_its_span_id_as_a_signed_number() -> None:
    assert run_of(span_id="ffffffffffffffff").span_id == -1
    assert run_of(span_id=GRANDCHILD, parent=ROOT).span_id == 255


def test_a_span_that_says_to_be_a_root_is_one() -> None:
    run = run_with({"langsmith.is_root": True}, parent=CHILD)
    assert (run.id, run.parent_run_id) == (TRACE_ID, None)


def test_ids_in_attributes_win() -> None:
    run = run_with(
        {
            "langsmith.span.id": str(FIRST),
            "langsmith.trace.id": str(SECOND_ID),
            "langsmith.span.parent_id": str(SECOND_ID),
            "langsmith.reference_example_id": str(FIRST),
        },
        parent=CHILD,
    )
    assert (run.id, run.trace_id, run.parent_run_id) == (FIRST, SECOND_ID, SECOND_ID)
    assert run.reference_example_id == FIRST


def test_a_root_that_names_its_run_renames_the_trace_for_all_that_came_with_it() -> None:
    child, root = runs_of(span(CHILD, ROOT), span(attributes={"langsmith.span.id": str(FIRST)}))
    assert (root.id, root.trace_id) == (FIRST, FIRST)
    assert (child.trace_id, child.parent_run_id) == (FIRST, FIRST)


def test_a_dotted_order_says_it_all() -> None:
    path = f"{format_segment(STARTED, SECOND_ID)}.{format_segment(STARTED, FIRST)}"
    run = run_with({"langsmith.span.dotted_order": path})
    assert (run.id, run.parent_run_id, run.trace_id) == (FIRST, SECOND_ID, SECOND_ID)
    assert (run.dotted_order, run.day) == (path, STARTED.date())


@pytest.mark.parametrize(
    "name", ["langsmith.span.id", "langsmith.trace.id", "langsmith.span.dotted_order"]
)
def test_an_id_that_is_none_is_dropped_with_a_note(name: str) -> None:
    run = run_with({name: "run 1"})
    assert run.id == TRACE_ID
    assert run.notes is not None


def test_a_span_that_is_its_own_parent_has_none() -> None:
    run = run_of(span_id=CHILD, parent=CHILD)
    assert run.parent_run_id is None
    assert run.notes == ["parentSpanId: the span itself; it was dropped"]


def test_a_span_below_a_langsmith_root_knows_it_by_half_its_id() -> None:
    run = run_of(span_id=CHILD, parent=TRACE[:16])
    assert run.parent_run_id == TRACE_ID


# --- Project and day --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "header", "project"),
    [
        ({"langsmith.trace.session_name": "a"}, "b", "a"),
        ({}, "b", "b"),
        ({}, None, "default"),
        ({"service.name": "shop"}, None, "default"),
    ],
)
def test_the_project_is_the_spans_then_the_headers_then_the_default(
    attributes: dict[str, Any], header: str | None, project: str
) -> None:
    (run,) = runs_of(span(attributes=attributes), project=header)
    assert run.project == project


def test_a_project_may_be_named_by_its_id() -> None:
    assert run_with({"langsmith.trace.session_id": str(FIRST)}).project_id == FIRST


def test_a_span_in_a_langsmith_trace_that_names_no_project_goes_where_that_is() -> None:
    run = run_of(
        span_id=CHILD, parent=ROOT, traceId=LANGSMITH_TRACE, startTimeUnixNano=LANGSMITH_START
    )
    assert (run.project, run.trace_id, run.day) == (None, UUID(LANGSMITH_TRACE), None)


def test_a_trace_id_that_only_looks_like_langsmiths_is_any_trace() -> None:
    run = run_of(span_id=CHILD, parent=ROOT, traceId="ffffffffffff78d8934e7ba1b08d8cb8")
    assert run.project == "default"


def test_a_root_within_one_day_gives_the_trace_its_day() -> None:
    assert run_of().day == date(2026, 11, 24)


def test_a_root_over_midnight_leaves_the_day_to_the_worker() -> None:
    run = run_of(endTimeUnixNano=str(START + 13 * 3600 * SECOND))
    assert run.day is None


def test_a_child_leaves_the_day_to_the_worker() -> None:
    assert run_of(span_id=CHILD, parent=ROOT).day is None


# --- Times ------------------------------------------------------------------------------------------


def test_times_keep_their_microseconds() -> None:
    run = run_of(startTimeUnixNano=str(START + 123_456_789), endTimeUnixNano=str(START + SECOND))
    assert run.start_time == STARTED + timedelta(microseconds=123_456)
    assert run.end_time == STARTED + timedelta(seconds=1)


def test_an_end_before_the_start_is_kept() -> None:
    run = run_of(endTimeUnixNano=str(START - SECOND))
    assert run.end_time == STARTED - timedelta(seconds=1)


def test_a_span_without_an_end_still_runs() -> None:
    assert run_of(endTimeUnixNano="0").end_time is None


def test_a_span_without_a_start_began_when_it_ended() -> None:
    assert run_of(startTimeUnixNano="0").start_time == STARTED + timedelta(seconds=2)
    assert run_of(startTimeUnixNano="0", endTimeUnixNano="0").start_time == RECEIVED_AT


def test_the_latest_time_of_the_wire_is_a_time() -> None:
    end = run_of(endTimeUnixNano=str(2**64 - 1)).end_time
    assert end is not None
    assert EPOCH < end < LATEST


# --- Status, events and links -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [{}, {"code": 1}, {"code": 0, "message": "fine"}])
def test_a_status_that_is_no_error_is_none(status: dict[str, Any]) -> None:
    assert run_of(status=status).error is None


@pytest.mark.parametrize(
    ("status", "attributes", "error"),
    [
        ({"code": 2, "message": "no kettle"}, {}, "no kettle"),
        ({"code": 2}, {"error.type": "timeout"}, "timeout"),
        ({"code": 2}, {}, "error"),
    ],
)
def test_an_error_status_is_an_error(
    status: dict[str, Any], attributes: dict[str, Any], error: str
) -> None:
    assert run_with(attributes, status=status).error == error


def exception(**said: str) -> list[tuple[str, dict[str, Any]]]:
    return [("exception", {f"exception.{key}": value for key, value in said.items()})]


def test_an_exception_is_an_error_with_its_traceback() -> None:
    run = run_of(
        events=exception(type="ValueError", message="no kettle", stacktrace="Traceback …"),
        status={"code": 2, "message": "ValueError: no kettle"},
    )
    assert run.error == "ValueError: no kettle\n\nTraceback …"
    assert [event["name"] for event in parsed(run.events)] == ["exception"]


def test_of_several_exceptions_the_last_is_the_error() -> None:
    events = exception(message="first") + exception(message="last")
    assert run_of(events=events).error == "last"


def test_an_exception_counts_even_where_the_status_is_good() -> None:
    """LangSmith's exporter cannot take back the good status that it begins with."""
    run = run_of(
        events=exception(type="Exception", message="boom", stacktrace="Exception: boom\n"),
        status={"code": 1},
    )
    assert run.error == "boom"


def test_span_events_are_events_with_their_attributes() -> None:
    run = run_of(events=[("cache.miss", {"key": '{"a": 1}', "n": 1})])
    assert parsed(run.events) == [
        {
            "name": "cache.miss",
            "time": "2026-11-24T12:00:01Z",
            "kwargs": {"key": {"a": 1}, "n": 1},
        }
    ]


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        ({"gen_ai.response.time_to_first_chunk": 1.5}, []),
        ({"gen_ai.server.time_to_first_token": 1.5}, []),
        ({"ai.response.msToFirstChunk": 1500}, []),
    ],
)
def test_the_first_token_is_an_event(attributes: dict[str, Any], events: Any) -> None:
    (event,) = parsed(run_with(attributes, events=events).events)
    assert (event["name"], event["time"]) == ("new_token", "2026-11-24T12:00:01.500000Z")


@pytest.mark.parametrize("name", ["First Token Stream Event", "ai.stream.firstChunk"])
def test_an_event_of_the_first_token_counts_as_one(name: str) -> None:
    first, event = parsed(run_of(events=[(name, {})]).events)
    assert (first["name"], first["time"]) == ("new_token", event["time"])


def test_links_resource_scope_and_kind_are_kept() -> None:
    link = {"traceId": TRACE, "spanId": CHILD, "attributes": [], "traceState": ""}
    (run,) = runs_of(
        span(links=[link], kind=3),
        resource={"service.name": "shop", "telemetry.sdk.name": "opentelemetry"},
    )
    extra = extra_of(run)
    assert extra["otel"] == {
        "kind": "client",
        "links": [{"trace_id": TRACE, "span_id": CHILD}],
        "scope": {"name": "tests", "version": "1"},
        "resource": {"service.name": "shop", "telemetry.sdk.name": "opentelemetry"},
    }
    assert extra["runtime"] == {"sdk": "opentelemetry", "service": "shop"}


def test_the_ids_of_the_span_are_metadata() -> None:
    metadata = extra_of(run_of())["metadata"]
    assert (metadata["OTEL_TRACE_ID"], metadata["OTEL_SPAN_ID"]) == (TRACE, ROOT)


def test_a_span_of_any_other_library_is_a_chain_that_keeps_all_it_says() -> None:
    said = {"http.request.method": "GET", "http.response.status_code": 200, "ok": True, "t": 0.5}
    run = run_with(said, name="GET /")
    assert (run.name, run.run_type, run.inputs, run.outputs) == ("GET /", "chain", b"", b"")
    assert extra_of(run)["otel"]["attributes"] == said


# --- What LangSmith's own exporter sends ----------------------------------------------------------------


def test_the_recorded_export_of_langsmiths_exporter_is_the_tree_that_it_traced() -> None:
    decoded = decode(SAMPLE.read_bytes(), PROTOBUF, project="not this")
    root, child = decoded.runs
    assert (root.name, root.run_type, root.project) == ("parent", "chain", "otel-proj")
    assert (child.name, child.run_type, child.project) == ("llm", "llm", "otel-proj")
    assert (root.parent_run_id, child.parent_run_id) == (None, root.id)
    assert child.tags == ["x"]
    assert parsed(root.inputs) == {"q": "hi"}
    assert parsed(child.inputs) == {"messages": [{"role": "user", "content": "hi"}]}
    assert parsed(child.outputs)["content"] == "ok"
    metadata = metadata_of(child)
    assert (metadata["ls_model_name"], metadata["ls_provider"]) == ("gpt-4o", "openai")
    assert metadata["usage_metadata"] == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert "ls_provider" not in metadata_of(root)


# --- What cannot be taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"traceId": "0" * 32}, "traceId"),
        ({"traceId": ""}, "traceId"),
        ({"traceId": TRACE[:30]}, "traceId"),
        ({"spanId": "0" * 16}, "spanId"),
        ({"spanId": TRACE}, "spanId"),
        ({"parentSpanId": "ff"}, "parentSpanId"),
        ({"spanId": "no hex"}, "spanId"),
        ({"startTimeUnixNano": "yesterday"}, "startTimeUnixNano"),
    ],
)
def test_a_span_without_ids_is_refused_alone(bad: dict[str, Any], field: str) -> None:
    decoded = decode(to_json(span() | bad, span(CHILD, ROOT)))
    assert [run.id for run in decoded.runs] == [padded(CHILD)]
    (refused,) = decoded.rejected
    assert refused.reason.startswith(f"{field}: ")


def test_a_span_larger_than_a_run_may_be_is_refused_alone() -> None:
    large = span(attributes={f"{number}": "x" * (1 << 20) for number in range(21)})
    decoded = decode(to_json(large, span(CHILD, ROOT)))
    assert len(decoded.runs) == 1
    assert decoded.rejected[0].code == "item_too_large"


def test_a_text_past_its_limit_is_cut_with_a_note() -> None:
    run = run_of(name="n" * 5000)
    assert run.name is not None
    assert len(run.name) == 1024
    assert run.notes == ["name: cut from 5,000 to 1,024 characters"]


def test_what_is_stored_has_no_nul_where_postgres_refuses_it() -> None:
    run = run_with(
        {"langsmith.span.tags": "a\0b", "langsmith.trace.name": "\0"},
        status={"code": 2, "message": "\0"},
    )
    assert (run.name, run.error, run.tags) == ("\ufffd", "\ufffd", ["a\ufffdb"])


def test_ten_thousand_attributes_are_kept() -> None:
    said = {f"a.{number}": number for number in range(10_000)}
    assert extra_of(run_with(said))["otel"]["attributes"] == said


def test_deep_values_become_text_where_no_reader_could_follow() -> None:
    deep = json.dumps({"v": [[1]]}).replace("[[1]]", "[" * 300 + "1" + "]" * 300)
    run = run_with({"gen_ai.prompt": deep})
    assert run.notes is not None
    assert run.notes[0].startswith("inputs: ")
