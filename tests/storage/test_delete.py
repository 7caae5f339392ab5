"""Deletion: nothing of what was deleted stays, all else stays as it was, and nothing comes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import deletion, inbox
from collector.drain import drain_lane
from collector.models import FeedbackToken, Project, SharedRun, Workspace
from collector.projects import forget_cached_ids, get_or_create_project_id
from collector.reads.runs import get_run
from collector.reads.traces import get_trace, get_tree
from collector.sharing import share_run
from collector.storage.seal import seal_trace
from collector.sweeper import sweep
from collector.wire.operations import Batch, RunOperation
from tests.factories import make_attachment, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.usefixtures("store")

SECRET = "kettle-4711"
USAGE = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'


def secret_run(parent: RunOperation | None = None, **fields: object) -> RunOperation:
    """Return a run that says the secret wherever it can."""
    text = f'{{"a": "{SECRET}"}}'.encode()
    return make_run(
        parent, name=SECRET, inputs=text, outputs=text, extra=text, error=SECRET, tags=[SECRET], **fields
    )  # fmt: skip


def plain_run(parent: RunOperation | None = None, **fields: object) -> RunOperation:
    return make_run(parent, run_type="llm", inputs=b'{"q": "plain"}', outputs=USAGE, **fields)


def everything_stored() -> Iterator[tuple[str, str]]:
    """Yield (table, row) of all tables, payloads unpacked: what somebody with the disk could find."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            for (row,) in cursor.fetchall():
                yield table, row
        cursor.execute("SELECT data FROM payload")
        from collector.storage.blocks import _codecs

        for (data,) in cursor.fetchall():
            yield "block", _codecs.decompressor.decompress(bytes(data)).decode("utf-8", "replace")
        cursor.execute("SELECT body FROM inbox UNION ALL SELECT body FROM dead_letter")
        for (body,) in cursor.fetchall():
            yield "body", str(inbox.unpack(bytes(body)))


def places_of(*secrets: str) -> set[str]:
    """Return the tables that hold any of the texts, but for `deletion`, which has to know the ids."""
    wanted = [*secrets, *(text.encode().hex() for text in secrets)]
    return {
        table
        for table, row in everything_stored()
        if table != "deletion" and any(text in row for text in wanted)
    }


def carry_out() -> None:
    while deletion.carry_out_due(60):
        pass


