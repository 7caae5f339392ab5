from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from runwood.recording.dotted_order import format_start, format_time

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017


GOLDEN = Path(__file__).parents[2] / "tests" / "samples" / "dotted_order.json"  # the server's too
CASES = json.loads(GOLDEN.read_text())["valid"] if GOLDEN.exists() else []


def nanoseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


@pytest.mark.skipif(not CASES, reason="the server's golden cases are not here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_segments_are_what_the_server_reads(case: dict[str, Any]) -> None:
    segments = [
        format_start(nanoseconds(datetime.fromisoformat(item["time"])), item["run_id"])[1]
        for item in case["segments"]
    ]
    assert ".".join(segments) == case["text"]


def test_a_whole_second_keeps_its_microseconds():
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)  # noqa: UP017
    assert format_time(nanoseconds(moment)) == "2026-01-02T00:00:00.000000+00:00"


def test_segments_sort_as_their_times():
    start = nanoseconds(datetime(2026, 12, 31, 23, 59, 59, 999_998, tzinfo=timezone.utc))  # noqa: UP017
    texts = [format_start(start + n * 1000, "id")[1] for n in range(5)]
    assert texts == sorted(texts)
