"""Feedback: POST /feedback, the list, and GET, PATCH and DELETE of one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import inbox
from collector.drain import drain_lane
from collector.models import Project, Workspace
from collector.reads.feedback import find_feedback
from collector.sweeper import sweep
from collector.wire.operations import Batch, FeedbackOperation
from tests.factories import START, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.usefixtures("store")


class Api:
    """Sends and reads with one key."""

    def __init__(self, client: Client, key: str) -> None:
        self.client = client
        self.headers = {"x-api-key": key}

    def post(self, body: object, *, is_stored: bool = True) -> Any:
        answer = self.client.post(
            "/api/v1/feedback", body, "application/json", headers=self.headers
        )
        if is_stored:
            sweep()
            sweep()
        return answer

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(f"/feedback{path}", params, headers=self.headers)

    def patch(self, feedback_id: UUID | str, body: object) -> Any:
        return self.client.patch(
            f"/feedback/{feedback_id}", body, "application/json", headers=self.headers
        )

    def delete(self, feedback_id: UUID | str) -> Any:
        return self.client.delete(f"/feedback/{feedback_id}", headers=self.headers)


@pytest.fixture
def api(client: Client, make_api_key: Callable[..., str]) -> Api:
    return Api(client, make_api_key("ingest", "read"))


@pytest.fixture
def run_id(project: Project) -> UUID:
    run = make_run()
    store_runs(project.id, run)
    return run.id


def put(project: Project, **fields: Any) -> FeedbackOperation:
    """Store one judgement."""
    item = FeedbackOperation(
        **{"id": uuid.uuid4(), "received_at": START, "key": "k", "score": 1.0, **fields}
    )
    store(project.id, Batch(feedback=[item]))
    return item


def test_what_is_posted_is_answered_and_can_be_read(
    api: Api, project: Project, run_id: UUID
) -> None:
    body = {
        "id": str(uuid.uuid4()),
        "run_id": str(run_id),
        "trace_id": str(run_id),
        "key": "helpful",
        "score": 0.75,
        "value": "yes",
        "comment": "Found it.",
        "correction": {"answer": "tea"},
        "feedback_source": {"type": "api", "metadata": {"judge": "a person"}},
        "feedback_config": {"type": "continuous", "min": 0, "max": 1},
        "created_at": "2026-11-24T12:00:00.000001+00:00",
        "modified_at": "2026-11-24T12:00:00.000001+00:00",
    }
    answer = api.post(body)
    assert (answer.status_code, answer.json()) == (202, {**body, "session_id": None})
    assert api.get(f"/{body['id']}").json() == {**body, "session_id": str(project.id)}


def test_feedback_without_an_id_is_given_one(api: Api, run_id: UUID) -> None:
    answer = api.post({"run_id": str(run_id), "key": "k", "score": True}).json()
    assert api.get(f"/{answer['id']}").json()["score"] == 1.0


def test_feedback_on_a_project_has_no_run(api: Api, project: Project) -> None:
    posted = api.post({"session_id": str(project.id), "key": "summary", "score": 0.5}).json()
    found = api.get(f"/{posted['id']}").json()
    assert (found["run_id"], found["session_id"]) == (None, str(project.id))


def test_feedback_for_an_agents_address_goes_to_its_project(api: Api, workspace: Workspace) -> None:
    project = Project.objects.create(workspace=workspace, name="bot/prod")
    posted = api.post({"address": "lrn:agents/bot/environments/prod", "key": "k"}).json()
    assert api.get(f"/{posted['id']}").json()["session_id"] == str(project.id)


@pytest.mark.parametrize(
    ("body", "status"), [("", 400), ("{", 400), ("{}", 422), ('{"id": 5, "key": "k"}', 422)]
)
def test_what_is_no_feedback_is_refused(api: Api, body: str, status: int) -> None:
    assert api.post(body).status_code == status


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=JSON_VALUES)
def test_a_value_of_any_json_type_comes_back_as_it_was(
    api: Api, project: Project, value: Any
) -> None:
    text = json.dumps({"session_id": str(project.id), "key": "k", "value": value})
    posted = api.post(text)
    assert api.get(f"/{posted.json()['id']}").json()["value"] == value


def test_a_list_is_the_workspaces_and_newest_first(
    api: Api, project: Project, make_api_key: Callable[..., str]
) -> None:
    items = [put(project, created_at=START + timedelta(seconds=n)) for n in range(3)]
    stranger = Workspace.objects.create(name="stranger")
    put(Project.objects.create(workspace=stranger, name="theirs"))
    assert [item["id"] for item in api.get("").json()] == [str(i.id) for i in items[::-1]]
    assert [i["id"] for i in api.get("", limit=1, offset=1).json()] == [str(items[1].id)]


def test_feedback_of_another_workspace_cannot_be_seen_or_changed(
    api: Api, workspace: Workspace
) -> None:
    stranger = Workspace.objects.create(name="stranger")
    theirs = put(Project.objects.create(workspace=stranger, name="theirs"))
    answers = [api.get(f"/{theirs.id}"), api.patch(theirs.id, {"score": 0}), api.delete(theirs.id)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "all": ({}, {"run", "commented", "session", "unscored"}),
    "key": ({"key": "run"}, {"run"}),
    "keys": ({"key": ["run", "session"]}, {"run", "session"}),
    "source": ({"source": "model"}, {"commented"}),
    "user": ({"user": "00000000-0000-0000-0000-000000000007"}, {"unscored"}),
    "has_comment": ({"has_comment": "True"}, {"commented"}),
    "has no comment": ({"has_comment": "false"}, {"run", "session", "unscored"}),
    "has_score": ({"has_score": "true"}, {"run", "commented", "session"}),
    "has no score": ({"has_score": "False"}, {"unscored"}),
    "level run": ({"level": "run"}, {"run", "commented", "unscored"}),
    "level session": ({"level": "session"}, {"session"}),
    "since": ({"min_created_at": (START + timedelta(seconds=2)).isoformat()}, {"session", "unscored"}),
    "until": ({"max_created_at": (START + timedelta(seconds=1)).isoformat()}, {"run", "commented"}),
    "an unknown parameter": ({"include_user_names": "true"}, {"run", "commented", "session", "unscored"}),
    "a strange key": ({"key": "a\0"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_a_list_is_narrowed(api: Api, project: Project, run_id: UUID, name: str) -> None:
    source = b'{ "type": "model" , "metadata": {"a": "\\u0000"}}'
    user = b'{"type": "app", "user_id": "00000000-0000-0000-0000-000000000007"}'
    for number, fields in enumerate((
        {"key": "run", "run_id": run_id},
        {"key": "commented", "run_id": run_id, "comment": "c", "feedback_source": source},
        {"key": "session"},
        {"key": "unscored", "run_id": uuid.uuid4(), "score": None, "feedback_source": user},
    )):  # fmt: skip
        put(project, created_at=START + timedelta(seconds=number), **fields)
    params, wanted = FILTERS[name]
    answer = api.get("", **params)
    assert {item["key"] for item in answer.json()} == wanted


def test_a_list_is_narrowed_to_runs_and_to_a_project(
    api: Api, project: Project, run_id: UUID
) -> None:
    other = Project.objects.create(workspace=project.workspace, name="other")
    first, second = put(project, run_id=run_id), put(other, run_id=uuid.uuid4())
    assert [i["id"] for i in api.get("", session=str(other.id)).json()] == [str(second.id)]
    assert [i["id"] for i in api.get("", run=[str(run_id)]).json()] == [str(first.id)]
    both = api.get("", run=[str(run_id), str(second.run_id)]).json()
    assert {item["id"] for item in both} == {str(first.id), str(second.id)}


@pytest.mark.parametrize(
    "params", [{"run": "x"}, {"level": "x"}, {"has_score": "x"}, {"limit": "x"}, {"min_created_at": "x"}]
)  # fmt: skip
def test_a_wrong_parameter_is_refused(api: Api, project: Project, params: dict[str, str]) -> None:
    assert api.get("", **params).status_code == 400


def test_an_update_sets_what_it_names_and_null_clears(
    api: Api, project: Project, run_id: UUID
) -> None:
    item = put(project, run_id=run_id, comment="old", value=b'"v"', other=b'{"extra": {"a": 1}}')
    answer = api.patch(item.id, {"score": 0.25, "comment": None, "feedback_config": {"min": 0}})
    assert answer.status_code == 200
    found = api.get(f"/{item.id}").json()
    assert answer.json() == found
    assert (found["score"], found["comment"], found["value"]) == (0.25, None, "v")
    assert (found["extra"], found["feedback_config"]) == ({"a": 1}, {"min": 0})
    assert found["modified_at"] > found["created_at"]


@pytest.mark.parametrize("body", ['{"score": "high"}', "[]", "{", '{"comment": 5}'])
def test_an_update_that_makes_no_sense_changes_nothing(
    api: Api, project: Project, body: str
) -> None:
    item = put(project, comment="old")
    assert api.patch(item.id, body).status_code == 400
    found = find_feedback([project.id], item.id)
    assert found is not None
    assert (found.score, found.comment) == (1.0, "old")


def test_a_create_that_is_sent_again_does_not_undo_an_update(api: Api, project: Project) -> None:
    now = datetime.now(UTC)
    item = put(project, created_at=now, modified_at=now)
    api.patch(item.id, {"score": 0})
    store(project.id, Batch(feedback=[item]))
    found = find_feedback([project.id], item.id)
    assert found is not None
    assert found.score == 0


def test_two_updates_of_one_moment_both_count(api: Api, project: Project) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)  # a client whose clock is fast
    item = put(project, created_at=ahead, modified_at=ahead)
    api.patch(item.id, {"score": 0})
    api.patch(item.id, {"comment": "c"})
    store(project.id, Batch(feedback=[item]))
    found = find_feedback([project.id], item.id)
    assert found is not None
    assert (found.score, found.comment) == (0, "c")


def test_deleted_feedback_is_gone_and_a_late_create_does_not_bring_it_back(
    api: Api, project: Project
) -> None:
    item = put(project)
    assert api.delete(item.id).status_code == 200
    store(project.id, Batch(feedback=[item]))
    assert api.get(f"/{item.id}").status_code == 404
    assert api.delete(item.id).status_code == 404


def test_feedback_that_is_in_the_inbox_still_is_waited_for(
    api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that reads what it has just created gets it, as it would from LangSmith."""
    posted = api.post({"session_id": str(project.id), "key": "k"}, is_stored=False).json()
    assert inbox.due_lanes() == [project.id]
    monkeypatch.setattr("collector.feedback.time.sleep", lambda _: drain_lane(project.id))
    assert api.get(f"/{posted['id']}").status_code == 200