def again() -> None:
    """Carry all out once more, as the worker does until the hour is over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE deletion SET due_at = NULL")
    carry_out()


@pytest.fixture
def full(project: Project) -> tuple[RunOperation, RunOperation, RunOperation]:
    """A trace of a plain root, a secret child with a secret grandchild, and a plain child; all with belongings."""
    root = plain_run()
    child = secret_run(root, after_seconds=1)
    grandchild = secret_run(child, after_seconds=2)
    other = plain_run(root, after_seconds=3)
    store_runs(project.id, root, child)
    store(
        project.id,
        Batch(
            runs=[grandchild, other],
            feedback=[
                make_feedback(grandchild, "k", 1.0, comment=SECRET),
                make_feedback(root, "k", 1.0, comment="plain"),
            ],
            attachments=[
                make_attachment(grandchild, "secret", SECRET.encode()),
                make_attachment(root, "plain"),
            ],
        ),
    )
    share_run([project.id], grandchild.id)
    FeedbackToken.objects.create(
        workspace=project.workspace,
        run_id=grandchild.id,
        feedback_key=SECRET,
        expires_at=datetime.now(UTC),
    )
    return root, child, other


def test_a_deleted_run_takes_all_below_it_and_leaves_no_byte(
    project: Project, full: tuple[RunOperation, RunOperation, RunOperation]
) -> None:
    root, child, other = full
    assert {"block", "run", "feedback", "attachment", "collector_feedbacktoken"} <= places_of(
        SECRET
    )
    deletion.delete_runs(project.workspace_id, [project.id], [child.id])
    carry_out()
    assert places_of(SECRET) == set()
    tree = get_tree((project.id,), root.id)
    assert tree is not None
    assert [node.run.id for node in tree.nodes] == [root.id, other.id]
    assert SharedRun.objects.count() == 0


def test_what_stays_of_a_trace_stays_whole(
    project: Project, full: tuple[RunOperation, RunOperation, RunOperation]
) -> None:
    root, child, other = full
    deletion.delete_runs(project.workspace_id, [project.id], [child.id])
    carry_out()
    detail = get_run([project.id], root.id)
    assert detail is not None
    assert detail.inputs == {"q": "plain"}
    assert [file.name for file in detail.attachments] == ["plain"]
    assert [item.comment for item in detail.feedback] == ["plain"]
    sibling = get_run([project.id], other.id)
    assert sibling is not None
    assert sibling.inputs == {"q": "plain"}


def test_the_totals_are_those_of_the_runs_that_stay(
    project: Project, full: tuple[RunOperation, RunOperation, RunOperation]
) -> None:
    root, child, _ = full
    twin = Project.objects.create(workspace=project.workspace, name="twin")
    same = plain_run()
    store_runs(twin.id, same, plain_run(same, after_seconds=3))
    deletion.delete_runs(project.workspace_id, [project.id], [child.id])
    carry_out()
    found, wanted = get_trace((project.id,), root.id), get_trace((twin.id,), same.id)
    assert found is not None
    assert wanted is not None
    for name in (
        "run_count",
        "ended_count",
        "error_count",
        "total_tokens",
        "name",
        "status",
        "start_time",
    ):
        assert getattr(found, name) == getattr(wanted, name), name


def test_the_sums_above_a_deleted_run_sink(project: Project) -> None:
    root = make_run()
    child = make_run(root, after_seconds=1)
    model, second = plain_run(child, after_seconds=2), plain_run(child, after_seconds=3)
    store_runs(project.id, root, child, model, second)
    deletion.delete_runs(project.workspace_id, [project.id], [model.id])
    carry_out()
    tree = get_tree((project.id,), root.id)
    assert tree is not None
    assert [node.run.subtree_total_tokens for node in tree.nodes] == [15, 15, None]


def test_a_deleted_root_is_a_deleted_trace(project: Project) -> None:
    root = secret_run()
    store_runs(project.id, root, secret_run(root, after_seconds=1))
    deletion.delete_runs(project.workspace_id, [project.id], [root.id])
    carry_out()
    assert places_of(SECRET, str(root.id)) == set()


def test_a_deleted_trace_leaves_others_alone(project: Project) -> None:
    gone, kept = secret_run(), plain_run()
    store_runs(project.id, gone, secret_run(gone, after_seconds=1))
    store_runs(project.id, kept, plain_run(kept, after_seconds=1))
    deletion.delete_traces(project.workspace_id, [project.id], [gone.id])
    carry_out()
    assert places_of(SECRET, str(gone.id)) == set()
    assert get_tree((project.id,), kept.id) is not None


def test_runs_of_another_workspace_are_not_deleted(project: Project) -> None:
    run = plain_run()
    store_runs(project.id, run)
    stranger = Workspace.objects.create(name="stranger")
    theirs = Project.objects.create(workspace=stranger, name="theirs")
    assert deletion.delete_runs(stranger.id, [theirs.id], [run.id]) == set()
    deletion.delete_traces(stranger.id, [theirs.id], [run.id])
    carry_out()
    assert get_run([project.id], run.id) is not None


def test_a_deleted_project_leaves_no_byte_and_frees_its_name(
    project: Project, full: tuple[RunOperation, RunOperation, RunOperation]
) -> None:
    store(project.id, Batch(feedback=[make_feedback(make_run(), "k", 1.0, comment=SECRET)]))
    other = plain_run(full[0])
    inbox.put(project.id, Batch(runs=[secret_run(full[0])]))  # on its way
    old_id, name, workspace_id = project.id, project.name, project.workspace_id
    deletion.delete_project(project)
    assert not Project.objects.filter(name=name).exists()
    sweep()
    carry_out()
    assert places_of(SECRET, str(old_id), str(other.trace_id)) == set()
    new_id = get_or_create_project_id(workspace_id, name)
    assert new_id != old_id
    store_runs(new_id, make_run())


def test_a_large_project_goes_in_bounded_steps(project: Project) -> None:
    roots = [make_run() for _ in range(450)]
    store_runs(project.id, *roots)
    deletion.delete_project(project)
    assert deletion.carry_out_due(0) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM run")
        assert cursor.fetchone() == (250,)
    carry_out()
    assert places_of(str(roots[0].id), str(roots[-1].id)) == set()


def late_operations(run: RunOperation) -> Batch:
    """Return what a client sends twice, or late: the run, a run below it, feedback and a file."""
    below = secret_run(run, after_seconds=5)
    return Batch(
        runs=[run, secret_run(below, after_seconds=6), below],
        feedback=[make_feedback(below, "k", 1.0, comment=SECRET)],
        attachments=[make_attachment(run, "secret", SECRET.encode())],
    )


@pytest.mark.parametrize("what", ["run", "trace"])
def test_what_arrives_late_does_not_bring_it_back(project: Project, what: str) -> None:
    root = plain_run()
    child = secret_run(root, after_seconds=1)
    store_runs(project.id, root, child)
    gone = child if what == "run" else root
    if what == "run":
        deletion.delete_runs(project.workspace_id, [project.id], [child.id])
    else:
        deletion.delete_traces(project.workspace_id, [project.id], [root.id])
    carry_out()
    store(project.id, late_operations(gone))
    assert places_of(SECRET) == set()
    assert (get_run([project.id], root.id) is not None) == (what == "run")


def test_an_update_by_id_alone_does_not_bring_it_back(project: Project) -> None:
    root = plain_run(end_time=None)
    child = plain_run(root, end_time=None)
    store_runs(project.id, root, child)
    deletion.delete_traces(project.workspace_id, [project.id], [root.id])
    carry_out()
    update = RunOperation(id=child.id, is_update=True, received_at=datetime.now(UTC), error=SECRET)
    long_ago = datetime.now(UTC) - timedelta(minutes=2)  # so that nobody waits for its run any more
    inbox.put(project.workspace_id, Batch(runs=[update]), received_at=long_ago)
    for _ in range(3):
        sweep()
    assert places_of(SECRET) == set()


def test_what_a_drain_under_way_wrote_goes_too(project: Project) -> None:
    """A drain that read no grave before its commit: what it wrote is deleted the next time."""
    root = secret_run()
    deletion.delete_traces(project.workspace_id, [project.id], [root.id])
    carry_out()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE deletion RENAME TO hidden")
        cursor.execute("CREATE TABLE deletion (LIKE hidden)")
        store_runs(project.id, root)
        cursor.execute("DROP TABLE deletion")
        cursor.execute("ALTER TABLE hidden RENAME TO deletion")
    assert get_run([project.id], root.id) is not None
    again()
    assert places_of(SECRET) == set()


def test_after_an_hour_the_deletion_is_forgotten(project: Project) -> None:
    run = plain_run()
    deletion.delete_traces(project.workspace_id, [project.id], [run.id])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE deletion SET requested_at = requested_at - interval '1 hour'")
        carry_out()
        cursor.execute("SELECT count(*) FROM deletion")
        assert cursor.fetchone() == (0,)
    store_runs(project.id, run)
    assert get_run([project.id], run.id) is not None


def test_runs_sent_to_the_name_right_after_are_not_lost(project: Project) -> None:
    """A process that still takes the old id for the name accepts into the old one's lane."""
    workspace_id, old_id = project.workspace_id, project.id
    deletion.delete_project(project)
    run = make_run(project="test-project", project_id=old_id)
    inbox.put(old_id, Batch(runs=[run], attachments=[make_attachment(run, "a")]))
    sweep()
    sweep()
    forget_cached_ids()
    new_id = get_or_create_project_id(workspace_id, "test-project")
    assert new_id != old_id
    detail = get_run([new_id], run.id)
    assert detail is not None
    assert [file.name for file in detail.attachments] == ["a"]


