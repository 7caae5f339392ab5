from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.dotted_order import (
    MAX_CHARS,
    InvalidDottedOrder,
    Lineage,
    Segment,
    format_dotted_order,
    format_segment,
    last_segment_time,
    parse_dotted_order,
    parse_lineage,
)

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "samples" / "dotted_order.json").read_text()
)


def segments_of(case: dict[str, Any]) -> tuple[Segment, ...]:
    return tuple(
        Segment(datetime.fromisoformat(part["time"]), UUID(part["run_id"]))
        for part in case["segments"]
    )


def cases(kind: str) -> Any:
    return pytest.mark.parametrize("case", CASES[kind], ids=[case["case"] for case in CASES[kind]])


@cases("valid")
def test_a_valid_text_is_parsed(case: dict[str, Any]) -> None:
    assert parse_dotted_order(case["text"]) == segments_of(case)


@cases("valid")
def test_segments_are_formatted(case: dict[str, Any]) -> None:
    assert format_dotted_order(segments_of(case)) == case["text"]


@cases("valid")
def test_lineage_is_told_by_the_ends(case: dict[str, Any]) -> None:
    segments = segments_of(case)
    assert parse_lineage(case["text"]) == Lineage(
        run_id=segments[-1].run_id,
        parent_run_id=segments[-2].run_id if len(segments) > 1 else None,
        trace_id=segments[0].run_id,
        day=segments[0].time.date(),
    )


@cases("valid")
def test_last_segment_time_is_the_time_of_the_run_itself(case: dict[str, Any]) -> None:
    assert last_segment_time(case["text"]) == segments_of(case)[-1].time


@cases("tolerated")
def test_other_spellings_of_ids_are_read(case: dict[str, Any]) -> None:
    assert format_dotted_order(parse_dotted_order(case["text"])) == case["canonical"]


@cases("malformed")
def test_a_malformed_text_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidDottedOrder):
        parse_dotted_order(case["text"])


@cases("malformed")
def test_lineage_refuses_a_malformed_text(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidDottedOrder):
        parse_lineage(case["text"])


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    time = datetime(2026, 11, 24, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert format_segment(time, UUID(int=1)).startswith("20261123T230000000000Z")


def test_a_text_past_the_limit_is_refused_unread() -> None:
    segment = format_segment(datetime.now(UTC), UUID(int=1))
    with pytest.raises(InvalidDottedOrder, match="longer than"):
        parse_lineage(".".join([segment] * (MAX_CHARS // len(segment) + 1)))


segments = st.builds(Segment, time=st.datetimes(timezones=st.just(UTC)), run_id=st.uuids())


@given(st.lists(segments, min_size=1, max_size=8))
def test_formatting_and_parsing_undo_each_other(path: list[Segment]) -> None:
    assert parse_dotted_order(format_dotted_order(path)) == tuple(path)


@given(st.text(alphabet="0123456789TZabcdef-.", max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_dotted_order(text)
    except InvalidDottedOrder:
        return
    assert format_dotted_order(parsed)
