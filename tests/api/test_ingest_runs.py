"""The four ingest routes: what they take, what they answer, and that it is there afterwards."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import zstandard
from django.test import Client

from collector.models import Project, Workspace
from tests.api.ingesting import (
    RUN_ID,
    SIBLING_ID,
    Sender,
    frame,
    inbox_count,
    run_fields,
    stored,
)

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.bin") if "otlp" not in path.name)
ACCEPTED = {"accepted": 1, "rejected": []}


@pytest.fixture
def sender(client: Client, make_api_key: Callable[..., str]) -> Sender:
    return Sender(client, make_api_key("ingest"))


def test_a_run_is_created(sender: Sender, project: Project) -> None:
    response = sender.send("/runs", json.dumps(run_fields(inputs={"q": 1})).encode())
    assert (response.status_code, response.json()) == (202, ACCEPTED)
    run = stored(project.id)
    assert run is not None
    assert (run.run.name, run.inputs) == ("agent", {"q": 1})


def test_a_run_is_updated(sender: Sender, project: Project) -> None:
    sender.send("/runs", json.dumps(run_fields()).encode())
    body = b'{"outputs":{"a":2},"end_time":"2026-11-24T12:00:01Z"}'
    response = sender.send(f"/runs/{RUN_ID}", body, method="PATCH")
    assert (response.status_code, response.json()) == (202, ACCEPTED)
    run = stored(project.id)
    assert run is not None
    assert (run.run.status, run.outputs) == ("success", {"a": 2})


def test_a_batch_is_stored(sender: Sender, project: Project) -> None:
    response = sender.batch(run_fields(), run_fields(SIBLING_ID))
    assert (response.status_code, response.json()) == (202, {"accepted": 2, "rejected": []})
    assert stored(project.id, RUN_ID) is not None
    assert stored(project.id, SIBLING_ID) is not None


def test_parts_are_stored(sender: Sender, project: Project) -> None:
    response = sender.multipart(
        {
            f"post.{RUN_ID}": json.dumps(run_fields()).encode(),
            f"post.{RUN_ID}.inputs": b'{"q":1}',
            f"attachment.{RUN_ID}.note": b"raw",
            f"feedback.{SIBLING_ID}": json.dumps({"key": "k", "run_id": str(RUN_ID)}).encode(),
        }
    )
    assert (response.status_code, response.json()) == (202, {"accepted": 3, "rejected": []})
    run = stored(project.id)
    assert run is not None
    assert run.inputs == {"q": 1}
    assert [attachment.name for attachment in run.attachments] == ["note"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_is_read(sender: Sender, project: Project, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    body = compress(frame({f"post.{RUN_ID}": json.dumps(run_fields()).encode()}))
    response = sender.send(
        "/runs/multipart",
        body,
        content_type="multipart/form-data; boundary=7efff9633b68442c9326f08d728d2d90",
        Content_Encoding=encoding,
    )
    assert (response.status_code, response.json()) == (202, ACCEPTED)
    assert stored(project.id) is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_request_is_stored(
    client: Client, make_api_key: Callable[..., str], workspace: Workspace, name: str
) -> None:
    recording = json.loads((SAMPLES / f"{name}.json").read_text())
    sent = {key.lower(): value for key, value in recording["headers"]}
    kept = {key: sent[key] for key in ("content-encoding", "user-agent", "accept") if key in sent}
    response = client.generic(
        "POST",
        recording["path"],
        (SAMPLES / f"{name}.bin").read_bytes(),
        sent["content-type"],
        headers={**kept, "X-API-Key": make_api_key("ingest")},
    )
    assert response.status_code == 202
    assert response.json()["rejected"] == []
    project = Project.objects.get(name=recording["expected_runs"][0]["session_name"])
    assert project.workspace == workspace
    for expected in recording["expected_runs"]:
        run = stored(project.id, UUID(expected["id"]))
        assert run is not None
        assert run.run.name == expected["name"]
        assert run.dotted_order == expected["dotted_order"]
        assert run.run.status == expected["status"].replace("pending", "running")


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain;charset=UTF-8", "application/octet-stream", ""]
)
def test_json_is_read_whatever_its_content_type(
    sender: Sender, project: Project, content_type: str
) -> None:
    body = json.dumps({"post": [run_fields()]}).encode()
    response = sender.send("/runs/batch", body, content_type=content_type)
    assert response.status_code == 202


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", "nonsense"])
def test_no_run_is_lost_to_an_accept_header(sender: Sender, project: Project, accept: str) -> None:
    body = json.dumps({"post": [run_fields()]}).encode()
    response = sender.send("/runs/batch", body, Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (202, "application/json")


@pytest.mark.parametrize("body", [b'{"post":[]}', b'{"post":null,"patch":[]}'])
def test_a_batch_of_nothing_stores_nothing(sender: Sender, body: bytes) -> None:
    response = sender.send("/runs/batch", body)
    assert (response.status_code, response.json()) == (202, {"accepted": 0, "rejected": []})
    assert inbox_count() == 0


def test_unknown_parts_are_named(sender: Sender, project: Project) -> None:
    main = json.dumps(run_fields()).encode()
    response = sender.multipart({f"post.{RUN_ID}": main, "trace.1": b"{}"})
    assert response.json() == {"accepted": 1, "rejected": [], "ignored": ["trace.1"]}


def test_a_request_of_unknown_parts_only_is_not_acknowledged(sender: Sender) -> None:
    response = sender.multipart({"trace.1": b"{}"})
    assert response.status_code == 422
    assert response.json()["ignored"] == ["trace.1"]


def test_runs_go_to_the_projects_that_they_name(sender: Sender, workspace: Workspace) -> None:
    sender.batch(run_fields(session_name="one"), run_fields(SIBLING_ID, session_name="zwei / 二"))
    for name, run_id in (("one", RUN_ID), ("zwei / 二", SIBLING_ID)):
        assert stored(Project.objects.get(workspace=workspace, name=name).id, run_id) is not None


def test_a_client_that_dropped_runs_is_logged_once_for_each_loss(
    sender: Sender, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    process = uuid4().hex + "\n"
    for count in (3, 3, 4):
        report = {"process": process, "name": "runwood", "dropped": {"p": {"runs": count}}}
        body = json.dumps({"post": [], "client": report}).encode()
        assert sender.send("/runs/batch", body).status_code == 202
    lines = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert [line.partition("process ")[2] for line in lines] == [
        f"{process!r}, has dropped: {{'p': {{'runs': {count}}}}}" for count in (3, 4)
    ]
