"""Presigned feedback: whoever has the address gives feedback on one run, and nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from collector.api.public_access import LinkThrottle
from collector.models import FeedbackToken, Project, Workspace
from collector.reads.feedback import FeedbackFilter, StoredFeedback, search_feedback
from collector.sweeper import sweep
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def _no_remembered_requests() -> None:
    SimpleRateThrottle.cache.clear()


@pytest.fixture
def run_id(project: Project) -> UUID:
    run = make_run()
    store_runs(project.id, run)
    return run.id


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("ingest")

    def send(body: object) -> Any:
        headers = {"x-api-key": key}
        return client.post("/feedback/tokens", body, "application/json", headers=headers)

    return send


@pytest.fixture
def token(ask: Callable[..., Any], run_id: UUID) -> str:
    """Return the path of a token's address."""
    url: str = ask({"run_id": str(run_id), "feedback_key": "thumb"}).json()["url"]
    return "/" + url.split("/", 3)[3]


def stored(project: Project) -> list[StoredFeedback]:
    sweep()
    sweep()
    return search_feedback([project.id], FeedbackFilter(), 100)


def test_a_token_has_an_absolute_address_that_ends_in_its_id(
    ask: Callable[..., Any], run_id: UUID, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://runwood.example"
    token_id = str(uuid.uuid4())
    answer = ask(
        {
            "id": token_id,
            "run_id": str(run_id),
            "feedback_key": "thumb",
            "feedback_config": {"type": "continuous"},
            "expires_in": {"days": 0, "hours": 1, "minutes": 30},
        }
    )
    body = answer.json()
    left = datetime.fromisoformat(body.pop("expires_at")) - datetime.now(UTC)
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)
    assert (answer.status_code, body) == (
        200,
        {
            "id": token_id,
            "url": f"https://runwood.example/api/v1/feedback/tokens/{token_id}",
            "feedback_key": "thumb",
        },
    )


def test_a_list_asks_for_several(ask: Callable[..., Any], run_id: UUID) -> None:
    body = [{"run_id": str(run_id), "feedback_key": key} for key in ("a", "b")]
    assert [token["feedback_key"] for token in ask(body).json()] == ["a", "b"]


def test_the_same_token_asked_for_twice_is_one(ask: Callable[..., Any], run_id: UUID) -> None:
    body = {"id": str(uuid.uuid4()), "run_id": str(run_id), "feedback_key": "k"}
    assert ask(body).json() == ask(body).json()
    assert ask({**body, "feedback_key": "other"}).status_code == 409


def test_the_tokens_of_a_run_can_be_listed(
    client: Client, ask: Callable[..., Any], run_id: UUID, make_api_key: Callable[..., str]
) -> None:
    made = ask({"run_id": str(run_id), "feedback_key": "k"}).json()
    ask({"run_id": str(uuid.uuid4()), "feedback_key": "k"})
    stranger = make_api_key("read", workspace=Workspace.objects.create(name="stranger"))

    def listed(key: str) -> Any:
        return client.get(
            "/feedback/tokens", {"run_id": str(run_id)}, headers={"x-api-key": key}
        ).json()

    assert listed(make_api_key("read")) == [made]
    assert listed(stranger) == []


@pytest.mark.parametrize(
    "body",
    [
        {"feedback_key": "k"},
        {"run_id": "x", "feedback_key": "k"},
        {"run_id": str(uuid.uuid4())},
        {"run_id": str(uuid.uuid4()), "feedback_key": "k", "expires_at": "2020-01-01T00:00:00Z"},
        {"run_id": str(uuid.uuid4()), "feedback_key": "k", "expires_in": {"days": 10**12}},
        {"run_id": str(uuid.uuid4()), "feedback_key": "k", "expires_in": "soon"},
        {"run_id": str(uuid.uuid4()), "feedback_key": "k", "feedback_config": [1]},
        {"run_id": str(uuid.uuid4()), "feedback_key": "k", "feedback_config": {"a": "\0"}},
        ["x"],
        [{}] * 101,
    ],
)
def test_a_token_that_makes_no_sense_is_refused(ask: Callable[..., Any], body: object) -> None:
    assert ask(json.dumps(body)).status_code == 400


