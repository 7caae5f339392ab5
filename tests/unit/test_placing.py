"""Operations of one request place each other, whatever their order."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.placing import place_by_themselves, place_within_request, uuid7_day
from collector.wire.operations import RunOperation

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PROJECT = uuid.uuid4()


def chain(length: int) -> list[RunOperation]:
    """A root that is placed, and a line of descendants that name their parent alone."""
    ids = [uuid.uuid4() for _ in range(length)]
    root = RunOperation(
        id=ids[0], received_at=NOW, trace_id=ids[0], day=NOW.date(), project_id=PROJECT
    )
    children = [
        RunOperation(id=own, received_at=NOW, parent_run_id=parent, project_id=PROJECT)
        for parent, own in pairwise(ids)
    ]
    return [root, *children]


@given(st.permutations(range(8)))
def test_a_chain_is_placed_in_any_order(order: list[int]) -> None:
    runs = chain(8)
    place_within_request([runs[n] for n in order])
    assert {(run.trace_id, run.day, run.project_id) for run in runs} == {
        (runs[0].id, NOW.date(), PROJECT)
    }


def test_a_long_chain_that_comes_backwards_costs_one_pass() -> None:
    runs = chain(20_000)
    place_within_request(list(reversed(runs)))  # by the square of its length this took minutes
    assert all(run.is_placed for run in runs)


def test_parents_in_a_circle_stay_unplaced() -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    runs = [
        RunOperation(id=a, received_at=NOW, parent_run_id=b) for a, b in ((one, two), (two, one))
    ]
    place_within_request(runs)
    assert not any(run.is_placed for run in runs)


def test_what_is_below_a_guess_goes_with_it() -> None:
    top, child = uuid.uuid4(), uuid.uuid4()
    runs = [
        RunOperation(id=uuid.uuid4(), received_at=NOW, parent_run_id=child, start_time=NOW + DAY),
        RunOperation(id=child, received_at=NOW + DAY, is_update=True),
        RunOperation(id=child, received_at=NOW, parent_run_id=top, start_time=NOW),
    ]
    place_by_themselves(runs, PROJECT)
    assert {(run.trace_id, run.day, run.is_provisional) for run in runs} == {
        (top, NOW.date(), True)
    }


@given(st.permutations(range(4)))
def test_a_run_whose_parents_stand_in_a_circle_lies_in_one_place(order: list[int]) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    runs = [
        RunOperation(id=a, received_at=NOW, parent_run_id=parent)
        for a, b in ((one, two), (two, one))
        for parent in (b, None)
    ]
    place_by_themselves([runs[n] for n in order], PROJECT)
    assert len({(run.id, run.trace_id, run.day) for run in runs}) == 2


def test_what_nothing_places_is_a_trace_of_its_own() -> None:
    run = RunOperation(id=uuid.uuid4(), received_at=NOW, is_update=True)
    place_by_themselves([run], PROJECT)
    assert (run.project_id, run.trace_id, run.day) == (PROJECT, run.id, NOW.date())


@given(st.uuids())
def test_the_day_of_any_uuid_is_a_day_or_none(value: uuid.UUID) -> None:
    day = uuid7_day(value)
    assert day is None or value.version == 7
