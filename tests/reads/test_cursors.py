"""Cursors: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.reads.cursors import ListKind, Position, decode_cursor, encode_cursor
from collector.reads.errors import BadCursor

times = st.datetimes(timezones=st.just(UTC))
POSITION = Position(datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC), UUID(int=5))


@settings(deadline=None)
@given(st.sampled_from(ListKind), times, st.uuids())
def test_a_cursor_gives_back_its_place(kind: ListKind, time: datetime, id_: UUID) -> None:
    assert decode_cursor(kind, encode_cursor(kind, Position(time, id_))) == (time, id_)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        decode_cursor(ListKind.RUNS_OLDEST_FIRST, encode_cursor(ListKind.TRACES, POSITION))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_other_text_is_refused_as_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(ListKind.TRACES, text)


@settings(deadline=None)
@given(st.binary(min_size=26, max_size=26))
def test_forged_bytes_are_a_place_or_a_bad_cursor_and_never_another_error(data: bytes) -> None:
    text = base64.urlsafe_b64encode(b"\x01\x01" + data[2:]).rstrip(b"=").decode()
    try:
        decode_cursor(ListKind.TRACES, text)
    except BadCursor:
        return