def test_a_link_adds_feedback_without_a_key(client: Client, token: str, project: Project) -> None:
    answer = client.get(token, {"score": "0.5", "comment": "nice", "value": "up"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    (item,) = stored(project)
    assert (item.key, item.score, item.comment, item.value) == ("thumb", 0.5, "nice", b'"up"')
    assert json.loads(item.feedback_source) == {"type": "api", "metadata": {}}


def test_a_browser_is_thanked_by_a_page(client: Client, token: str) -> None:
    answer = client.get(token, {"score": "1"}, headers={"accept": "text/html,*/*"})
    assert answer["Content-Type"].startswith("text/html")
    assert "Thank you" in answer.content.decode()
    assert "noindex" in answer["X-Robots-Tag"]


@pytest.mark.parametrize("kind", ["HEAD", "prefetch"])
def test_whoever_only_looks_gives_no_feedback(
    client: Client, token: str, project: Project, kind: str
) -> None:
    if kind == "HEAD":
        assert client.head(token, {"score": "1"}).status_code == 200
    else:
        client.get(token, {"score": "1"}, headers={"sec-purpose": "prefetch;prerender"})
    assert stored(project) == []


def test_each_use_adds_one(client: Client, token: str, project: Project) -> None:
    body = {
        "score": True,
        "value": {"a": [1]},
        "correction": {"b": 1},
        "comment": None,
        "metadata": {"page": "x"},
    }
    for _ in range(2):
        assert client.post(token, json.dumps(body), "text/plain").status_code == 200
    found = stored(project)
    assert [item.score for item in found] == [1.0, 1.0]
    assert [json.loads(item.value) for item in found] == [{"a": [1]}, {"a": [1]}]
    assert json.loads(found[0].feedback_source)["metadata"] == {"page": "x"}


def test_a_token_for_a_run_that_is_not_stored_yet_works_once_it_is(
    client: Client, ask: Callable[..., Any], project: Project
) -> None:
    run = make_run()
    made = ask({"run_id": str(run.id), "feedback_key": "k"}).json()
    assert client.get(f"/feedback/tokens/{made['id']}", {"score": "1"}).status_code == 200
    store_runs(project.id, run)
    assert [item.run_id for item in stored(project)] == [run.id]


def test_the_sender_cannot_choose_run_key_or_project(
    client: Client, token: str, project: Project, run_id: UUID
) -> None:
    body = {"run_id": str(uuid.uuid4()), "key": "x", "session_id": str(uuid.uuid4()), "id": "1"}
    client.post(token, {**body, "score": 1}, "application/json")
    (item,) = stored(project)
    assert (item.run_id, item.key, item.project_id) == (run_id, "thumb", project.id)


def test_an_expired_token_is_refused_and_an_unknown_one_not_found(
    client: Client, token: str, project: Project
) -> None:
    FeedbackToken.objects.update(expires_at=datetime.now(UTC))
    assert client.get(token, {"score": "1"}).status_code == 403
    assert client.post(token, {"score": 1}, "application/json").status_code == 403
    assert client.get(f"/feedback/tokens/{uuid.uuid4()}").status_code == 404
    assert stored(project) == []


@pytest.mark.parametrize(
    "body", ["{", "[]", '{"score": "high"}', '{"comment": "%s"}' % ("x" * (64 << 10))]
)  # fmt: skip
def test_feedback_that_makes_no_sense_is_refused(
    client: Client, token: str, project: Project, body: str
) -> None:
    assert client.post(token, body, "application/json").status_code in (400, 413)
    assert client.get(token, {"score": "high"}).status_code == 400
    assert stored(project) == []


def test_one_token_cannot_be_used_without_end(
    client: Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinkThrottle, "rate", "2/min")
    answers = [client.head(token).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_a_read_key_makes_no_token(
    client: Client, run_id: UUID, make_api_key: Callable[..., str]
) -> None:
    body = {"run_id": str(run_id), "feedback_key": "k"}
    headers = {"x-api-key": make_api_key("read")}
    answer = client.post("/feedback/tokens", body, "application/json", headers=headers)
    assert answer.status_code == 403
