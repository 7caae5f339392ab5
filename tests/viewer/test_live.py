from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.db import connections
from django.test import Client

from collector import sse
from collector.models import Project, User, Workspace
from collector.reads import live
from collector.reads.live import stop_listener
from collector.sse import format_event
from tests.factories import make_run, store_runs


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("viewer.views.live.HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr("viewer.views.live.PACE_SECONDS", 0.0)
    monkeypatch.setattr("viewer.views.live.LOOK_SECONDS", 0.05)
    yield
    # a stream that the collector ends some time later would do so in the middle of another test
    while open_responses:
        open_responses.pop().close()
    stop_listener()


open_responses: list[Any] = []


def pieces(response: Any) -> Iterator[str]:
    open_responses.append(response)
    return (piece.decode() for piece in response.streaming_content)


def next_event(stream: Iterator[str], name: str) -> Any:
    """Return the data of the next event of that name; heartbeats pass."""
    for _ in range(200):
        piece = next(stream)
        if f"event: {name}\n" in piece:
            return orjson.loads(piece.split("data: ", 1)[1])
    raise AssertionError(f"no {name}")


@pytest.fixture
def member(store: None, client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def store_one(project: Project, **fields: Any) -> Any:
    run = make_run(start_time=datetime.now(UTC), **fields)
    thread = threading.Thread(target=lambda: (store_runs(project.id, run), connections.close_all()))
    thread.start()
    thread.join()
    return run


def test_a_stored_trace_is_told_by_its_id(member: Client, project: Project) -> None:
    response = member.get("/p/test-project/traces/stream")
    assert response["Content-Type"] == "text/event-stream"
    stream = pieces(response)
    assert next(stream).startswith("retry: ")
    next_event(stream, "traces")  # the listener has just connected: look again
    run = store_one(project)
    ids = next_event(stream, "traces")
    assert ids in ([str(run.id)], [])
    response.close()


def test_another_projects_traces_are_not_told(member: Client, project: Project) -> None:
    other = Project.objects.create(workspace=project.workspace, name="other")
    response = member.get("/p/test-project/traces/stream")
    stream = pieces(response)
    next(stream)
    next_event(stream, "traces")
    store_one(other)
    own = store_one(project)
    assert next_event(stream, "traces") == [str(own.id)]
    response.close()


def test_a_quiet_stream_is_kept_open_by_comments(member: Client, project: Project) -> None:
    response = member.get("/p/test-project/traces/stream")
    stream = pieces(response)
    next(stream)
    assert ": still here\n\n" in [next(stream) for _ in range(3)]
    response.close()


def test_a_closed_stream_makes_room_for_another(
    member: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_PAGES", 1)
    first = member.get("/p/test-project/traces/stream")
    full = member.get("/p/test-project/traces/stream")
    assert (full.status_code, full["Retry-After"]) == (503, "30")
    first.close()
    again = member.get("/p/test-project/traces/stream")
    assert again.status_code == 200
    again.close()


def test_a_stream_ends_so_that_the_session_is_looked_at_again(
    member: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_SECONDS", 0.3)
    assert len(list(pieces(member.get("/p/test-project/traces/stream")))) < 20


def test_the_first_trace_of_all_is_told_though_its_project_is_new(
    member: Client, workspace: Workspace
) -> None:
    response = member.get("/projects/new/stream?after=")
    stream = pieces(response)
    next(stream)
    project = Project.objects.create(workspace=workspace, name="a/b ü")
    run = store_one(project, name="hello")
    assert next_event(stream, "trace") == {
        "url": f"/p/a~2Fb%20%C3%BC/traces/{run.id}",
        "name": "hello",
        "project": "a/b ü",
    }


def test_a_trace_that_was_there_before_is_not_told(member: Client, project: Project) -> None:
    old = store_one(project, name="old")
    response = member.get(f"/p/test-project/setup/stream?after={old.id}")
    stream = pieces(response)
    next(stream)
    new = store_one(project, name="new")
    assert next_event(stream, "trace")["url"].endswith(str(new.id))


def test_a_stranger_gets_no_stream(stranger: Client, project: Project) -> None:
    assert stranger.get("/p/test-project/traces/stream").status_code == 404


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ("one", "event: x\ndata: one\n\n"),
        ("one\ntwo", "event: x\ndata: one\ndata: two\n\n"),
        ("evil\n\nevent: y", "event: x\ndata: evil\ndata: \ndata: event: y\n\n"),
        ("", "event: x\ndata: \n\n"),
    ],
)
def test_no_data_can_end_its_event(data: str, wire: str) -> None:
    assert format_event("x", data) == wire
