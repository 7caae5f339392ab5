"""Requests that real clients send and few servers expect: words for JSON, replicas, files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from collector import inbox
from collector.drain import drain_lane
from collector.models import Project, Workspace
from collector.reads.runs import get_run
from collector.reads.types import RunDetail
from tests.api.ingesting import (
    BOUNDARY,
    MULTIPART,
    RUN_ID,
    SIBLING_ID,
    Sender,
    frame,
    inbox_count,
    run_fields,
    stored,
)

pytestmark = pytest.mark.django_db

END = f"--{BOUNDARY}--\r\n".encode()
PLACEHOLDER = "[unable to serialize, circular reference is too complex to analyze]"


@pytest.fixture
def sender(client: Client, make_api_key: Callable[..., str]) -> Sender:
    return Sender(client, make_api_key("ingest"))


def store_all() -> None:
    while lanes := inbox.due_lanes():
        for lane_id in lanes:
            drain_lane(lane_id)


def release_waiting() -> None:
    """Let what waits for its run be tried again now."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox SET not_before = NULL")


def only_run(workspace: Workspace, project: str) -> RunDetail:
    """Return the one run of a project, whose id nobody knows."""
    project_id = Project.objects.get(workspace=workspace, name=project).id
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM run WHERE project_id = ANY(%s::uuid[])", [[project_id]])
        ((run_id,),) = cursor.fetchall()
    run = get_run([project_id], run_id)
    assert run is not None
    return run


# --- Words in the place of JSON -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/runs", "/runs/batch"])
def test_a_request_of_words_is_stored_as_a_run_that_says_so(
    sender: Sender, workspace: Workspace, path: str
) -> None:
    response = sender.send(path, PLACEHOLDER.encode())
    assert (response.status_code, response.json()) == (202, {"accepted": 1, "rejected": []})
    store_all()
    run = only_run(workspace, "default")
    assert (run.run.name, run.run.status) == ("unreadable request", "error")
    assert run.inputs == {"__raw__": PLACEHOLDER}
    assert run.notes == ("The request is no JSON; its text is kept under __raw__",)


def test_an_update_of_words_is_stored_with_its_run(sender: Sender, project: Project) -> None:
    sender.send("/runs", json.dumps(run_fields(inputs={"q": 1})).encode())
    response = sender.send(f"/runs/{RUN_ID}", PLACEHOLDER.encode(), method="PATCH")
    assert (response.status_code, response.json()) == (202, {"accepted": 1, "rejected": []})
    run = stored(project.id)
    assert run is not None
    assert (run.run.name, run.inputs, run.outputs) == ("agent", {"q": 1}, {"__raw__": PLACEHOLDER})
    assert run.notes == ("The update is no JSON; its text is kept under __raw__",)


@pytest.mark.parametrize("body", [b"[unable to serialize", b'{"post":[', b'["unable]', b"words"])
@pytest.mark.parametrize("path", ["/runs", "/runs/batch"])
def test_json_that_is_cut_off_is_still_refused(sender: Sender, path: str, body: bytes) -> None:
    response = sender.send(path, body)
    assert response.status_code in (400, 422)
    assert inbox_count() == 0


def test_a_part_of_words_joins_the_run_that_it_is_of(sender: Sender, project: Project) -> None:
    response = sender.multipart(
        {
            f"post.{RUN_ID}": json.dumps(run_fields()).encode(),
            f"patch.{RUN_ID}": PLACEHOLDER.encode(),
            f"patch.{RUN_ID}.outputs": b'{"a":1}',
        }
    )
    assert (response.status_code, response.json()) == (202, {"accepted": 2, "rejected": []})
    run = stored(project.id)
    assert run is not None
    assert (run.run.name, run.outputs) == ("agent", {"a": 1})
    assert run.notes == ("run: is no JSON; its text is kept under __raw__",)


# --- Replicas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("requests", [1, 2])
def test_a_run_that_is_sent_to_two_projects_is_stored_in_both(
    sender: Sender, workspace: Workspace, requests: int
) -> None:
    runs = [run_fields(session_name=name, inputs={"to": name}) for name in ("one", "two")]
    for post in [runs] if requests == 1 else [[run] for run in runs]:
        assert sender.batch(*post).status_code == 202
    for name in ("one", "two"):
        run = stored(Project.objects.get(workspace=workspace, name=name).id)
        assert run is not None
        assert run.inputs == {"to": name}


def test_files_are_stored_with_each_replica_of_their_run(
    sender: Sender, workspace: Workspace
) -> None:
    parts = [
        (f"post.{RUN_ID}", json.dumps(run_fields(session_name="one")).encode()),
        (f"post.{RUN_ID}.inputs", b'{"to":"one"}'),
        (f"attachment.{RUN_ID}.note", b"raw"),
        (f"post.{RUN_ID}", json.dumps(run_fields(session_name="two")).encode()),
        (f"post.{RUN_ID}.inputs", b'{"to":"two"}'),
    ]
    pieces = b"".join(frame(dict([part])).removesuffix(END) for part in parts)
    response = sender.send("/runs/multipart", pieces + END, content_type=MULTIPART)
    assert (response.status_code, response.json()) == (202, {"accepted": 3, "rejected": []})
    for name in ("one", "two"):
        run = stored(Project.objects.get(workspace=workspace, name=name).id)
        assert run is not None
        assert run.inputs == {"to": name}
        assert [file.name for file in run.attachments] == ["note"]


@pytest.mark.parametrize("is_placed", [True, False], ids=["placed", "by its id and project"])
def test_an_update_of_one_replica_leaves_the_other(
    sender: Sender, workspace: Workspace, is_placed: bool
) -> None:
    order: dict[str, Any] = {
        "trace_id": str(RUN_ID),
        "dotted_order": f"20261124T120000000000Z{RUN_ID}",
    }
    one, two = (run_fields(session_name=name, **order) for name in ("one", "two"))
    sender.batch(one, two)
    for name in ("one", "two"):
        assert stored(Project.objects.get(workspace=workspace, name=name).id)
    end = {**two, "end_time": "2026-11-24T12:00:01Z"}
    if not is_placed:
        end = {key: value for key, value in end.items() if key not in order}
    sender.send(f"/runs/{RUN_ID}", json.dumps(end).encode(), method="PATCH")
    statuses = {}
    for name in ("one", "two"):
        run = stored(Project.objects.get(workspace=workspace, name=name).id)
        assert run is not None
        statuses[name] = run.run.status
    assert statuses == {"one": "running", "two": "success"}


# --- Files without their run --------------------------------------------------------------------------


def attach(sender: Sender) -> Any:
    return sender.multipart({f"attachment.{RUN_ID}.note": b"raw"})


def post(sender: Sender) -> Any:
    return sender.batch(run_fields())


@pytest.mark.parametrize("order", [(attach, post), (post, attach)], ids=["first", "last"])
def test_files_find_a_run_that_comes_in_another_request(
    sender: Sender, project: Project, order: tuple[Callable[[Sender], Any], ...]
) -> None:
    for send in order:
        assert send(sender).status_code == 202
        stored(project.id)  # each by itself
    release_waiting()
    run = stored(project.id)
    assert run is not None
    assert [file.name for file in run.attachments] == ["note"]


def test_an_address_stands_for_its_project(sender: Sender, workspace: Workspace) -> None:
    fields = run_fields(SIBLING_ID, address="lrn:agents/kiln/environments/prod")
    del fields["session_name"]
    assert sender.batch(fields).status_code == 202
    project = Project.objects.get(workspace=workspace, name="kiln/prod")
    assert stored(project.id, UUID(fields["id"])) is not None
