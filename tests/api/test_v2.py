"""The routes of v2: the same runs in other words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.test import Client

from collector.api.v2.fields import FIELDS
from collector.models import Project, Workspace
from collector.sharing import share_run
from collector.wire.operations import Batch, RunOperation
from tests.factories import make_attachment, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]
USAGE = (
    b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15,'
    b' "input_token_details": {"cache_read": 4}, "input_cost_details": {"cache_read": 1e-7},'
    b' "input_cost": 0.0000001, "output_cost": 0.0000002, "total_cost": 0.0000003}}'
)


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str]) -> Ask:
    """Return a function (method, path, **params) that asks below `/api/v2/`."""
    key = make_api_key("ingest", "read")

    def send(method: str, path: str, **params: Any) -> Any:
        headers = {"X-API-Key": key}
        if method == "GET":
            return client.get(f"/api/v2/{path}", params, headers=headers)
        body = json.dumps(params)
        return client.generic(method, f"/api/v2/{path}", body, "application/json", headers=headers)

    return send


@pytest.fixture
def start() -> datetime:
    return datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=1)


@pytest.fixture
def trace(project: Project, start: datetime) -> list[RunOperation]:
    """Return a stored agent in the thread `t` with a failed tool, and a model below that."""
    root = make_run(
        start_time=start,
        extra=b'{"metadata": {"thread_id": "t", "n": 1}, "x": 1}',
        inputs=b'{"q": "hi"}',
        tags=["a"],
    )
    tool = make_run(root, name="search", run_type="tool", after_seconds=1, error="Boom\nat line 1")
    model = make_run(tool, name="model", run_type="llm", after_seconds=2, outputs=USAGE)
    store(
        project.id,
        Batch(
            runs=[root, tool, model],
            feedback=[make_feedback(root, "good", 1.0)],
            attachments=[make_attachment(root, "note.txt", b"hello")],
        ),
    )
    return [root, tool, model]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def named(*runs: RunOperation) -> list[str]:
    return [str(run.id) for run in runs]


def test_without_selects_there_is_the_id_alone(
    ask: Ask, project: Project, trace: list[RunOperation]
) -> None:
    answer = ask("POST", "runs/query", project_ids=[str(project.id)], is_root=True)
    assert answer.json() == {"items": [{"id": str(trace[0].id)}], "next_cursor": None}


def test_every_field_that_can_be_selected_is_there(
    ask: Ask, project: Project, trace: list[RunOperation]
) -> None:
    root, tool, model = trace
    run = ask(
        "GET", f"runs/{model.id}", project_id=str(project.id), selects=[*FIELDS, "NO_SUCH"]
    ).json()
    assert run.keys() == {name.lower() for name in FIELDS}
    assert (run["status"], run["run_type"], run["is_root"]) == ("SUCCESS", "LLM", False)
    assert run["parent_run_ids"] == named(root, tool)
    assert (run["project_id"], run["latency_seconds"]) == (str(project.id), 1.0)
    assert run["prompt_token_details"] == {"raw": {"cache_read": 4}}
    assert run["prompt_cost_details"] == {"raw": {"cache_read": 1e-7}}
    assert run["completion_cost_details"] == {"raw": {}}


def test_costs_are_numbers_with_all_their_digits(
    ask: Ask, project: Project, trace: list[RunOperation]
) -> None:
    answer = ask("GET", f"runs/{trace[2].id}", project_id=str(project.id), selects=["TOTAL_COST"])
    assert b'"total_cost":0.0000003' in answer.content


def test_metadata_and_attachments_stand_at_the_top(
    ask: Ask, client: Client, project: Project, trace: list[RunOperation]
) -> None:
    selects = ["METADATA", "ATTACHMENTS", "EXTRA", "INPUTS", "FEEDBACK_STATS"]
    run = ask("GET", f"runs/{trace[0].id}", project_id=str(project.id), selects=selects).json()
    assert run["metadata"] == {"thread_id": "t", "n": 1}
    assert (run["extra"]["x"], run["inputs"]) == (1, {"q": "hi"})
    assert run["feedback_stats"]["good"]["avg"] == 1.0
    address = urlsplit(run["attachments"]["note.txt"])
    assert address.scheme == "http"
    assert client.get(address.path).content == b"hello"


def test_tokens_are_the_runs_own_unless_those_below_are_asked_for(
    ask: Ask, project: Project, trace: list[RunOperation]
) -> None:
    query = {"project_ids": [str(project.id)], "selects": ["TOTAL_TOKENS", "TOTAL_COST"]}
    own = ask("POST", "runs/query", **query).json()["items"]
    below = ask("POST", "runs/query", **query, include_subtree_usage=True).json()["items"]
    assert [run["total_tokens"] for run in own] == [15, 0, 0]
    assert [run["total_cost"] for run in own] == [3e-7, None, None]
    assert [run["total_tokens"] for run in below] == [15, 15, 15]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({}, [2, 1, 0]),
        ({"is_root": False}, [2, 1]),
        ({"has_error": True}, [1]),
        ({"run_type": "LLM"}, [2]),
        ({"filter": 'eq(name, "search")'}, [1]),
        ({"trace_filter": 'has(tags, "a")', "run_type": "LLM"}, [2]),
        ({"tree_filter": 'eq(name, "search")', "is_root": True}, [0]),
        ({"trace_filter": 'eq(name, "search")'}, []),
    ],
    ids=str,
)
def test_runs_are_narrowed_and_come_newest_first(
    ask: Ask,
    project: Project,
    trace: list[RunOperation],
    query: dict[str, Any],
    places: list[int],
) -> None:
    answer = ask("POST", "runs/query", project_ids=[str(project.id)], **query)
    assert ids(answer) == named(*(trace[place] for place in places))


def test_runs_of_more_than_a_day_ago_have_to_be_asked_for(
    ask: Ask, project: Project, start: datetime
) -> None:
    old = make_run(start_time=start - timedelta(days=2))
    store_runs(project.id, old)
    query = {"project_ids": [str(project.id)]}
    assert ids(ask("POST", "runs/query", **query)) == []
    since = (start - timedelta(days=3)).isoformat()
    assert ids(ask("POST", "runs/query", **query, min_start_time=since)) == named(old)


def test_pages_follow_each_other_and_hold_up_to_1000_runs(
    ask: Ask, project: Project, start: datetime
) -> None:
    runs = [make_run(start_time=start + timedelta(seconds=number)) for number in range(120)]
    store_runs(project.id, *runs)
    query = {"project_ids": [str(project.id)]}
    assert len(ids(ask("POST", "runs/query", **query, page_size=5_000))) == 120
    assert len(ids(ask("POST", "runs/query", **query))) == 100
    first = ask("POST", "runs/query", **query, page_size=100).json()
    rest = ask("POST", "runs/query", **query, page_size=100, cursor=first["next_cursor"]).json()
    assert rest["next_cursor"] is None
    found = [item["id"] for page in (first, rest) for item in page["items"]]
    assert found == named(*reversed(runs))


def test_what_goes_wrong_is_a_problem_with_the_words_of_the_other_routes(
    ask: Ask, project: Project
) -> None:
    answer = ask("POST", "runs/query", project_ids=[str(project.id)], filter="eq(nam, 1)")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (400, "Bad Request")
    assert problem["code"] == "invalid_filter"
    assert "nam" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "params", "status"),
    [
        ("POST", "runs/query", {}, 400),
        ("POST", "runs/query", {"project_ids": ["x"]}, 400),
        ("POST", "runs/query", {"project_ids": ["{project}"], "cursor": "x"}, 400),
        ("POST", "runs/query", {"project_ids": ["{project}"], "ai_search": "slow ones"}, 400),
        ("POST", "runs/query", {"project_ids": ["{project}"], "selects": "ID"}, 400),
        ("GET", "runs/{unknown}", {}, 400),
        ("GET", "runs/{unknown}", {"project_id": "{project}"}, 404),
        ("GET", "runs/{unknown}", {"project_id": "{stranger}"}, 404),
        ("GET", "runs/{unknown}/url", {"project_id": "{stranger}"}, 404),
        ("POST", "runs/{unknown}/share", {"session_id": "{project}"}, 404),
        ("POST", "traces/query", {}, 400),
        ("GET", "traces/{unknown}/runs", {"project_id": "{project}"}, 404),
        ("POST", "threads/query", {"project_id": "{stranger}"}, 404),
        ("POST", "threads/query", {"project_id": "{project}", "thread_filter": "gt(count, 1)"}, 400),
        ("POST", "threads/stats", {"project_id": "{project}"}, 400),
        ("POST", "threads/stats", {"project_id": "{project}", "select": ["TURNS"], "stride": {"unit": "DAY"}}, 400),
        ("GET", "threads/t/stats", {"session_id": "{project}", "selects": "TURNS"}, 404),
        ("GET", "threads/t/stats", {"session_id": "{project}"}, 400),
        ("GET", "public/{unknown}/run/{unknown}", {}, 404),
        ("GET", "no/such/route", {}, 404),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(
    ask: Ask, project: Project, method: str, path: str, params: dict[str, Any], status: int
) -> None:
    stranger = Project.objects.create(workspace=Workspace.objects.create(name="O"), name="x")
    words = {"{project}": project.id, "{stranger}": stranger.id, "{unknown}": uuid4()}
    text = json.dumps([path, params])
    for word, id_ in words.items():
        text = text.replace(word, str(id_))
    path, params = json.loads(text)
    assert ask(method, path, **params).status_code == status


def test_a_client_that_wants_a_stream_is_told_that_there_is_none(
    client: Client, make_api_key: Callable[..., str]
) -> None:
    headers = {"X-API-Key": make_api_key("read"), "Accept": "text/event-stream"}
    answer = client.post("/api/v2/runs/query", "{}", "application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_streamed")


def test_the_address_of_a_page_is_told_before_the_run_is_stored(ask: Ask, project: Project) -> None:
    run_id, trace_id = uuid4(), uuid4()
    answer = ask("GET", f"runs/{run_id}/url", project_id=str(project.id), trace_id=str(trace_id))
    path = f"/o/{project.workspace_id}/projects/p/{project.id}/r/{run_id}?trace_id={trace_id}"
    assert answer.json()["url"].endswith(path)


def test_a_trace_is_shared_as_a_whole_and_unshared_as_often_as_one_likes(
    ask: Ask, client: Client, project: Project, trace: list[RunOperation]
) -> None:
    root, tool, model = trace
    body = {"session_id": str(project.id)}
    token = ask("POST", f"runs/{tool.id}/share", **body, trace_id=str(root.id)).json()
    assert ask("POST", f"runs/{root.id}/share", **body).json() == token
    path = f"/api/v2/public/{token['share_token']}"
    found = client.post(f"{path}/runs/query", "{}", "application/json")
    assert ids(found) == named(root, tool, model)
    for _ in range(2):
        assert ask("DELETE", f"runs/{root.id}/share", **body).status_code == 204
    assert client.post(f"{path}/runs/query", "{}", "application/json").status_code == 404


def test_a_share_hides_what_lies_above_the_run(
    client: Client, project: Project, trace: list[RunOperation]
) -> None:
    root, tool, model = trace
    token = share_run([project.id], tool.id).token
    path = f"/api/v2/public/{token}/run"
    selects = [
        "TRACE_ID",
        "PARENT_RUN_IDS",
        "PARENT_RUN_ID",
        "DOTTED_ORDER",
        "IS_ROOT",
        "SHARE_URL",
    ]
    run = client.get(f"{path}/{tool.id}", {"selects": selects}).json()
    assert (run["trace_id"], run["parent_run_ids"], run["is_root"]) == (str(tool.id), [], True)
    assert run["share_url"].endswith(f"/public/{token}/r")
    assert str(root.id) not in json.dumps(run)
    below = client.get(f"{path}/{model.id}", {"selects": selects}).json()
    assert below["parent_run_ids"] == [str(tool.id)]
    assert client.get(f"{path}/{root.id}").status_code == 404


def test_traces_are_listed_by_their_roots_with_what_all_their_runs_took(
    ask: Ask, project: Project, trace: list[RunOperation]
) -> None:
    query = {"project_id": str(project.id)}
    root = {"root_run": {"id": str(trace[0].id)}}
    assert ask("POST", "traces/query", **query).json()["items"] == [root]
    selects = ["NAME", "TOTAL_TOKENS", "TOTAL_COST", "FIRST_TOKEN_TIME"]
    (found,) = ask("POST", "traces/query", **query, selects=selects).json()["items"]
    assert found["root_run"] == {"id": str(trace[0].id), "name": "agent"}
    assert found["trace_aggregates"] == {
        "total_tokens": 15,
        "total_cost": 3e-7,
        "first_token_time": None,
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"trace_filter": 'has(tags, "a")'}, 1),
        ({"trace_filter": 'eq(name, "search")'}, 0),
        ({"tree_filter": 'eq(name, "search")'}, 1),
        ({"trace_ids": [str(UUID(int=1))]}, 0),
    ],
    ids=str,
)
def test_traces_are_narrowed_by_their_root_and_by_any_run(
    ask: Ask, project: Project, trace: list[RunOperation], query: dict[str, Any], count: int
) -> None:
    answer = ask("POST", "traces/query", project_id=str(project.id), **query)
    assert len(answer.json()["items"]) == count


def test_the_runs_of_a_trace_come_oldest_first_however_old_they_are(
    ask: Ask, project: Project, start: datetime
) -> None:
    root = make_run(start_time=start - timedelta(days=9))
    runs = [root, make_run(root, after_seconds=1), make_run(root, after_seconds=2, error="Boom")]
    store_runs(project.id, *runs)
    path, params = f"traces/{root.id}/runs", {"project_id": str(project.id)}
    assert ids(ask("GET", path, **params)) == named(*runs)
    assert ids(ask("GET", path, **params, filter="neq(error, null)")) == named(runs[2])


@pytest.fixture
def turns(project: Project, start: datetime) -> list[RunOperation]:
    """Return three stored turns of the thread `a/b`, one a minute; the second failed."""
    made = [
        make_run(
            start_time=start + timedelta(minutes=minute),
            end_time=start + timedelta(minutes=minute, seconds=minute),
            extra=b'{"metadata": {"thread_id": "a/b"}}',
            inputs=json.dumps({"q": f"in {minute}"}).encode(),
            outputs=json.dumps({"a": f"out {minute}"}).encode(),
            error="Boom" if minute == 1 else None,
        )
        for minute in range(3)
    ]
    model = make_run(made[0], run_type="llm", outputs=USAGE)
    store_runs(project.id, *made, model)
    return made


def test_threads_are_listed_with_their_figures(
    ask: Ask, project: Project, turns: list[RunOperation]
) -> None:
    (thread,) = ask("POST", "threads/query", project_id=str(project.id)).json()["items"]
    assert {key: thread[key] for key in ("thread_id", "count", "num_errored_turns")} == {
        "thread_id": "a/b",
        "count": 3,
        "num_errored_turns": 1,
    }
    assert (thread["first_inputs"], thread["last_outputs"]) == ("in 0", "out 2")
    assert (thread["last_error"], thread["total_tokens"]) == ("Boom", 15)
    assert [thread["first_trace_id"], thread["last_trace_id"]] == named(turns[0], turns[2])


def test_threads_are_paged(ask: Ask, project: Project, start: datetime) -> None:
    for number in range(3):
        extra = json.dumps({"metadata": {"thread_id": f"t{number}"}}).encode()
        root = make_run(start_time=start + timedelta(minutes=number), extra=extra)
        store_runs(project.id, root)
    found, cursor = [], None
    for _ in range(3):
        query = {"project_id": str(project.id), "page_size": 1, "cursor": cursor}
        page = ask("POST", "threads/query", **query).json()
        found += [thread["thread_id"] for thread in page["items"]]
        cursor = page["next_cursor"]
    assert (found, cursor) == (["t2", "t1", "t0"], None)


def test_the_traces_of_a_thread_are_numbered_from_its_first(
    ask: Ask, project: Project, turns: list[RunOperation]
) -> None:
    params = {"project_id": str(project.id), "selects": ["TURN_NUMBER", "LATENCY", "INPUTS"]}
    page = ask("GET", "threads/a/b/traces", **params, page_size=2).json()
    assert page["items"] == [
        {"trace_id": str(turn.id), "turn_number": number + 1, "latency": number, "inputs": {"q": f"in {number}"}}
        for number, turn in enumerate(turns[:2])
    ]  # fmt: skip
    rest = ask("GET", "threads/a/b/traces", **params, cursor=page["next_cursor"]).json()
    assert [item["turn_number"] for item in rest["items"]] == [3]
    failed = ask("GET", "threads/a/b/traces", **params, filter="neq(error, null)").json()
    assert [item["turn_number"] for item in failed["items"]] == [2]


def test_a_threads_figures_are_those_that_are_selected(
    ask: Ask, project: Project, turns: list[RunOperation], start: datetime
) -> None:
    selects = ["TURNS", "LATENCY_P50", "TOTAL_TOKENS", "TOTAL_COST", "FIRST_START_TIME"]
    answer = ask("GET", "threads/a/b/stats", session_id=str(project.id), selects=selects)
    assert answer.json() == {
        "turns": 3,
        "latency_p50_seconds": 1.0,
        "total_tokens": 15,
        "total_cost": 3e-7,
        "first_start_time": start.isoformat(timespec="microseconds"),
    }


def test_figures_over_all_threads(
    ask: Ask, project: Project, turns: list[RunOperation], trace: list[RunOperation]
) -> None:
    select = ["THREAD_COUNT", "TRACE_COUNT", "ERROR_RATE", "COMPLETION_TOKENS"]
    answer = ask("POST", "threads/stats", project_id=str(project.id), select=select)
    assert answer.json() == {
        "thread_count": 2,
        "trace_count": 4,
        "error_rate": 0.25,
        "completion_tokens": 10,
    }


def test_v2_answers_below_the_endpoint_of_v1_too(
    client: Client, make_api_key: Callable[..., str], project: Project
) -> None:
    body = json.dumps({"project_ids": [str(project.id)]})
    headers = {"X-API-Key": make_api_key("read")}
    answer = client.post("/v1/api/v2/runs/query", body, "application/json", headers=headers)
    assert ids(answer) == []