def test_a_dead_letter_of_a_deleted_run_goes_with_it(project: Project) -> None:
    root, poison = plain_run(), secret_run()
    store_runs(project.id, root)
    clash = make_run(trace_id=poison.id, id=root.id, inputs=b'{"a": "kettle-4711"}')
    store_runs(project.id, clash)
    assert "body" in places_of(SECRET)
    deletion.delete_runs(project.workspace_id, [project.id], [root.id])
    carry_out()
    assert places_of(SECRET) == set()


def test_a_damaged_block_goes_with_the_run_that_it_may_hold(project: Project) -> None:
    root = plain_run()
    child = secret_run(root, after_seconds=1)
    store_runs(project.id, root, child)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payload SET data = 'kettle-4711'")
    deletion.delete_runs(project.workspace_id, [project.id], [child.id])
    carry_out()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM payload")
        assert cursor.fetchone() == (0,)
    assert get_run([project.id], root.id) is not None


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parents=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    chosen=st.sets(st.integers(0, 6), min_size=1, max_size=3),
    parts=st.integers(1, 3),
    is_sealed=st.booleans(),
)
def test_exactly_the_chosen_runs_and_what_hangs_below_them_go(
    workspace: Workspace, parents: list[int], chosen: set[int], parts: int, is_sealed: bool
) -> None:
    project_id = Project.objects.create(workspace=workspace, name=str(uuid.uuid4())).id
    runs = [plain_run()]
    for number, parent in enumerate(parents, start=1):
        runs.append(plain_run(runs[parent % number], after_seconds=number))
    for first in range(parts):
        store_runs(project_id, *runs[first::parts])
    root = runs[0]
    assert root.day is not None
    if is_sealed:
        seal_trace(project_id, root.id, root.day)
    tops = {runs[number % len(runs)].id for number in chosen}
    gone: set[UUID] = set()
    for run in runs:  # parents stand before their children
        if run.id in tops or run.parent_run_id in gone:
            gone.add(run.id)
    deletion.delete_runs(workspace.id, [project_id], sorted(tops))
    carry_out()
    for run in runs:
        detail = get_run([project_id], run.id)
        assert (detail is None) == (run.id in gone)
        assert detail is None or detail.inputs == {"q": "plain"}
    trace = get_trace((project_id,), root.id)
    left = len(runs) - len(gone)
    assert (trace.run_count, trace.total_tokens) == (left, 15 * left) if trace else left == 0
    drain_lane(project_id)