def test_a_key_that_may_only_read_changes_nothing(
    client: Client, project: Project, make_api_key: Callable[..., str]
) -> None:
    item = put(project)
    api = Api(client, make_api_key("read"))
    assert api.get(f"/{item.id}").status_code == 200
    assert api.post({"key": "k"}).status_code == 403
    assert api.patch(item.id, {"score": 0}).status_code == 403
    assert api.delete(item.id).status_code == 403


def test_the_statistics_of_a_run_say_what_its_feedback_comes_to(api: Api, project: Project) -> None:
    run = make_run()
    store(
        project.id,
        Batch(
            runs=[run],
            feedback=[
                make_feedback(
                    run, "k", 1.0, comment="a", created_at=START, value=b'"good"',
                    feedback_source=b'{"type":"api"}',
                ),
                make_feedback(
                    run, "k", 0.0, comment="b", created_at=START + timedelta(seconds=1),
                    value=b'"bad"', feedback_source=b'{"type":"model"}',
                    other=rb'{"error":true,"extra":{"a":"\u0000\\u0000\ud800"}}',
                ),
                make_feedback(run, "k", None, value=b'"good"'),
                make_feedback(run, "j", None, value=b'{"not": "a category"}'),
            ],
        ),
    )  # fmt: skip
    answer = api.client.get(f"/runs/{run.id}", headers=api.headers).json()["feedback_stats"]
    assert answer == {
        "k": {
            "n": 3, "avg": 0.5, "min": 0.0, "max": 1.0, "stdev": 0.5, "errors": 1,
            "values": {"good": 2, "bad": 1}, "comments": ["a", "b"], "sources": ["api", "model"],
        },
        "j": {
            "n": 1, "avg": None, "min": None, "max": None, "stdev": None, "errors": 0,
            "values": {}, "comments": [], "sources": [],
        },
    }  # fmt: skip
