"""Node scripts that read and judge what was traced, with the client of npm's `langsmith`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from benchmarks.server import Server
from tests.contract.compatibility import covers
from tests.contract.node import NEWEST, SDKS, needs_node, run_script
from tests.contract.support import Account, new_project, read_runs, wait_for

pytestmark = [
    pytest.mark.live,
    needs_node,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CLIENT = "langsmith (JS)"
ALL = [
    "abandoned stream",
    "add",
    "agent",
    "broken stream",
    "fail",
    "look up",
    "model",
    "tokens",
    "words",
]
FAILED = ["abandoned stream", "broken stream", "fail"]

# Filters of LangSmith's documentation, and what each finds in the trace of traceable.mjs
FILTERS = {
    'eq(name, "agent")': ["agent"],
    'neq(error, null)': FAILED,
    'eq(is_root, true)': ["agent"],
    'has(tags, "beta")': ["agent"],
    'and(eq(run_type, "llm"), gt(total_tokens, 5))': ["model"],
    'and(eq(metadata_key, "ls_provider"), eq(metadata_value, "openai"))': ["model"],
    'eq(thread_id, "t-1")': ALL,  # what is called inherits its caller's metadata
    'search(name, "stream")': ["abandoned stream", "broken stream"],
    'in(name, ["add", "words"])': ["add", "words"],
    'gte(latency, "1h")': [],
}  # fmt: skip


class Stored(NamedTuple):
    """A trace of traceable.mjs, in a project of its own."""

    project: str
    trace_id: str
    run: Callable[..., dict[str, Any]]  # a script on it: name, release


@pytest.fixture(scope="module")
def stored(account: Account) -> Stored:
    project = new_project("js client")
    trace_id = run_script(account, "traceable", NEWEST, project=project)["trace"]
    read_runs(account.client, project, len(ALL))

    def run(script: str, sdk: str = NEWEST, *arguments: str) -> dict[str, Any]:
        return run_script(account, script, sdk, *(arguments or (trace_id,)), project=project)

    return Stored(project, trace_id, run)


def each_sdk(what: str, argument: str = "sdk", **options: Any) -> pytest.MarkDecorator:
    """Run a test with every release line, as proof of one row for each."""
    rows = [
        pytest.param(sdk, marks=covers(client=CLIENT, version=version, what=what))
        for sdk, version in SDKS.items()
    ]
    return pytest.mark.parametrize(argument, rows, **options)


def newest_covers(what: str) -> pytest.MarkDecorator:
    return covers(client=CLIENT, version=SDKS[NEWEST], what=what)


@pytest.fixture(scope="module")
def read(stored: Stored, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what reads.mjs read."""
    return stored.run("reads", request.param)


def each_read(what: str) -> pytest.MarkDecorator:
    return each_sdk(what, "read", indirect=True, scope="module")


@each_read("`readRun`")
def test_a_run_is_read_with_its_tree(stored: Stored, read: dict[str, Any]) -> None:
    run = read["run"]
    assert (run["id"], run["name"], run["status"]) == (stored.trace_id, "agent", "success")
    assert run["inputs"] == {"input": "where is my kettle? 返金 🫖"}
    assert run["tags"] == ["prod", "beta"]

    def names(tree: dict[str, Any]) -> Any:
        return {tree["name"]: [names(child) for child in tree["children"]]}

    (children,) = names(read["tree"]).values()
    assert {"look up": [{"model": []}]} in children
    assert len(children) == 7


@each_read("`readRun`")
def test_a_run_that_is_not_there_is_not_found(read: dict[str, Any]) -> None:
    assert "404" in read["missing_run"]


@each_read("`listRuns`")
def test_runs_are_listed_and_narrowed(read: dict[str, Any]) -> None:
    assert (read["all"], read["of_trace"]) == (ALL, ALL)
    assert (read["roots"], read["by_id"], read["of_failing_traces"]) == (["agent"],) * 3
    assert read["children"] == sorted(set(ALL) - {"agent", "model"})
    assert (read["failed"], read["llms"]) == (FAILED, ["model", "tokens"])
    assert len(read["two"]) == 2


@each_read("`listRuns`")
def test_only_what_is_selected_is_sent(read: dict[str, Any]) -> None:
    assert read["selected"]["tags"] == ["prod", "beta"]
    assert "outputs" not in read["selected"]


@each_read("`readProject`, `hasProject`, `listProjects`")
def test_projects_are_found_by_name_and_id(stored: Stored, read: dict[str, Any]) -> None:
    assert (read["project"]["name"], read["project_by_id"]) == (stored.project, stored.project)
    assert read["run"]["session_id"] == read["project"]["id"]
    assert (read["has_project"], read["projects"]) == ([True, False], [stored.project])


@each_read("`getRunUrl`, `getProjectUrl`")
def test_links_name_the_run_and_the_project(read: dict[str, Any]) -> None:
    project = read["project"]
    assert read["run_url"].endswith(read["run"]["app_path"])
    assert read["project_url"].endswith(f"/o/{project['tenant_id']}/projects/p/{project['id']}")


@each_sdk("`listRuns`: filters")
def test_documented_filters_find_what_they_say(stored: Stored, sdk: str) -> None:
    read = stored.run("filters", sdk, json.dumps(list(FILTERS)))
    assert read["found"] == FILTERS
    if sdk != "langsmith-0.1":  # it takes a refusal for an empty page
        assert "400" in read["refused"]


