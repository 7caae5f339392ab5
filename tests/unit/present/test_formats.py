"""Times, durations and numbers as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from viewer.present.charts import view_bars
from viewer.present.durations import format_clock, format_duration
from viewer.present.numbers import format_bytes, format_cost, format_count, format_rate
from viewer.present.project_paths import quote_project_name, unquote_project_name
from viewer.present.times import (
    format_age,
    format_axis,
    format_input,
    format_iso,
    format_moment,
    shift,
)

NOW = datetime(2026, 9, 24, 14, 32, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.08, "80 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.10 s"),
        (0.61, "0.61 s"),
        (9.84, "9.84 s"),
        (9.996, "10.0 s"),
        (31.6, "31.6 s"),
        (59.96, "1 min 0 s"),
        (128.4, "2 min 8 s"),
        (3599.6, "1 h 0 min"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
        (-2.5, "-2.50 s"),
    ],
)
def test_a_duration_is_written_in_its_own_unit(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_no_duration_reads_sixty_seconds_or_sixty_minutes(seconds: float) -> None:
    for text in (format_duration(seconds), format_clock(seconds)):
        assert not re.search(r"\b60(\.0)? (s|min)$|\b24 h$|\b1000 ms", text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0"),
        (12_406, "12,406"),
        (999_999, "999,999"),
        (1_000_000, "1.00 M"),
        (4_120_000, "4.12 M"),
        (31_900_000, "31.9 M"),
        (999_400_000, "999 M"),
        (999_600_000, "1.00 G"),
        (5_200_000_000, "5.20 G"),
    ],
)
def test_a_count_is_exact_below_a_million(count: int | None, text: str) -> None:
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (None, "–"),
        ("0", "$0"),
        ("0.0000009", "<$0.000001"),
        ("0.0000012", "$0.000001"),
        ("0.000030", "$0.000030"),
        ("0.000150", "$0.00015"),
        ("0.00276", "$0.0028"),
        ("0.0187", "$0.0187"),
        ("0.99996", "$1.00"),
        ("18.4", "$18.40"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_a_cost_has_four_places_below_a_dollar_and_two_digits_where_those_say_less(
    cost: str | None, text: str
) -> None:
    assert format_cost(Decimal(cost) if cost is not None else None) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "–"), (0.0, "0.0 %"), (0.00001, "<0.1 %"), (0.031, "3.1 %"), (1.0, "100.0 %")],
)
def test_a_rate_that_is_not_zero_never_reads_zero(rate: float | None, text: str) -> None:
    assert format_rate(rate) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (32_154, "31.4 KB"),
        (3_355_443, "3.20 MB"),
        (1_023_900, "0.98 MB"),
    ],
)
def test_bytes_are_in_powers_of_1024(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "16:32:07"),
        (datetime(2026, 9, 23, 22, 0, 1, tzinfo=UTC), "00:00:01"),  # already today in Berlin
        (datetime(2026, 9, 23, 21, 59, tzinfo=UTC), "Wed 23:59"),
        (datetime(2026, 9, 17, 12, 0, tzinfo=UTC), "17 Sep, 14:00:00"),
        (datetime(2025, 9, 24, 12, 0, tzinfo=UTC), "24 Sep 2025, 14:00"),
        (datetime(2026, 9, 25, 12, 0, tzinfo=UTC), "25 Sep, 14:00:00"),  # a fast clock
    ],
)
def test_a_time_is_as_short_as_its_distance_allows(moment: datetime, text: str) -> None:
    assert format_moment(moment, now=NOW, zone=BERLIN) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0.4, "just now"),
        (4, "4 s ago"),
        (840, "14 min ago"),
        (7300, "2 h ago"),
        (90_000, "1 day ago"),
        (800_000, "9 days ago"),
    ],
)
def test_an_age_is_in_one_unit(seconds: float, text: str) -> None:
    assert format_age(NOW - timedelta(seconds=seconds), now=NOW) == text


@given(st.text(min_size=1).filter(lambda name: not re.search("[\ud800-\udfff]", name)))
def test_every_project_name_is_one_path_segment_and_comes_back(name: str) -> None:
    segment = quote_project_name(name)
    assert not re.search(r"[/?#%\\\x00-\x1f]", segment)
    assert segment not in (".", "..")
    assert unquote_project_name(segment) == name


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=80))
def test_bars_stay_inside_their_plot(pairs: list[tuple[int, int]]) -> None:
    counts = [max(pair) for pair in pairs]
    bad = [min(pair) for pair in pairs]
    for bar, count, bad_count in zip(view_bars(counts, bad), counts, bad, strict=False):
        assert 0 <= bar.x <= bar.x + bar.width <= 100.1
        assert 0 <= bar.bad_height <= bar.height + 0.1 <= 100.2
        assert bar.y + bar.height == pytest.approx(100, abs=0.11)
        assert (bar.height > 0, bar.bad_height > 0) == (count > 0, bad_count > 0)


@given(
    moment=st.datetimes(timezones=st.just(UTC)),
    now=st.datetimes(timezones=st.just(UTC)),
    zone=st.timezones(),
)
@example(datetime.max.replace(tzinfo=UTC), NOW, ZoneInfo("Pacific/Kiritimati"))
@example(datetime.min.replace(tzinfo=UTC), NOW, ZoneInfo("America/Los_Angeles"))
def test_every_moment_can_be_written_in_every_zone(
    moment: datetime, now: datetime, zone: ZoneInfo
) -> None:
    assert format_moment(moment, now=now, zone=zone)
    assert format_age(moment, now=now)
    for length in (timedelta(minutes=1), timedelta(hours=1), timedelta(days=7), timedelta.max):
        assert format_axis(moment, length=length, zone=zone)
    difference = datetime.fromisoformat(format_iso(moment, zone=zone)) - moment
    assert abs(difference) < timedelta(minutes=1)  # an offset of the last century has seconds
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", format_input(moment, zone=zone))


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas())
def test_a_moment_is_never_moved_off_the_calendar(moment: datetime, by: timedelta) -> None:
    assert (shift(moment, by) >= moment) is (by >= timedelta(0)) or shift(moment, by) == moment


def test_a_time_that_is_still_to_come_is_not_said_to_be_now() -> None:
    assert format_age(NOW + timedelta(seconds=5), now=NOW) == "just now"
    assert format_age(NOW + timedelta(days=9), now=NOW) == "in the future"
