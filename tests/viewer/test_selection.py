"""What readers do with selected rows, and who may do it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from django.test import Client

from collector.models import Membership, Project, User
from collector.query.search import parse_search
from collector.reads.feedback import list_feedback
from collector.reads.runs import find_run
from collector.reads.traces import get_trace, list_traces
from collector.reads.types import TraceFilter
from collector.wire.operations import RunOperation
from tests.factories import make_run, store_runs

URL = "/p/test-project/selection"


@pytest.fixture
def root(project: Project) -> RunOperation:
    run = make_run(name="agent", tags=["prod"], start_time=datetime.now(UTC) - timedelta(minutes=5))
    store_runs(project.id, run, make_run(run, name="tool", run_type="tool"))
    return run


def tags_of(project: Project, run_id: UUID) -> tuple[str, ...]:
    trace = get_trace([project.id], run_id)
    assert trace is not None
    return trace.tags


def test_a_tag_is_put_on_and_taken_off(
    reader: Client, project: Project, root: RunOperation
) -> None:
    reader.post(URL, {"action": "tag", "id": root.id, "tag": " vip "})
    assert tags_of(project, root.id) == ("prod", "vip")
    found = list_traces([project.id], TraceFilter(search=parse_search("tag:vip")))
    assert [trace.id for trace in found.items] == [root.id]
    reader.post(URL, {"action": "untag", "id": root.id, "tag": "prod"})
    assert tags_of(project, root.id) == ("vip",)


@pytest.mark.parametrize("end", [None, datetime.now(UTC) + timedelta(days=1)])
def test_what_a_client_says_later_leaves_a_readers_tags(
    reader: Client, project: Project, root: RunOperation, end: datetime | None
) -> None:
    reader.post(URL, {"action": "tag", "id": root.id, "tag": "vip"})
    later = make_run(id=root.id, name="renamed", tags=["other"], start_time=root.start_time)
    later.is_update, later.end_time = True, end
    store_runs(project.id, later)
    trace = get_trace([project.id], root.id)
    assert trace is not None
    assert (trace.name, trace.tags) == ("renamed", ("prod", "vip"))


def test_feedback_is_given_with_the_readers_name(
    reader: Client, project: Project, root: RunOperation
) -> None:
    reader.post(URL, {"action": "feedback", "id": root.id, "key": "correct", "score": "0.5"})
    reader.post(URL, {"action": "feedback", "id": root.id, "key": "tone", "score": "too curt"})
    run = find_run([project.id], root.id)
    assert run is not None
    given = {item.key: (item.score, item.value) for item in list_feedback(run)}
    assert given == {"correct": (0.5, None), "tone": (None, "too curt")}


def test_selected_traces_are_exported_run_by_run(reader: Client, root: RunOperation) -> None:
    response = reader.post(URL, {"action": "export", "id": [root.id, uuid4()]})
    lines = b"".join(response.streaming_content).splitlines()  # type: ignore[attr-defined]
    assert [orjson.loads(line)["name"] for line in lines] == ["agent", "tool"]
    assert "attachment" in response["Content-Disposition"]


def test_deleting_asks_first_and_then_deletes_for_good(
    reader: Client, project: Project, root: RunOperation
) -> None:
    asked = reader.post(URL, {"action": "delete", "id": root.id})
    assert "Delete 1 trace?" in asked.content.decode()
    assert get_trace([project.id], root.id) is not None
    reader.post(URL, {"action": "delete", "id": root.id, "confirmed": "yes"})
    assert get_trace([project.id], root.id) is None
    assert find_run([project.id], root.id) is None


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        ("viewer", "tag", 403),
        ("viewer", "feedback", 403),
        ("viewer", "delete", 403),
        ("viewer", "export", 200),
        ("editor", "tag", 302),
        ("editor", "delete", 403),
    ],
)
def test_a_role_may_do_so_much_and_no_more(
    reader: Client, user: User, root: RunOperation, role: str, action: str, status: int
) -> None:
    Membership.objects.filter(user=user).update(role=role)
    given = {"action": action, "id": root.id, "tag": "x", "key": "k", "score": "1"}
    assert reader.post(URL, given).status_code == status


def test_a_stranger_finds_no_such_page(stranger: Client, root: RunOperation) -> None:
    assert stranger.post(URL, {"action": "export", "id": root.id}).status_code == 404


def test_runs_of_other_projects_are_left_alone(
    reader: Client, project: Project, root: RunOperation
) -> None:
    other = make_run(tags=["own"])
    store_runs(uuid4(), other)
    reader.post(URL, {"action": "tag", "id": [root.id, other.id], "tag": "vip"})
    response = reader.get("/p/test-project/traces")
    assert "1 of the selected are not stored any more." in response.content.decode()


@pytest.mark.parametrize("given", [{"action": "tag"}, {"action": "dance", "id": "x"}, {}])
def test_what_makes_no_sense_is_said_and_changes_nothing(
    reader: Client, given: dict[str, str], root: RunOperation
) -> None:
    response = reader.post(URL, given, follow=True)
    assert response.status_code == 200
    assert 'data-level="error"' in response.content.decode()


def test_too_many_rows_are_refused_and_nothing_is_done(
    reader: Client, project: Project, root: RunOperation
) -> None:
    ids = [root.id, *(uuid4() for _ in range(1_000))]
    response = reader.post(URL, {"action": "tag", "id": ids, "tag": "vip"}, follow=True)
    assert "1,001 rows are too many" in response.content.decode()
    assert tags_of(project, root.id) == ("prod",)
