"""Shared runs: the token opens one run and all below it, to anybody, and nothing else to anyone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from collector.models import Project, SharedRun, Workspace
from collector.wire.operations import Batch, RunOperation
from tests.factories import make_attachment, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db

Runs = tuple[RunOperation, RunOperation, RunOperation, RunOperation]


@pytest.fixture
def runs(project: Project) -> Runs:
    """A root with two children, the first of which has one too; all with feedback and a file."""
    root = make_run(inputs=b'{"a": "root"}')
    child = make_run(root, after_seconds=1, inputs=b'{"a": "child"}')
    grandchild = make_run(child, after_seconds=2, inputs=b'{"a": "grandchild"}')
    other = make_run(root, after_seconds=3, inputs=b'{"a": "other"}')
    all_ = (root, child, grandchild, other)
    store(
        project.id,
        Batch(
            runs=list(all_),
            feedback=[make_feedback(run, "k", 1.0) for run in all_],
            attachments=[make_attachment(run, "file") for run in all_],
        ),
    )
    return all_


@pytest.fixture
def share(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("ingest", "read")

    def send(method: str, run_id: UUID, body: str = "", *, key: str = key) -> Any:
        path = f"/api/v1/runs/{run_id}/share"
        headers = {"x-api-key": key}
        return client.generic(method, path, body, "text/plain;charset=UTF-8", headers=headers)

    return send


@pytest.fixture
def token(project: Project, runs: Runs) -> UUID:
    """Share the first child."""
    child = runs[1]
    assert child.day is not None
    return SharedRun.objects.create(
        project=project, run_id=child.id, trace_id=runs[0].id, day=child.day
    ).token


def test_a_run_is_shared_by_the_clients_own_token(share: Callable[..., Any], runs: Runs) -> None:
    run_id, token = runs[1].id, uuid.uuid4()
    assert share("GET", run_id).json() is None
    body = f'{{"run_id": "{run_id}", "share_token": "{token}"}}'
    answer = share("PUT", run_id, body)
    assert (answer.status_code, answer.json()) == (
        200,
        {"run_id": str(run_id), "share_token": str(token)},
    )
    assert share("GET", run_id).json() == answer.json()


def test_a_shared_run_keeps_its_token(share: Callable[..., Any], runs: Runs, token: UUID) -> None:
    answer = share("PUT", runs[1].id, f'{{"share_token": "{uuid.uuid4()}"}}')
    assert answer.json()["share_token"] == str(token)


def test_a_token_opens_one_run_only(share: Callable[..., Any], runs: Runs, token: UUID) -> None:
    assert share("PUT", runs[0].id, f'{{"share_token": "{token}"}}').status_code == 409
    assert share("GET", runs[0].id).json() is None


def test_a_share_ends_at_once(
    client: Client, share: Callable[..., Any], runs: Runs, token: UUID
) -> None:
    url = client.get(f"/public/{token}/run").json()["s3_urls"]["attachment.file"]["presigned_url"]
    assert client.get(url).status_code == 200
    assert share("DELETE", runs[1].id).status_code == 200
    assert client.get(f"/public/{token}/run").status_code == 404
    assert client.get(url).status_code == 404
    assert share("DELETE", runs[1].id).status_code == 200


def test_a_strangers_key_shares_nothing(
    share: Callable[..., Any], runs: Runs, token: UUID, make_api_key: Callable[..., str]
) -> None:
    key = make_api_key("admin", workspace=Workspace.objects.create(name="stranger"))
    assert share("PUT", runs[0].id, key=key).status_code == 404
    assert share("GET", runs[1].id, key=key).json() is None
    share("DELETE", runs[1].id, key=key)
    assert SharedRun.objects.count() == 1


def test_a_read_key_shares_nothing(
    share: Callable[..., Any], runs: Runs, make_api_key: Callable[..., str]
) -> None:
    assert share("PUT", runs[0].id, key=make_api_key("read")).status_code == 403


def test_the_shared_run_looks_like_a_root(client: Client, runs: Runs, token: UUID) -> None:
    root, child, _, _ = runs
    answer = client.get(f"/api/v1/public/{token}/run")
    run = answer.json()
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert (run["id"], run["inputs"], run["share_token"]) == (
        str(child.id),
        {"a": "child"},
        str(token),
    )
    assert (run["trace_id"], run["parent_run_id"], run["parent_run_ids"]) == (
        str(child.id),
        None,
        [],
    )
    assert str(root.id) not in answer.content.decode()


def test_the_runs_below_it_are_open_too(client: Client, runs: Runs, token: UUID) -> None:
    _, child, grandchild, _ = runs
    run = client.get(f"/public/{token}/run/{grandchild.id}").json()
    assert run["inputs"] == {"a": "grandchild"}
    assert (run["parent_run_id"], run["parent_run_ids"]) == (str(child.id), [str(child.id)])
    assert run["dotted_order"].split(".")[0].endswith(str(child.id))


def test_nothing_else_of_the_trace_or_project_is_open(
    client: Client, project: Project, runs: Runs, token: UUID
) -> None:
    elsewhere = make_run()
    store_runs(project.id, elsewhere)
    closed = [runs[0].id, runs[3].id, elsewhere.id, uuid.uuid4()]
    assert {client.get(f"/public/{token}/run/{id_}").status_code for id_ in closed} == {404}
    body = {"id": [str(id_) for id_ in closed]}
    answer = client.post(f"/public/{token}/runs/query", body, "application/json")
    assert answer.json()["runs"] == []
    feedback = client.get(f"/public/{token}/feedbacks", {"run": [str(id_) for id_ in closed]})
    assert feedback.json() == []


@pytest.mark.parametrize("limit", [1, 100])
def test_a_query_gives_the_open_runs_page_by_page(
    client: Client, runs: Runs, token: UUID, limit: int
) -> None:
    body: dict[str, Any] = {"limit": limit, "id": None}
    found = []
    while True:
        answer = client.post(f"/public/{token}/runs/query", body, "application/json").json()
        found += [run["id"] for run in answer["runs"]]
        if answer["cursors"]["next"] is None:
            break
        body["cursor"] = answer["cursors"]["next"]
    assert found == [str(runs[1].id), str(runs[2].id)]


def test_a_query_is_narrowed_by_ids(client: Client, runs: Runs, token: UUID) -> None:
    body = {"id": [str(runs[2].id)]}
    answer = client.post(f"/public/{token}/runs/query", body, "application/json").json()
    assert [run["id"] for run in answer["runs"]] == [str(runs[2].id)]


def test_feedback_of_the_open_runs_can_be_read(client: Client, runs: Runs, token: UUID) -> None:
    found = client.get(f"/public/{token}/feedbacks").json()
    assert {item["run_id"] for item in found} == {str(runs[1].id), str(runs[2].id)}


def test_a_shared_root_opens_its_orphans_too(client: Client, project: Project) -> None:
    root = make_run()
    lost = make_run(root)
    orphan = make_run(lost, after_seconds=1)
    store_runs(project.id, root, orphan)
    assert root.day is not None
    token = SharedRun.objects.create(
        project=project, run_id=root.id, trace_id=root.id, day=root.day
    ).token
    answer = client.post(f"/public/{token}/runs/query", {}, "application/json").json()
    assert {run["id"] for run in answer["runs"]} == {str(root.id), str(orphan.id)}
    assert client.get(f"/public/{token}/run/{orphan.id}").status_code == 200


def test_unknown_tokens_are_all_answered_alike(
    client: Client, share: Callable[..., Any], runs: Runs, token: UUID
) -> None:
    share("DELETE", runs[1].id)
    answers = [client.get(f"/public/{id_}/run") for id_ in (token, uuid.uuid4())]
    assert answers[0].content == answers[1].content
    assert {answer.status_code for answer in answers} == {404}
    for path in ("runs/query", "feedbacks"):
        method = client.post if path == "runs/query" else client.get
        assert method(f"/public/{uuid.uuid4()}/{path}").status_code == 404


@pytest.mark.parametrize("body", ["{", "[]", '{"id": ["x"]}', '{"cursor": "x"}'])
def test_a_query_that_makes_no_sense_is_refused(client: Client, token: UUID, body: str) -> None:
    path = f"/public/{token}/runs/query"
    assert client.post(path, body, "application/json").status_code == 400


def test_a_query_is_small(client: Client, token: UUID) -> None:
    answer = client.post(f"/public/{token}/runs/query", b" " * 70_000, "application/json")
    assert answer.status_code == 413
