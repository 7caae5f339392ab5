"""POST /feedback: the stock SDK sends it apart where it does not know the trace."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from collector.drain import drain_lane
from collector.inbox import due_lanes
from collector.models import Project
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.usefixtures("store")


def post(client: Client, key: str, body: object) -> tuple[int, dict[str, object]]:
    answer = client.post("/api/v1/feedback", body, "application/json", headers={"x-api-key": key})
    return answer.status_code, answer.json()


def test_feedback_is_stored_beside_its_run(
    client: Client, project: Project, make_api_key: Callable[..., str]
) -> None:
    run = make_run()
    store_runs(project.id, run)
    body = {
        "id": str(uuid.uuid4()),
        "run_id": str(run.id),
        "key": "helpful",
        "score": 1,
        "comment": "yes",
    }
    assert post(client, make_api_key("ingest"), body) == (202, {"accepted": 1, "rejected": []})
    for _ in range(2):
        for lane_id in due_lanes():
            drain_lane(lane_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT project_id, run_id, key, score, comment FROM feedback")
        assert cursor.fetchall() == [(project.id, run.id, "helpful", 1.0, "yes")]


@pytest.mark.parametrize(
    ("body", "status"), [("", 400), ("{", 400), ("{}", 422), ('{"id": 5, "key": "k"}', 422)]
)
def test_what_is_no_feedback_is_refused(
    client: Client, make_api_key: Callable[..., str], body: str, status: int
) -> None:
    assert post(client, make_api_key("ingest"), body)[0] == status
