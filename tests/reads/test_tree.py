"""Runs of a trace as a tree: order, counts, orphans, circles, depth, plumbing."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.reads.tree import order_tree
from collector.reads.types import RunNode, RunSummary

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROOT_ID = UUID(int=1)
TEMPLATE = RunSummary(
    id=ROOT_ID, project_id=UUID(int=9), day=date(2026, 11, 24), trace_id=ROOT_ID, parent_run_id=None,
    name="run", run_type="chain", status="success", start_time=START, end_time=START,
    latency_seconds=0.0, first_token_time=None, model=None, thread_id=None, user_id=None, tags=(),
    inputs_preview="", outputs_preview="", error="", prompt_tokens=None, completion_tokens=None,
    total_tokens=None, total_cost=None, position=START,
)  # fmt: skip


def run(number: int, parent: int | None = None, at: float = 0.0, **fields: Any) -> RunSummary:
    return replace(
        TEMPLATE,
        id=UUID(int=number),
        parent_run_id=None if parent is None else UUID(int=parent),
        position=START + timedelta(seconds=at),
        **fields,
    )


def outline(*runs: RunSummary) -> list[tuple[int, int]]:
    """Return (id, depth) in display order, whatever order the runs come in."""
    shuffled = random.sample(runs, len(runs))
    return [(node.run.id.int, node.depth) for node in order_tree(shuffled, ROOT_ID)]


def nodes(*runs: RunSummary) -> dict[int, RunNode]:
    return {node.run.id.int: node for node in order_tree(runs, ROOT_ID)}


def test_children_follow_their_parent_and_siblings_follow_time_then_id() -> None:
    assert outline(run(1), run(2, 1, at=5), run(3, 1, at=1), run(4, 3, at=2), run(5, 1, at=1)) == [
        (1, 0), (3, 1), (4, 2), (5, 1), (2, 1),
    ]  # fmt: skip


def test_a_child_that_started_before_its_parent_still_hangs_below_it() -> None:
    assert outline(run(1, at=10), run(2, 1, at=5), run(3, 2, at=0)) == [(1, 0), (2, 1), (3, 2)]


def test_a_run_whose_parent_was_not_received_hangs_under_the_root_in_its_place() -> None:
    runs = (run(1), run(2, 1, at=1), run(3, 77, at=2), run(4, 3, at=3), run(5, 1, at=4))
    assert outline(*runs) == [(1, 0), (2, 1), (3, 1), (4, 2), (5, 1)]
    assert [number for number, node in nodes(*runs).items() if node.is_orphan] == [3]


def test_without_a_root_its_children_stand_at_the_top() -> None:
    runs = (run(2, 1, at=1), run(3, 2, at=2), run(4, 1, at=3))
    assert outline(*runs) == [(2, 0), (3, 1), (4, 0)]
    assert [number for number, node in nodes(*runs).items() if node.is_orphan] == [2, 4]


def test_a_root_that_names_a_parent_is_still_the_root() -> None:
    found = nodes(run(1, 50), run(2, 1))
    assert (found[1].depth, found[1].is_orphan, found[2].depth) == (0, False, 1)


def test_a_second_run_without_a_parent_hangs_under_the_root() -> None:
    assert outline(run(1), run(2, None, at=-5)) == [(1, 0), (2, 1)]


def test_a_circle_of_parents_hangs_under_the_root_by_its_first_run() -> None:
    runs = (run(1), run(2, 4, at=2), run(3, 2, at=1), run(4, 3, at=3), run(5, 4, at=4))
    assert outline(*runs) == [(1, 0), (3, 1), (4, 2), (2, 3), (5, 3)]
    assert nodes(*runs)[3].is_orphan


def test_a_run_that_is_its_own_parent_is_shown_once() -> None:
    assert outline(run(1), run(2, 2)) == [(1, 0), (2, 1)]


def test_counts_are_of_what_stands_below() -> None:
    found = nodes(
        run(1, status="error"),
        run(2, 1, at=1),
        run(3, 2, at=2, status="error"),
        run(4, 2, at=3, status="interrupted"),
        run(5, 1, at=4, status="error"),
    )
    assert {
        number: (node.child_count, node.descendant_count, node.error_count)
        for number, node in found.items()
    } == {1: (2, 4, 2), 2: (2, 2, 1), 3: (0, 0, 0), 4: (0, 0, 0), 5: (0, 0, 0)}


def test_the_last_child_is_marked_on_every_level() -> None:
    found = nodes(run(1), run(2, 1, at=1), run(3, 2, at=2), run(4, 1, at=3), run(5, 99, at=4))
    assert [number for number, node in found.items() if node.is_last_child] == [1, 3, 5]


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("ChannelWrite<messages>", ()),
        ("ChannelRead<messages>", ()),
        ("RunnableCallable", ()),
        ("__start__", ()),
        ("Branch<agent,should_continue,tools>", ()),
        ("my_router", ("seq:step:3", "langsmith:hidden")),
    ],
)
def test_the_frameworks_own_runs_are_plumbing(name: str, tags: tuple[str, ...]) -> None:
    assert nodes(run(1), run(2, 1, name=name, tags=tags))[2].is_plumbing


@pytest.mark.parametrize("name", ["agent", "Branch", "ChatOpenAI", "channel", "start"])
def test_other_runs_are_not_plumbing(name: str) -> None:
    assert not nodes(run(1), run(2, 1, name=name))[2].is_plumbing


def test_a_root_is_never_plumbing() -> None:
    assert not nodes(run(1, name="RunnableCallable"))[1].is_plumbing


def test_plumbing_that_failed_is_shown() -> None:
    assert not nodes(run(1), run(2, 1, name="ChannelWrite<x>", status="error"))[2].is_plumbing


def test_plumbing_that_leads_to_something_else_is_shown() -> None:
    found = nodes(
        run(1),
        run(2, 1, name="RunnableCallable"),
        run(3, 2, name="ChatModel"),
        run(4, 2, name="__end__"),
    )
    assert [number for number, node in found.items() if node.is_plumbing] == [4]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 3)), max_size=14),
    st.randoms(use_true_random=False),
)
def test_whatever_the_parents_say_every_run_stands_in_the_tree_once(
    links: list[tuple[int, int, int]], shuffle: random.Random
) -> None:
    runs = {number: run(number, parent, at) for number, parent, at in links}
    found = order_tree(list(runs.values()), ROOT_ID)
    assert sorted(node.run.id.int for node in found) == sorted(runs)
    shuffled = list(runs.values())
    shuffle.shuffle(shuffled)
    assert order_tree(shuffled, ROOT_ID) == found
    for before, node in itertools.pairwise(found):
        assert 0 <= node.depth <= before.depth + 1
    top = [node for node in found if node.depth == 0]
    assert sum(1 + node.descendant_count for node in top) == len(found)


def chain(length: int) -> list[RunSummary]:
    return [run(1)] + [run(number, number - 1, at=number) for number in range(2, length + 1)]


def fan(length: int) -> list[RunSummary]:
    return [run(1)] + [run(number, 1, at=number) for number in range(2, length + 1)]


@pytest.mark.parametrize("shape", [chain, fan])
def test_a_tree_of_any_shape_takes_time_in_proportion_to_its_size(
    shape: Callable[[int], list[RunSummary]],
) -> None:
    def seconds(length: int) -> float:
        runs = shape(length)
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            assert len(order_tree(runs, ROOT_ID)) == length
            best = min(best, time.process_time() - start)
        return best

    # 16 times the runs: a quadratic step would take 256 times as long, and a busy machine perhaps 70
    assert seconds(32_000) < 128 * max(seconds(2_000), 0.002)


def test_five_thousand_levels_are_no_problem() -> None:
    found = order_tree(chain(5_000), ROOT_ID)
    assert (found[-1].depth, found[0].descendant_count) == (4_999, 4_999)


def test_a_random_id_that_is_no_run_gives_a_tree_without_a_root() -> None:
    assert [node.depth for node in order_tree([run(1), run(2, 1)], uuid4())] == [0, 1]