@newest_covers("`getRunStats`, `readProject({ includeStats })`")
def test_statistics_count_runs_tokens_and_errors(stored: Stored) -> None:
    read = stored.run("run_stats")
    runs, roots, project = read["runs"], read["roots"], read["project"]
    assert (runs["run_count"], roots["run_count"], project["run_count"]) == (9, 1, 9)
    assert (runs["total_tokens"], roots["total_tokens"], project["total_tokens"]) == (7, 7, 7)
    assert runs["error_rate"] == pytest.approx(3 / 9)
    assert 0 < roots["latency_p50"] == roots["latency_p99"] < 10


@pytest.fixture(scope="module")
def judged(account: Account, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what feedback.mjs saw, on a trace of its own."""
    project = new_project("js feedback")
    sdk = request.param
    run_id = run_script(account, "run_tree", sdk, project=project)["trace"]
    wait_for(lambda: account.client.read_run(run_id), lambda run: run.end_time is not None)
    return run_script(account, "feedback", sdk, run_id, project=project) | {"run_id": run_id}


def each_judge(what: str) -> pytest.MarkDecorator:
    return each_sdk(what, "judged", indirect=True, scope="module")


@each_judge("`createFeedback`, `readFeedback`, `listFeedback`")
def test_feedback_is_listed_as_it_was_given(judged: dict[str, Any]) -> None:
    found = {feedback["key"]: feedback for feedback in judged["listed"]}
    assert {key: feedback["id"] for key, feedback in found.items()} == judged["ids"]
    helpful, category = found["helpful"], found["category"]
    assert (helpful["run_id"], helpful["score"]) == (judged["run_id"], 0.75)
    assert helpful["comment"] == "Found it."
    assert helpful["feedback_source"]["type"] == "api"
    assert helpful["feedback_source"]["metadata"]["judge"] == "a person"
    assert (category["value"], category["correction"]) == ("kettles", {"category": "stoves"})
    assert category["score"] is None
    assert judged["by_key"] == [judged["ids"]["category"]]


@each_judge("`createFeedback`, `readFeedback`, `listFeedback`")
def test_a_run_sums_its_feedback_up(judged: dict[str, Any]) -> None:
    stats = judged["feedback_stats"]
    assert (stats["helpful"]["n"], stats["helpful"]["avg"]) == (1, 0.75)
    assert (stats["category"]["n"], stats["category"]["values"]) == (1, {"kettles": 1})


@each_judge("`updateFeedback`, `deleteFeedback`")
def test_feedback_is_changed_and_deleted(judged: dict[str, Any]) -> None:
    updated = judged["updated"]
    assert (updated["score"], updated["comment"]) == (0.25, "On second thought, no.")
    assert updated["feedback_source"]["metadata"]["judge"] == "a person"  # what was not named stays
    assert judged["remaining"] == ["category", "helpful"]


@newest_covers("feedback sent along with runs")
def test_feedback_may_travel_with_the_runs(account: Account) -> None:
    project = new_project("js feedback, batched")
    printed = run_script(account, "feedback_batched", NEWEST, project=project)
    sent = [request["path"] for request in printed["requests"] if request["method"] == "POST"]
    assert set(sent) == {"/api/v1/runs/multipart"}
    found = wait_for(lambda: list(account.client.list_feedback(run_ids=[printed["run"]])), bool)
    assert [(str(each.id), each.key, each.comment) for each in found] == [
        (printed["feedback"], "helpful", "5/5")
    ]
    assert found[0].score == 1


@newest_covers("`createPresignedFeedbackToken`")
def test_a_browser_gives_feedback_without_a_key(stored: Stored) -> None:
    read = stored.run("feedback_token")
    assert read["listed"] == [read["token"]["id"]]
    assert read["status"] < 300
    feedback = read["feedback"]
    assert (feedback["run_id"], feedback["key"]) == (stored.trace_id, "thumb")
    assert (feedback["score"], feedback["comment"]) == (1, "nice")


@each_sdk("`createProject`, `updateProject`, `deleteProject`")
def test_a_project_is_made_changed_and_deleted(account: Account, runwood: Server, sdk: str) -> None:
    name = new_project("js project")
    admin = replace(account, api_key=runwood.api_key("admin"))  # to delete takes an admin's key
    read = run_script(admin, "projects", sdk, project=name)
    created, updated = read["created"], read["updated"]
    assert (created["name"], created["description"]) == (name, "tea")
    assert created["extra"]["metadata"] == {"team": "kettles"}
    assert "409" in read["again"]
    assert read["upserted"]["id"] == created["id"]
    assert (updated["description"], updated["extra"]["metadata"]) == ("coffee", {"team": "pots"})
    assert read["read"]["description"] == "coffee"
    assert read["is_gone"]


@each_sdk("`shareRun`, `unshareRun`")
def test_a_run_is_shared_until_it_is_not(stored: Stored, sdk: str) -> None:
    read = stored.run("sharing", sdk)
    assert (read["before"], read["after"]) == (None, None)
    assert read["shared"] == read["link"]
    assert (read["run"]["id"], read["run"]["name"]) == (stored.trace_id, "agent")
    assert read["closed"] == 404


@newest_covers("v2: `client.runs`, `client.traces`")
def test_the_second_api_reads_the_same(stored: Stored) -> None:
    read = stored.run("v2")
    run = read["run"]
    assert (run["id"], run["name"]) == (stored.trace_id, "agent")
    assert (run["run_type"], run["status"]) == ("CHAIN", "SUCCESS")
    assert run["inputs"] == {"input": "where is my kettle? 返金 🫖"}
    assert run["metadata"]["thread_id"] == "t-1"
    assert (read["all"], read["paged"], read["of_trace"]) == (ALL, ALL, ALL)
    assert (read["roots"], read["failed"]) == (["agent"], FAILED)
    assert sorted(read["filtered"]) == ["fail", "look up"]
