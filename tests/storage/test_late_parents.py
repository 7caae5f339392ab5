"""Runs that say little of where they belong end in the right place, however late the run comes that knows."""

from __future__ import annotations

import json
import threading
import uuid
from copy import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import inbox
from collector.drain import drain_lane
from collector.models import Project, SharedRun, Workspace
from collector.placing import FILE_PATIENCE, PATIENCE
from collector.projects import DEFAULT_PROJECT, get_or_create_project_id
from collector.reads.runs import get_run
from collector.reads.traces import get_tree
from collector.sharing import share_run
from collector.storage.move import move_if_late, move_traces
from collector.storage.provisional import note_provisional
from collector.storage.seal import follow_up_due_traces
from collector.wire.operations import (
    AttachmentOperation,
    DecodedRequest,
    FeedbackOperation,
    RunOperation,
)
from tests.factories import make_run
from tests.storage.operations import stored

pytestmark = pytest.mark.usefixtures("store")

# The trace goes over midnight: children by themselves would lie in another day than their root.
ROOT_START = datetime(2026, 11, 24, 23, 59, 30, tzinfo=UTC)
CHILD_START = ROOT_START + timedelta(minutes=1)


def query(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def accept(workspace: Workspace, *runs: RunOperation, **others: Any) -> None:
    """Take a request as the endpoint does. The operations stay as they are for the next one."""
    inbox.accept(workspace.id, DecodedRequest(runs=[copy(run) for run in runs], **others))


def drain_all() -> None:
    while lanes := inbox.due_lanes():
        for lane_id in lanes:
            drain_lane(lane_id)


def lose_patience() -> None:
    """Let all that waits have waited long enough, and drain it."""
    query(
        "UPDATE inbox SET received_at = received_at - %s, not_before = NULL RETURNING id",
        PATIENCE * 2,
    )
    drain_all()


def late(workspace: Workspace, *runs: RunOperation) -> None:
    """Send runs and let them be stored without the runs that they hang on."""
    accept(workspace, *runs)
    lose_patience()


def bare(parent: RunOperation, **fields: Any) -> RunOperation:
    """A child as `create_run` makes it by hand: it names its parent only."""
    values = {"start_time": CHILD_START, "trace_id": None, "dotted_order": None, "day": None}
    return make_run(parent, **(values | fields))


def bare_update(run: RunOperation, **fields: Any) -> RunOperation:
    values: dict[str, Any] = {"received_at": datetime.now(UTC)} | fields
    return RunOperation(id=run.id, is_update=True, **values)


def places() -> dict[UUID, tuple[date, UUID]]:
    rows = query("SELECT id, day, trace_id FROM run")
    assert len({row[0] for row in rows}) == len(rows), "a run is stored twice"
    return {run_id: (day, trace_id) for run_id, day, trace_id in rows}


def traces() -> list[tuple[Any, ...]]:
    return query("SELECT id, day, run_count, has_root FROM trace ORDER BY id")


@pytest.fixture
def root() -> RunOperation:
    return make_run(start_time=ROOT_START, project=DEFAULT_PROJECT)


def test_a_child_whose_parent_does_not_come_is_shown_as_a_trace_of_its_own(
    workspace: Workspace, root: RunOperation
) -> None:
    child = bare(root)
    late(workspace, child)
    assert places() == {child.id: (CHILD_START.date(), root.id)}


def test_a_child_of_a_root_that_has_not_come_joins_the_trace_that_has_begun(
    workspace: Workspace, root: RunOperation
) -> None:
    accept(workspace, make_run(root, after_seconds=1))
    child = bare(root)
    accept(workspace, child)
    drain_all()
    assert places()[child.id] == (ROOT_START.date(), root.id)


def test_a_late_parent_takes_its_child_into_its_trace_and_day(
    workspace: Workspace, root: RunOperation
) -> None:
    step = make_run(root, after_seconds=1)
    child = bare(step)
    late(workspace, child)
    accept(workspace, root, step)
    drain_all()
    here = (ROOT_START.date(), root.id)
    assert places() == dict.fromkeys((root.id, step.id, child.id), here)
    assert traces() == [(root.id, ROOT_START.date(), 3, True)]


def test_late_parents_come_one_after_the_other(workspace: Workspace, root: RunOperation) -> None:
    child = bare(root)
    grandchild = bare(child)
    late(workspace, grandchild)
    late(workspace, child)
    assert {trace_id for _, trace_id in places().values()} == {root.id}
    accept(workspace, root)
    drain_all()
    assert set(places().values()) == {(ROOT_START.date(), root.id)}
    assert traces() == [(root.id, ROOT_START.date(), 3, True)]


def test_children_of_one_request_that_lost_patience_stay_together(
    workspace: Workspace, root: RunOperation
) -> None:
    child = bare(root)
    late(workspace, bare(child), child, bare_update(child, end_time=CHILD_START))
    assert set(places().values()) == {(CHILD_START.date(), root.id)}


def test_an_update_that_was_stored_alone_joins_its_run(
    workspace: Workspace, root: RunOperation
) -> None:
    child = make_run(root, after_seconds=1, end_time=None)
    late(workspace, bare_update(child, error="boom", end_time=CHILD_START))
    accept(workspace, root, child)
    drain_all()
    assert set(places().values()) == {(ROOT_START.date(), root.id)}
    assert query("SELECT name, status FROM run WHERE id = %s", child.id) == [("step", "error")]
    assert query("SELECT count(*) FROM dead_letter") == [(0,)]


def test_an_update_that_was_placed_by_a_guess_follows_its_run_when_both_are_written_at_once(
    workspace: Workspace, root: RunOperation
) -> None:
    late(workspace, bare(root))
    accept(workspace, bare_update(root, end_time=CHILD_START))
    drain_lane(workspace.id)  # into the day of the child
    accept(workspace, root)
    drain_all()
    assert traces() == [(root.id, ROOT_START.date(), 2, True)]
    assert query("SELECT status FROM run WHERE id = %s", root.id) == [("success",)]


def test_a_run_that_was_placed_by_a_guess_is_moved_to_where_it_says_it_is(
    workspace: Workspace, root: RunOperation
) -> None:
    step = make_run(root, after_seconds=1)
    child = make_run(step, after_seconds=2)
    alone = bare(step, id=child.id, start_time=child.start_time)
    late(workspace, alone)
    accept(workspace, child)
    drain_all()
    assert places() == {child.id: (ROOT_START.date(), root.id)}
    assert query("SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_true_contradiction_is_a_dead_letter_still(
    workspace: Workspace, root: RunOperation
) -> None:
    late(workspace, bare(root, trace_id=root.id, start_time=ROOT_START))
    accept(workspace, root)
    drain_all()
    before = places()
    other = make_run(start_time=ROOT_START, project=DEFAULT_PROJECT)
    accept(workspace, make_run(other, id=root.id))
    drain_all()
    assert places() == before
    assert query("SELECT run_id FROM dead_letter") == [(root.id,)]


@pytest.mark.parametrize("starts", [ROOT_START, CHILD_START])  # in the day of the root, or not
def test_all_that_a_run_has_moves_with_it(
    workspace: Workspace, root: RunOperation, starts: datetime
) -> None:
    step = make_run(root, after_seconds=1)
    child = bare(step, inputs=b'{"q": "kettle"}', start_time=starts)
    feedback = FeedbackOperation(
        id=uuid.uuid4(), received_at=starts, run_id=child.id, trace_id=step.id, key="k", score=1.0
    )
    file = AttachmentOperation(run_id=child.id, name="a", mime_type="text/plain", data=b"x")
    accept(workspace, child, feedback=[feedback], attachments=[file])
    lose_patience()
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    share_run([project_id], child.id)
    accept(workspace, root, step)
    drain_all()
    detail = get_run([project_id], child.id)
    assert detail is not None
    assert detail.inputs == {"q": "kettle"}
    assert [item.name for item in detail.attachments] == ["a"]
    assert [item.key for item in detail.feedback] == ["k"]
    assert query("SELECT trace_id FROM feedback") == [(root.id,)]
    assert query("SELECT trace_id, day FROM attachment") == [(root.id, ROOT_START.date())]
    assert SharedRun.objects.values_list("trace_id", "day").get() == (root.id, ROOT_START.date())
    for table in ("payload", "trace_terms", "follow_up"):
        assert query(f"SELECT DISTINCT trace_id, day FROM {table}") == [
            (root.id, ROOT_START.date())
        ]


@pytest.mark.parametrize("is_first_of_all", [True, False])
def test_a_file_waits_for_its_run_longer_than_runs_do(
    workspace: Workspace, root: RunOperation, is_first_of_all: bool
) -> None:
    file = AttachmentOperation(run_id=root.id, name="a", mime_type="text/plain", data=b"x")
    if not is_first_of_all:
        late(workspace, bare_update(root))
    accept(workspace, attachments=[file])
    lose_patience()
    assert query("SELECT count(*) FROM attachment") == [(0 if is_first_of_all else 1,)]
    accept(workspace, root)
    drain_all()
    lose_patience()
    assert query("SELECT trace_id, day FROM attachment") == [(root.id, ROOT_START.date())]
    assert inbox.due_lanes() == []


def test_a_file_whose_run_never_comes_does_not_wait_for_ever(
    workspace: Workspace, root: RunOperation
) -> None:
    file = AttachmentOperation(run_id=root.id, name="a", mime_type="text/plain", data=b"x")
    accept(workspace, attachments=[file])
    query("UPDATE inbox SET received_at = received_at - %s RETURNING id", FILE_PATIENCE * 2)
    drain_all()
    assert query("SELECT run_id, name FROM attachment") == [(root.id, "a")]
    assert query("SELECT id FROM inbox") == []


def test_a_file_of_a_name_that_its_run_has_changes_nothing(
    workspace: Workspace, root: RunOperation
) -> None:
    for data in (b"first", b"first", b"second"):
        file = AttachmentOperation(run_id=root.id, name="a", mime_type="text/plain", data=data)
        accept(workspace, root, attachments=[file])
        drain_all()
    assert query("SELECT data FROM attachment") == [(b"first",)]


def test_the_moved_child_hangs_below_its_parent(workspace: Workspace, root: RunOperation) -> None:
    step = make_run(root, after_seconds=1)
    child = bare(step)
    late(workspace, child)
    accept(workspace, root, step)
    drain_all()
    tree = get_tree((get_or_create_project_id(workspace.id, DEFAULT_PROJECT),), root.id)
    assert tree is not None
    assert [(node.run.id, node.depth) for node in tree.nodes] == [
        (root.id, 0),
        (step.id, 1),
        (child.id, 2),
    ]


def test_an_operation_that_was_placed_before_the_move_follows_it(
    workspace: Workspace, root: RunOperation
) -> None:
    step = make_run(root, after_seconds=1)
    child = bare(step, end_time=None)
    late(workspace, child)
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    accept(workspace, bare_update(child, end_time=CHILD_START))
    drain_lane(workspace.id)  # placed where the child is, and not yet written
    accept(workspace, root, step)
    drain_lane(project_id)
    assert set(places().values()) == {(ROOT_START.date(), root.id)}
    assert query("SELECT status FROM run WHERE id = %s", child.id) == [("success",)]


def test_a_parent_and_a_child_that_are_stored_at_the_same_moment_find_each_other(
    workspace: Workspace, root: RunOperation
) -> None:
    """Two transactions that do not see each other: the note of the guess is written after the look for it."""
    step = make_run(root, after_seconds=1)
    child = bare(step)
    late(workspace, child)
    query("DELETE FROM provisional_trace RETURNING trace_id")
    accept(workspace, root, step)
    drain_all()
    assert len(traces()) == 2
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    note_provisional(project_id, [(CHILD_START.date(), step.id)])
    query("UPDATE follow_up SET due_at = now() RETURNING trace_id")
    follow_up_due_traces()
    assert traces() == [(root.id, ROOT_START.date(), 3, True)]


def test_a_move_that_was_done_already_does_nothing(
    workspace: Workspace, root: RunOperation
) -> None:
    step = make_run(root, after_seconds=1)
    late(workspace, bare(step))
    accept(workspace, root, step)
    drain_all()
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    before = stored(project_id)
    source, target = (CHILD_START.date(), step.id), (ROOT_START.date(), root.id)
    move_traces(project_id, {source: target})
    assert not move_if_late(project_id, step.id, CHILD_START.date())
    assert stored(project_id) == before


def test_a_worker_that_dies_between_the_move_and_the_parent_loses_nothing(
    workspace: Workspace, root: RunOperation
) -> None:
    step = make_run(root, after_seconds=1)
    child = bare(step)
    late(workspace, child)
    accept(workspace, root, step)
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    source, target = (CHILD_START.date(), step.id), (ROOT_START.date(), root.id)
    move_traces(project_id, {source: target})
    assert traces() == [(root.id, ROOT_START.date(), 1, False)]
    drain_all()
    assert traces() == [(root.id, ROOT_START.date(), 3, True)]


def test_moves_beside_workers_neither_deadlock_nor_lose_a_run(
    workspace: Workspace, root: RunOperation
) -> None:
    steps = [make_run(root, after_seconds=1) for _ in range(12)]
    children = [bare(step) for step in steps]
    late(workspace, *children)
    accept(workspace, root)
    for step, child in zip(steps, reversed(children), strict=True):
        accept(workspace, step)
        accept(workspace, bare_update(child, end_time=CHILD_START))
    project_id = get_or_create_project_id(workspace.id, DEFAULT_PROJECT)
    drain_lane(workspace.id)
    errors: list[Exception] = []

    def work() -> None:
        from collector.drain import _store_rows

        try:
            while rows := inbox.claim(project_id, max_rows=1):
                _store_rows(project_id, rows)
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert traces() == [(root.id, ROOT_START.date(), 25, True)]
    assert query("SELECT DISTINCT status FROM run") == [("success",)]


def test_an_update_by_id_alone_draws_no_guess_into_the_day_of_another_guess(
    workspace: Workspace,
) -> None:
    root = make_run(id=uuid.uuid4(), start_time=ROOT_START, project=DEFAULT_PROJECT)
    step = make_run(root, after_seconds=1)
    late(workspace, bare(root), bare_update(step, trace_id=root.id, received_at=ROOT_START))
    assert {day for day, _ in places().values()} == {ROOT_START.date(), CHILD_START.date()}
    late(workspace, bare_update(root))
    accept(workspace, root, step)
    drain_all()
    assert set(places().values()) == {(ROOT_START.date(), root.id)}


# --- Any order, split and delay ---------------------------------------------------------------------

USAGE = json.dumps({"usage_metadata": {"input_tokens": 3, "output_tokens": 2}}).encode()
Step = tuple[str, list[RunOperation]]


def without_place(run: RunOperation) -> RunOperation:
    run = copy(run)
    run.trace_id = run.day = run.dotted_order = None
    return run


@st.composite
def hand_written(draw: st.DrawFn) -> tuple[list[RunOperation], list[Step]]:
    """Creates and updates of a small tree, and an order in which they come, with waits between."""
    ids = draw(st.lists(st.uuids(version=4), min_size=5, max_size=5, unique=True))
    root = make_run(
        id=ids.pop(),
        start_time=ROOT_START,
        project=DEFAULT_PROJECT,
        end_time=None,
        received_at=ROOT_START,
    )
    runs, operations = [root], [root]
    for number in range(draw(st.integers(1, 4))):
        child = make_run(
            draw(st.sampled_from(runs)),
            id=ids.pop(),
            start_time=CHILD_START + timedelta(seconds=number),
            project=DEFAULT_PROJECT,
            run_type="llm",
            inputs=b'{"n": %d}' % number,
            end_time=None,
            received_at=ROOT_START,
        )
        runs.append(child)
        operations.append(without_place(child) if draw(st.booleans()) else child)
    for run in runs:
        if draw(st.booleans()):
            operations.append(
                RunOperation(
                    id=run.id,
                    is_update=True,
                    received_at=ROOT_START,
                    trace_id=draw(st.sampled_from([None, root.id])),
                    end_time=CHILD_START + timedelta(minutes=1),
                    outputs=USAGE,
                )
            )
    shuffled = draw(st.permutations(operations))
    sizes = draw(st.lists(st.integers(1, 3), min_size=len(shuffled), max_size=len(shuffled)))
    steps: list[Step] = []
    while shuffled:
        size = sizes.pop()
        then = draw(st.sampled_from(["", "drain", "late"]))
        steps.append((then, shuffled[:size]))
        shuffled = shuffled[size:]
    return operations, steps


def everything(workspace: Workspace) -> dict[str, Any]:
    lose_patience()
    lose_patience()
    assert query("SELECT run_id, error FROM dead_letter") == []
    assert query("SELECT id FROM inbox") == []
    return stored(get_or_create_project_id(workspace.id, DEFAULT_PROJECT))


@settings(
    max_examples=60,
    derandomize=False,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(hand_written())
def test_any_order_split_and_delay_ends_as_all_in_order_at_once(
    case: tuple[list[RunOperation], list[Step]],
) -> None:
    operations, steps = case
    ordered = Workspace.objects.create(name=str(uuid.uuid4()))
    shuffled = Workspace.objects.create(name=str(uuid.uuid4()))
    accept(ordered, *operations)
    wanted = everything(ordered)
    for then, runs in steps:
        accept(shuffled, *runs)
        if then == "drain":
            drain_all()
        elif then == "late":
            lose_patience()
    found = everything(shuffled)
    for part, values in wanted.items():
        for key, value in values.items():
            for name in value:
                assert found[part][key][name] == value[name], (part, name)
    assert found == wanted
    assert Project.objects.filter(workspace=shuffled).count() == 1
