"""What runs do, as a stream: by real NOTIFYs, and what a key may see of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.db import connections
from django.test import Client

from collector import sse
from collector.models import Project, Workspace
from collector.reads import live
from collector.wire.operations import RunOperation
from tests.factories import make_run, store_runs

Event = tuple[str, Any]
Open = Callable[..., Any]

open_responses: list[Any] = []


@pytest.fixture(autouse=True)
def _quick(store: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("collector.api.streams.HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr("collector.api.streams.PACE_SECONDS", 0.0)
    monkeypatch.setattr("collector.api.streams.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("collector.api.streams.LINGER_SECONDS", 0.3)
    yield
    while open_responses:
        open_responses.pop().close()
    live.stop_listener()


@pytest.fixture
def open_stream(client: Client, make_api_key: Callable[..., str]) -> Open:
    """Return a function (path, key=) that asks for a stream."""
    own_key = make_api_key("read")

    def open_(path: str, key: str = own_key) -> Any:
        response = client.get(f"/api/v1/{path}", headers={"X-API-Key": key})
        open_responses.append(response)
        return response

    return open_


def events(response: Any) -> Iterator[Event]:
    """Yield (name, data) of the events; heartbeats pass."""
    for piece in response.streaming_content:
        for block in piece.decode().split("\n\n"):
            lines = block.split("\n")
            if lines[0].startswith("event: "):
                yield lines[0][7:], orjson.loads(lines[1][6:])


def next_of(stream: Iterator[Event], *names: str) -> Event:
    return next(event for event in stream if event[0] in names)


def store_now(project: Project, *runs: RunOperation) -> None:
    """Store in another thread, as a worker would: in the middle of a stream."""

    def work() -> None:
        store_runs(project.id, *runs)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def running(parent: RunOperation | None = None, **fields: Any) -> RunOperation:
    fields = {"start_time": datetime.now(UTC), "end_time": None} | fields
    return make_run(parent, **fields)


def later(run: RunOperation, **fields: Any) -> RunOperation:
    """Return an update of the run."""
    known = {"trace_id": run.trace_id, "day": run.day, "parent_run_id": run.parent_run_id}
    return RunOperation(
        id=run.id, is_update=True, received_at=datetime.now(UTC), **(known | fields)
    )


def test_a_trace_is_told_from_its_first_run_to_its_end(open_stream: Open, project: Project) -> None:
    root = running(name="agent", inputs=b'{"q": "hello"}', outputs=b"", error=None)
    child = running(root, name="model", run_type="llm", outputs=b"", error=None)
    store_now(project, root, child)
    response = open_stream(f"traces/{root.id}/stream")
    assert response["Content-Type"] == "text/event-stream"
    stream = events(response)
    assert [(name, run["name"]) for name, run in (next(stream), next(stream))] == [
        ("run.started", "agent"),
        ("run.started", "model"),
    ]
    store_now(project, later(child, outputs=b'{"text": "half"}'))
    _name, run = next_of(stream, "run.updated")
    assert (run["id"], run["status"], run["outputs_preview"]) == (str(child.id), "running", "half")
    end = datetime.now(UTC)
    store_now(
        project,
        *(later(item, outputs=b'{"text": "whole"}', end_time=end) for item in (child, root)),
    )
    ended = {next_of(stream, "run.ended")[1]["name"] for _ in range(2)}
    assert ended == {"agent", "model"}
    _, trace = next_of(stream, "trace.ended")
    assert (trace["status"], trace["run_count"], trace["ended_count"]) == ("success", 2, 2)
    assert list(stream) == []


def test_a_run_is_told_in_few_fields(open_stream: Open, project: Project) -> None:
    run = running(name="model", run_type="llm", inputs=b'{"q": "hi"}', outputs=b"", tags=["a"])
    store_now(project, run)
    _, told = next(events(open_stream(f"traces/{run.id}/stream")))
    assert told == {
        "id": str(run.id),
        "trace_id": str(run.id),
        "parent_run_id": None,
        "session_id": str(project.id),
        "name": "model",
        "run_type": "llm",
        "status": "running",
        "start_time": run.start_time and run.start_time.isoformat(timespec="microseconds"),
        "end_time": None,
        "first_token_time": None,
        "inputs_preview": "hi",
        "outputs_preview": "",
        "error": None,
        "tags": ["a"],
        "thread_id": None,
        "model": None,
        "usage": {
            "prompt_tokens": None,
            "completion_tokens": None,
            "total_tokens": None,
            "total_cost": None,
        },
    }


def test_outputs_come_whole_where_they_are_asked_for(open_stream: Open, project: Project) -> None:
    run = running(outputs=b'{"text": "%b"}' % (b"word " * 1000))
    store_now(project, run)
    _, told = next(events(open_stream(f"traces/{run.id}/stream?outputs=true")))
    assert told["outputs"] == {"text": "word " * 1000}


def test_a_trace_may_be_asked_for_before_it_is_there_and_its_project_too(
    open_stream: Open, workspace: Workspace
) -> None:
    root = running(name="agent")
    response = open_stream(f"traces/{root.id}/stream")
    stream = events(response)
    project = Project.objects.create(workspace=workspace, name="made later")
    store_now(project, root)
    assert next(stream)[1]["name"] == "agent"


def test_a_trace_that_ended_long_ago_is_told_and_the_stream_ends(
    open_stream: Open, project: Project
) -> None:
    start = datetime.now(UTC) - timedelta(days=3)
    root = make_run(start_time=start, end_time=start + timedelta(seconds=1))
    store_now(project, root)
    told = list(events(open_stream(f"traces/{root.id}/stream")))
    assert [name for name, _ in told] == ["run.ended", "trace.ended"]


def test_a_project_is_told_by_its_root_runs_with_their_sums(
    open_stream: Open, project: Project
) -> None:
    stream = events(open_stream("projects/test-project/stream"))
    assert next(stream) == ("resync", {"reason": "connected"})
    assert next(stream) == ("resync", {"reason": "missed"})  # the listener has just connected
    root = running(name="agent")
    store_now(project, root)
    name, told = next_of(stream, "run.started", "run.updated")
    assert (name, told["name"], told["run_count"]) == ("run.started", "agent", 1)
    store_now(project, running(root, name="child"))
    name, told = next_of(stream, "run.started", "run.updated")
    assert (name, told["id"], told["run_count"]) == ("run.updated", str(root.id), 2)
    store_now(project, later(root, end_time=datetime.now(UTC), error="broken"))
    name, told = next_of(stream, "run.ended")
    assert (told["status"], told["error"]) == ("error", "broken")


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_project_is_found_by_its_name_or_id(
    open_stream: Open, workspace: Workspace, by: str
) -> None:
    project = Project.objects.create(workspace=workspace, name="a/b ü")
    path = {"name": "a/b%20%C3%BC", "id": str(project.id)}[by]
    assert next(events(open_stream(f"projects/{path}/stream")))[0] == "resync"


def test_other_workspaces_are_out_of_sight(
    open_stream: Open, make_api_key: Callable[..., str], project: Project
) -> None:
    root = running()
    store_now(project, root)
    key = make_api_key("read", workspace=Workspace.objects.create(name="other"))
    assert open_stream("projects/test-project/stream", key).status_code == 404
    assert open_stream(f"projects/{project.id}/stream", key).status_code == 404
    pieces = open_stream(f"traces/{root.id}/stream", key).streaming_content
    assert {next(pieces).decode().split("\n")[-3] for _ in range(5)} == {": still here"}


def test_a_key_that_may_not_read_gets_no_stream(
    open_stream: Open, make_api_key: Callable[..., str], project: Project
) -> None:
    assert open_stream("projects/test-project/stream", make_api_key("ingest")).status_code == 403
    assert open_stream(f"traces/{uuid4()}/stream", make_api_key("ingest")).status_code == 403
    assert open_stream(f"traces/{uuid4()}/stream", "rw_nonsense").status_code == 401


def test_a_key_has_so_many_streams_and_no_more(
    open_stream: Open, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS_PER_KEY", 1)
    first = open_stream("projects/test-project/stream")
    refused = open_stream("projects/test-project/stream")
    assert (refused.status_code, refused["Retry-After"]) == (429, "30")
    assert refused.json()["code"] == "too_many_streams_of_key"
    first.close()
    assert open_stream("projects/test-project/stream").status_code == 200


def test_a_process_has_so_many_streams_and_no_more(
    open_stream: Open, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_API_STREAMS", 1)
    open_stream("projects/test-project/stream")
    refused = open_stream("projects/test-project/stream")
    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")


def test_a_stream_ends_so_that_the_key_is_looked_at_again(
    open_stream: Open, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_SECONDS", 0.3)
    pieces = b"".join(open_stream("projects/test-project/stream").streaming_content)
    assert pieces.startswith(b"retry: 2000\n\n")


def test_what_a_run_says_cannot_end_its_event(open_stream: Open, project: Project) -> None:
    run = running(name="evil\n\nevent: run.ended\ndata: {}")
    store_now(project, run)
    name, told = next(events(open_stream(f"traces/{run.id}/stream")))
    assert (name, told["name"]) == ("run.started", run.name)
