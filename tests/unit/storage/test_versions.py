"""The total order of operations, and its packed form."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from collector.storage.versions import operation_version, pack_versions, unpack_versions
from collector.wire.operations import RunOperation

TIME = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN_ID = uuid.uuid4()


def version(**fields: object) -> int:
    return operation_version(RunOperation(id=RUN_ID, received_at=TIME, **fields))  # type: ignore[arg-type]


def test_an_update_is_above_a_create_that_ends_later() -> None:
    assert version(is_update=True) > version(end_time=TIME + timedelta(days=9))


def test_of_two_updates_the_one_that_ends_later_is_above() -> None:
    early, late = (version(is_update=True, end_time=TIME + timedelta(seconds=s)) for s in (1, 2))
    assert late > early


def test_of_two_updates_of_a_run_that_goes_on_the_one_with_more_output_is_above() -> None:
    texts = [b'{"text":"%b"}' % (b"word " * count) for count in range(1, 200)]
    versions = [version(is_update=True, outputs=text) for text in texts]
    assert versions == sorted(versions)


def test_an_end_is_above_any_output_without_one() -> None:
    partial = version(is_update=True, outputs=b"x" * (1 << 20))
    for year in (1, 1970, 2026):
        assert version(is_update=True, end_time=datetime(year, 1, 1, tzinfo=UTC)) > partial


def test_the_time_of_arrival_does_not_count() -> None:
    other = RunOperation(id=RUN_ID, received_at=TIME + timedelta(days=1), name="x")
    assert operation_version(other) == version(name="x")


def test_different_content_has_a_different_version() -> None:
    assert version(inputs=b"1") != version(inputs=b"2")
    assert version(inputs=b"1") != version(outputs=b"1")


def test_no_end_time_overflows() -> None:
    for year in (1, 1969, 2110, 9999):
        assert 0 < version(is_update=True, end_time=datetime(year, 6, 1, tzinfo=UTC)) < 2**63


@given(st.dictionaries(st.integers(0, 31), st.integers(1, 2**63 - 1)))
def test_packed_versions_come_back(column_versions: dict[int, int]) -> None:
    assert unpack_versions(pack_versions(column_versions)) == column_versions
