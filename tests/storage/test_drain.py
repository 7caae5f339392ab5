"""From the inbox to the tables: exactly once, and a bad run never costs its siblings."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from collector import inbox
from collector.drain import drain_lane, replay_dead_letters
from collector.models import Project, Workspace
from collector.placing import PATIENCE
from collector.projects import forget_cached_ids
from collector.storage import partitions
from collector.storage.payload import fetch_payloads
from collector.storage.seal import follow_up_due_traces
from collector.wire.operations import (
    AttachmentOperation,
    Batch,
    DecodedRequest,
    FeedbackOperation,
    RunOperation,
)

pytestmark = pytest.mark.usefixtures("store")
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_cached_projects() -> None:
    forget_cached_ids()


def make_run(trace_id: UUID | None = None, **fields: Any) -> RunOperation:
    run_id = fields.pop("id", None) or uuid.uuid4()
    values: dict[str, Any] = {
        "trace_id": trace_id or run_id,
        "day": START.date(),
        "name": "agent",
        "run_type": "chain",
        "start_time": START,
        "received_at": timezone.now(),
    }
    return RunOperation(id=run_id, **(values | fields))


def query(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def inbox_count() -> int:
    return int(query("SELECT count(*) FROM inbox")[0][0])


def put_and_drain(project_id: UUID, *runs: RunOperation) -> None:
    inbox.put(project_id, Batch(runs=list(runs)))
    drain_lane(project_id)


def end_leases() -> None:
    query("UPDATE inbox SET not_before = NULL RETURNING id")


def test_a_drained_run_is_stored_and_its_row_settled() -> None:
    project_id, run = uuid.uuid4(), make_run(inputs=b'{"input": "hello"}')
    put_and_drain(project_id, run)
    assert query("SELECT id, name, status, inputs_preview FROM run") == [
        (run.id, "agent", "running", "hello")
    ]
    assert inbox_count() == 0


def test_a_run_that_cannot_be_stored_is_buried_and_its_siblings_are_stored() -> None:
    project_id = uuid.uuid4()
    good, bad = make_run(), make_run(name="nul \0 in a text column")
    put_and_drain(project_id, good, bad)
    assert query("SELECT id FROM run") == [(good.id,)]
    assert query("SELECT project_id, run_id FROM dead_letter") == [(project_id, bad.id)]
    assert inbox_count() == 0


def test_a_batch_that_cannot_be_read_is_buried_whole_and_other_rows_are_stored() -> None:
    project_id, good = uuid.uuid4(), make_run()
    inbox.put(project_id, Batch(runs=[make_run()]))
    query("UPDATE inbox SET body = %s RETURNING id", b"not zstd")
    put_and_drain(project_id, good)
    assert query("SELECT id FROM run") == [(good.id,)]
    assert query("SELECT run_id, body FROM dead_letter") == [(None, b"not zstd")]


def test_a_dead_letter_can_be_replayed() -> None:
    project_id, bad = uuid.uuid4(), make_run(name="bad \0 name")
    put_and_drain(project_id, bad)
    mended = inbox.pack(Batch(runs=[make_run(id=bad.id)]))
    query("UPDATE dead_letter SET body = %s RETURNING id", mended)
    assert replay_dead_letters(project_id) == 1
    drain_lane(project_id)
    assert query("SELECT id FROM run") == [(bad.id,)]
    assert query("SELECT count(*) FROM dead_letter") == [(0,)]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_event_at_the_end_of_the_calendar_poisons_nothing(time: str) -> None:
    project_id = uuid.uuid4()
    events = f'[{{"name": "new_token", "time": "{time}"}}]'.encode()
    first = make_run(events=events)
    put_and_drain(project_id, first)
    put_and_drain(project_id, make_run(trace_id=first.trace_id))
    assert query("SELECT run_count, first_token_time IS NOT NULL FROM trace") == [(2, True)]


def test_a_claim_is_bounded_by_what_it_unpacks_to() -> None:
    project_id = uuid.uuid4()
    for _ in range(3):  # 20 MB each, a few KB compressed
        inbox.put(project_id, Batch(runs=[make_run(inputs=b'"' + b"x" * (20 << 20) + b'"')]))
    assert len(inbox.claim(project_id)) == 1


def test_a_run_that_claims_to_be_in_a_second_trace_does_not_touch_the_first() -> None:
    project_id, first = uuid.uuid4(), make_run(name="first")
    put_and_drain(project_id, first)
    put_and_drain(project_id, make_run(trace_id=uuid.uuid4(), id=first.id, name="stranger"))
    assert query("SELECT trace_id, name FROM run") == [(first.trace_id, "first")]
    assert len(query("SELECT id FROM dead_letter")) == 1


def test_a_claimed_row_is_nobody_elses_until_its_lease_is_over() -> None:
    project_id = uuid.uuid4()
    inbox.put(project_id, Batch(runs=[make_run()]))
    assert len(inbox.claim(project_id)) == 1
    assert inbox.claim(project_id) == []
    end_leases()
    assert [row.attempts for row in inbox.claim(project_id)] == [2]


def test_a_row_that_was_tried_three_times_comes_alone() -> None:
    project_id = uuid.uuid4()
    for _ in range(3):
        inbox.put(project_id, Batch(runs=[make_run()]))
    first = min(row.id for row in inbox.claim(project_id))
    end_leases()
    query("UPDATE inbox SET attempts = 3 WHERE id = %s RETURNING id", first)
    assert [row.id for row in inbox.claim(project_id)] == [first]
    assert len(inbox.claim(project_id)) == 2


def test_work_that_is_rolled_back_is_done_once_when_it_is_done_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project_id, run = uuid.uuid4(), make_run()
    inbox.put(project_id, Batch(runs=[run]))
    with monkeypatch.context() as patch:

        def lose_connection(*_: object) -> None:
            from django.db import OperationalError

            raise OperationalError("server closed the connection unexpectedly")

        patch.setattr(inbox, "settle", lose_connection)
        with pytest.raises(Exception, match="server closed"):
            drain_lane(project_id)
    assert query("SELECT count(*) FROM run") == [(0,)]
    end_leases()
    drain_lane(project_id)
    assert query("SELECT run_count FROM trace") == [(1,)]


def test_workers_on_overlapping_traces_neither_deadlock_nor_lose_a_count() -> None:
    project_id = uuid.uuid4()
    trace_ids = [uuid.uuid4() for _ in range(12)]
    expected = dict.fromkeys(trace_ids, 0)
    for batch in range(24):
        runs = [make_run(trace_id=trace_ids[(batch * 7 + n * 5) % 12]) for n in range(30)]
        for run in runs:
            assert run.trace_id is not None
            expected[run.trace_id] += 1
        inbox.put(project_id, Batch(runs=runs))
    errors: list[Exception] = []

    def work() -> None:
        try:
            while rows := inbox.claim(project_id, max_rows=2):
                from collector.drain import _store_rows

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
    assert dict(query("SELECT id, run_count FROM trace")) == expected


def test_feedback_and_attachments_are_stored_beside_their_run() -> None:
    project_id, run = uuid.uuid4(), make_run()
    now = timezone.now()
    feedback = FeedbackOperation(
        id=uuid.uuid4(), received_at=now, run_id=run.id, key="score", score=1.0
    )
    attachment = AttachmentOperation(
        run_id=run.id,
        name="a",
        mime_type="image/png",
        data=b"\x89PNG",
        trace_id=run.trace_id,
        day=run.day,
    )
    batch = Batch(runs=[run], feedback=[feedback], attachments=[attachment])
    for _ in range(2):
        inbox.put(project_id, batch)
        drain_lane(project_id)
    assert query("SELECT run_id, key, score FROM feedback") == [(run.id, "score", 1.0)]
    assert query("SELECT run_id, name, data FROM attachment") == [(run.id, "a", b"\x89PNG")]


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(9999, 12, 31)])
def test_a_day_that_nobody_can_mean_goes_to_the_default_partition(day: date) -> None:
    put_and_drain(uuid.uuid4(), make_run(day=day))
    assert query("SELECT tableoid::regclass::text, day FROM run") == [("run_default", day)]


def test_a_recent_day_gets_a_partition_of_its_own() -> None:
    day = timezone.now().date() - timedelta(days=2)
    put_and_drain(uuid.uuid4(), make_run(day=day))
    assert query("SELECT tableoid::regclass::text FROM run") == [(f"run_{day:%Y%m%d}",)]


def test_a_day_whose_runs_came_too_early_moves_out_of_the_default_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project_id, day = uuid.uuid4(), timezone.now().date() + timedelta(days=40)
    early, late = make_run(day=day, inputs=b'{"a": 1}'), make_run(day=day)
    put_and_drain(project_id, early)
    monkeypatch.setattr(partitions, "DAYS_AHEAD", 41)
    put_and_drain(project_id, late)
    assert set(query("SELECT id, tableoid::regclass::text FROM run")) == {
        (run.id, f"run_{day:%Y%m%d}") for run in (early, late)
    }
    assert early.trace_id is not None
    assert fetch_payloads([project_id], day, early.trace_id)[early.id].inputs == b'{"a": 1}'
    for table in partitions.HOT_TABLES:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {table}_{day:%Y%m%d}")
    partitions.forget_known_days()


def test_a_quiet_trace_with_two_blocks_is_sealed_into_one() -> None:
    project_id, run = uuid.uuid4(), make_run(inputs=b'{"a": 1}')
    put_and_drain(project_id, run)
    put_and_drain(
        project_id, make_run(id=run.id, is_update=True, outputs=b'{"b": 2}', end_time=START)
    )
    query("UPDATE follow_up SET due_at = now() RETURNING trace_id")
    assert follow_up_due_traces() == 1
    assert query("SELECT count(*) FROM payload") == [(1,)]
    assert run.trace_id is not None
    payload = fetch_payloads([project_id], START.date(), run.trace_id)[run.id]
    assert (payload.inputs, payload.outputs) == (b'{"a": 1}', b'{"b": 2}')


def test_a_damaged_block_costs_its_own_payloads_only() -> None:
    project_id, run = uuid.uuid4(), make_run(inputs=b'{"a": 1}')
    assert run.trace_id is not None
    put_and_drain(project_id, run)
    put_and_drain(project_id, make_run(trace_id=run.trace_id, inputs=b'{"other": 1}'))
    query(
        "UPDATE payload SET data = set_byte(data, 20, 0) WHERE %s = ANY(run_ids) RETURNING id",
        run.id,
    )
    payloads = fetch_payloads([project_id], START.date(), run.trace_id)
    assert {run_id: payload.is_damaged for run_id, payload in payloads.items()}[run.id]
    assert sorted(payload.inputs for payload in payloads.values()) == [b"", b'{"other": 1}']


# --- Where an operation belongs ---------------------------------------------------------------------


@pytest.fixture
def accept(workspace: Workspace) -> Callable[..., None]:
    """Accept operations as the endpoint does, and drain every lane that this fills."""

    def accept_and_drain(*runs: RunOperation) -> None:
        inbox.accept(workspace.id, DecodedRequest(runs=list(runs)))
        for _ in range(2):
            for lane_id in inbox.due_lanes():
                drain_lane(lane_id)

    return accept_and_drain


def bare_update(run_id: UUID, **fields: Any) -> RunOperation:
    return RunOperation(id=run_id, is_update=True, received_at=timezone.now(), **fields)


def test_a_project_is_made_by_the_first_run_that_names_it(accept: Callable[..., None]) -> None:
    accept(make_run(project="new project"))
    project = Project.objects.get(name="new project")
    assert query("SELECT project_id FROM run") == [(project.id,)]


def test_an_update_by_id_alone_finds_its_run_in_any_project(accept: Callable[..., None]) -> None:
    run = make_run(project="agents")
    accept(run)
    accept(bare_update(run.id, error="boom", end_time=START))
    assert query("SELECT id, status FROM run") == [(run.id, "error")]


def test_an_update_by_id_alone_that_comes_first_waits_for_its_run(
    accept: Callable[..., None],
) -> None:
    run = make_run(project="agents")
    accept(bare_update(run.id, end_time=START))
    assert query("SELECT count(*) FROM run") == [(0,)]
    accept(run)
    end_leases()
    accept()
    assert query("SELECT status FROM run") == [("success",)]


def test_what_waits_for_its_run_is_not_written_again(accept: Callable[..., None]) -> None:
    accept(bare_update(uuid.uuid4(), end_time=START))
    before = query("SELECT id, attempts FROM inbox")
    end_leases()
    accept()
    assert query("SELECT id, attempts FROM inbox") == before == [(before[0][0], 0)]


@pytest.mark.parametrize(
    ("age", "wait"), [(0.0, 0.2), (0.5, 0.5), (1.5, 1.5), (3.0, 2.0), (30.0, 15.0)]
)
def test_what_waits_is_tried_again_quickly_at_first_and_ever_more_rarely(
    accept: Callable[..., None], age: float, wait: float
) -> None:
    accept(bare_update(uuid.uuid4(), end_time=START))
    query(
        "UPDATE inbox SET received_at = clock_timestamp() - make_interval(secs => %s), not_before = NULL"
        " RETURNING id",
        age,
    )
    now = timezone.now()
    accept()
    [(not_before,)] = query("SELECT not_before FROM inbox")
    assert (not_before - now).total_seconds() == pytest.approx(wait, abs=0.15)


def test_an_update_whose_run_never_comes_is_shown_in_the_default_project(
    accept: Callable[..., None],
) -> None:
    run_id = uuid.uuid4()
    accept(bare_update(run_id, name="lost", end_time=START))
    query("UPDATE inbox SET received_at = now() - %s, not_before = NULL RETURNING id", PATIENCE * 2)
    accept()
    default = Project.objects.get(name="default")
    assert query("SELECT project_id, id, trace_id, name FROM run") == [
        (default.id, run_id, run_id, "lost")
    ]


def test_a_child_without_a_trace_joins_its_parents_trace(accept: Callable[..., None]) -> None:
    root = make_run(project="agents")
    accept(root)
    child = RunOperation(
        id=uuid.uuid4(),
        received_at=timezone.now(),
        parent_run_id=root.id,
        project="agents",
        start_time=START,
    )
    accept(child)
    assert query("SELECT trace_id FROM run WHERE id = %s", child.id) == [(root.id,)]


def test_the_default_project_takes_a_root_that_names_none(accept: Callable[..., None]) -> None:
    accept(make_run())
    assert query("SELECT project_id FROM run") == [(Project.objects.get(name="default").id,)]


def test_another_workspaces_project_id_is_not_used(accept: Callable[..., None]) -> None:
    other = Project.objects.create(workspace=Workspace.objects.create(name="other"), name="secret")
    accept(make_run(project_id=other.id))
    assert query("SELECT count(*) FROM run WHERE project_id = %s", other.id) == [(0,)]
    assert Project.objects.filter(name=str(other.id)).count() == 1


def test_a_full_inbox_refuses_more(
    workspace: Workspace, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_backlog", inbox._Backlog())
    settings.INGEST_MAX_INBOX_BYTES = 1
    with transaction.atomic():
        inbox.put(workspace.id, Batch(runs=[make_run()]))
    with pytest.raises(inbox.InboxFull):
        inbox.accept(workspace.id, DecodedRequest(runs=[make_run()]))
