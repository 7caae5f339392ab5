from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.errors import InvalidField
from collector.wire.fields import EARLIEST, LATEST, read_time, read_uuid, storable

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOON_SECONDS = int(NOON.timestamp())


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00.000000",
        "2026-11-23 12:00:00",
        "2026-11-23T14:00:00+02:00",
        "20261123T120000Z",
        NOON_SECONDS,
        NOON_SECONDS * 1000,
        NOON_SECONDS * 1000.0,
        NOON_SECONDS * 1_000_000,
        NOON_SECONDS * 1_000_000_000,
        str(NOON_SECONDS),
        str(NOON_SECONDS * 1000),
        f"{NOON_SECONDS}.000",
        f"{NOON_SECONDS * 1000}.0",
        str(NOON_SECONDS * 1_000_000),
        "2026-11-23T12:00:00.000000000Z",
    ],
)
def test_every_way_of_writing_a_time_is_read(written: Any) -> None:
    assert read_time("start_time", written) == NOON


def test_microseconds_are_kept() -> None:
    time = read_time("start_time", "2026-11-23T23:43:28.437623+00:00")
    assert time == datetime(2026, 11, 23, 23, 43, 28, 437623, UTC)


def test_a_date_of_eight_digits_is_no_number() -> None:
    assert read_time("start_time", "20261123") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("9999-12-31T23:59:59-05:00", LATEST),
        ("0001-01-01T00:00:00+05:00", EARLIEST),
        (1e30, LATEST),
        (-1e30, EARLIEST),
        (10**300, LATEST),
        (str(10**25), LATEST),
        ("+275760-09-13T00:00:00.000Z", LATEST),
        ("-000001-01-01T00:00:00.000Z", EARLIEST),
    ],
)
def test_a_time_past_the_calendar_is_its_end(written: Any, time: datetime) -> None:
    assert read_time("end_time", written) == time


@pytest.mark.parametrize("written", [None, ""])
def test_nothing_is_no_time(written: Any) -> None:
    assert read_time("end_time", written) is None


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2026-13-01",
        True,
        {},
        [],
        math.nan,
        math.inf,
        "nan",
        "-",
        "1e3",
        "+1-2",
        10**400,
    ],
)
def test_what_is_no_time_is_refused_by_name(written: Any) -> None:
    with pytest.raises(InvalidField, match=r"^start_time: "):
        read_time("start_time", written)


@given(st.text(max_size=30) | st.floats() | st.integers())
def test_any_value_is_a_time_or_refused(written: Any) -> None:
    try:
        time = read_time("start_time", written)
    except InvalidField:
        return
    assert time is None or time.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        "01a20acb-4a34-78d8-934e-7ba1b08d8cb8",
        "01A20ACB-4A34-78D8-934E-7BA1B08D8CB8",
        "01a20acb4a3478d8934e7ba1b08d8cb8",
        " {01a20acb-4a34-78d8-934e-7ba1b08d8cb8}",
    ],
)
def test_every_way_of_writing_an_id_is_read(written: str) -> None:
    assert read_uuid("id", written) == UUID("01a20acb-4a34-78d8-934e-7ba1b08d8cb8")


@pytest.mark.parametrize("written", ["x", "01a20acb-4a34", 7, {}, "0" * 33])
def test_what_is_no_id_is_refused_by_name(written: Any) -> None:
    with pytest.raises(InvalidField, match=r"^trace_id: must be a UUID"):
        read_uuid("trace_id", written)


@given(st.text(st.characters(exclude_categories=())))
def test_storable_text_has_no_nul_and_is_utf8(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    kept.encode()
