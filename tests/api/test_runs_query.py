"""POST /runs/query: what is asked for, what is given, and what is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from collector.api import run_parts
from collector.api import runs as api
from collector.models import Project, Workspace
from collector.reads import runs as reads
from collector.reads import scan
from collector.wire.operations import Batch, RunOperation
from tests.factories import SECOND, START, make_feedback, make_run, store, store_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    """Return a function that posts a query and returns the response."""
    key = make_api_key("read")

    def post(**body: Any) -> Any:
        return client.post(
            "/runs/query", json.dumps(body), "application/json", headers={"X-API-Key": key}
        )

    return post


@pytest.fixture
def family(project: Project) -> list[RunOperation]:
    root = make_run(name="root", tags=["prod"], inputs=b'{"q": 1}')
    model = make_run(root, name="model", run_type="llm", after_seconds=1)
    tool = make_run(root, name="tool", run_type="tool", after_seconds=2, error="Boom\ntrace")
    other = make_run(name="other", start_time=START - SECOND, end_time=None)
    store_runs(project.id, root, model, tool, other)
    return [root, model, tool, other]


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [run["name"] for run in response.json()["runs"]]


def test_a_projects_runs_come_newest_first(
    ask: Callable[..., Any], project: Project, family: list[RunOperation]
) -> None:
    response = ask(session=[str(project.id)])
    assert names(response) == ["tool", "model", "root", "other"]
    assert response.json()["cursors"]["next"] is None


def test_the_client_that_resends_its_body_with_the_cursor_gets_all_runs_once(
    ask: Callable[..., Any], project: Project, family: list[RunOperation]
) -> None:
    for order, expected in (
        ("desc", ["tool", "model", "root", "other"]),
        ("asc", ["other", "root", "model", "tool"]),
    ):
        found: list[str] = []
        cursor = None
        while True:
            response = ask(session=[str(project.id)], limit=1, order=order, cursor=cursor)
            found += names(response)
            cursor = response.json()["cursors"]["next"]
            if cursor is None:
                break
        assert found == expected


def test_all_keys_may_be_null(
    ask: Callable[..., Any], project: Project, family: list[RunOperation]
) -> None:
    nulls = dict.fromkeys(
        ("id", "trace", "parent_run", "run_type", "reference_example", "execution_order", "is_root",
         "start_time", "end_time", "error", "query", "filter", "trace_filter", "tree_filter",
         "data_source_type", "select", "order", "limit", "cursor", "skip_pagination", "unknown")
    )  # fmt: skip
    assert len(names(ask(session=[str(project.id)], **nulls))) == 4


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"is_root": True}, ["root", "other"]),
        ({"is_root": 1}, ["root", "other"]),
        ({"is_root": "True"}, ["root", "other"]),
        ({"execution_order": 1}, ["root", "other"]),
        ({"is_root": False}, ["tool", "model"]),
        ({"run_type": "llm"}, ["model"]),
        ({"run_type": ["llm"]}, ["model"]),
        ({"error": True}, ["tool"]),
        ({"error": False}, ["model", "root", "other"]),
        ({"start_time": START.isoformat()}, ["tool", "model", "root"]),
        ({"start_time": "2026-11-24T12:00:01"}, ["tool", "model"]),
        ({"end_time": START.isoformat()}, ["root", "other"]),
        ({"filter": "eq(is_root, true)"}, ["root", "other"]),
        ({"filter": 'neq(status, "pending")'}, ["tool", "model", "root"]),
        ({"filter": 'and(eq(is_root, true), eq(status, "success"))'}, ["root"]),
        ({"filter": "has(tags, 'prod')"}, ["root"]),
        ({"trace_filter": 'has(tags, "prod")'}, ["tool", "model", "root"]),
        ({"tree_filter": 'eq(status, "error")', "is_root": True}, ["root"]),
        ({"is_root": True, "filter": "eq(is_root, false)"}, []),
        ({"limit": 2}, ["tool", "model"]),
        ({"limit": 1_000_000}, ["tool", "model", "root", "other"]),
        ({"limit": 0}, ["tool"]),
    ],
    ids=str,
)
def test_a_query_narrows(
    ask: Callable[..., Any],
    project: Project,
    family: list[RunOperation],
    body: dict[str, Any],
    expected: list[str],
) -> None:
    assert names(ask(session=[str(project.id)], **body)) == expected


def test_runs_are_found_by_id_trace_and_parent_without_a_session(
    ask: Callable[..., Any], family: list[RunOperation]
) -> None:
    root, model, _tool, other = family
    assert names(ask(id=[str(model.id), other.id.hex, str(uuid4())])) == ["model", "other"]
    assert names(ask(trace=str(root.id))) == ["tool", "model", "root"]
    assert names(ask(trace=str(root.id), is_root=False)) == ["tool", "model"]
    assert names(ask(parent_run=str(root.id))) == ["tool", "model"]


def test_a_strangers_runs_are_not_found_by_any_way(
    ask: Callable[..., Any], project: Project
) -> None:
    foreign = Project.objects.create(workspace=Workspace.objects.create(name="Other"), name="x")
    run = make_run(tags=["x"])
    store_runs(foreign.id, run, make_run(run))
    for body in (
        {"session": [str(foreign.id)]},
        {"session": [str(foreign.id), str(project.id)]},
        {"id": [str(run.id)]},
        {"trace": str(run.id)},
        {"parent_run": str(run.id)},
        {"session": [str(project.id)], "tree_filter": 'has(tags, "x")'},
    ):
        assert names(ask(**body)) == []


def test_only_what_is_selected_comes_and_what_the_sdk_needs(
    ask: Callable[..., Any], project: Project, family: list[RunOperation]
) -> None:
    response = ask(
        session=[str(project.id)], select=["inputs", "tags", "nonsense"], limit=1, is_root=True
    )
    (run,) = response.json()["runs"]
    assert set(run) == {
        "id", "name", "run_type", "trace_id", "dotted_order", "status", "session_id", "app_path",
        "start_time", "inputs", "tags",
    }  # fmt: skip


def test_payloads_are_not_read_unless_they_are_selected(
    ask: Callable[..., Any],
    project: Project,
    family: list[RunOperation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("a payload was read")

    monkeypatch.setattr("collector.reads.payloads.fetch_payloads_of_traces", fail)
    assert len(names(ask(session=[str(project.id)], select=["name", "total_tokens"]))) == 4


def test_the_whole_error_comes_although_the_list_keeps_its_first_line(
    ask: Callable[..., Any], project: Project, family: list[RunOperation]
) -> None:
    (run,) = ask(session=[str(project.id)], error=True, select=["error"]).json()["runs"]
    assert (run["error"], run["status"]) == ("Boom\ntrace", "error")


def test_a_page_of_large_payloads_ends_early_and_goes_on_where_it_ended(
    ask: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_parts, "MAX_PAGE_BYTES", 250)
    for number in range(5):
        text = json.dumps({"x": "x" * 100}).encode()
        store_runs(
            project.id,
            make_run(name=f"run {number}", start_time=START + number * SECOND, inputs=text),
        )
    pages, cursor = [], None
    while True:
        response = ask(session=[str(project.id)], cursor=cursor)
        pages.append(names(response))
        cursor = response.json()["cursors"]["next"]
        if cursor is None:
            break
    assert pages == [["run 4", "run 3"], ["run 2", "run 1"], ["run 0"]]


def pages_of(ask: Callable[..., Any], **body: Any) -> list[Any]:
    """Return the responses of all pages."""
    pages, cursor = [], None
    while True:
        pages.append(ask(**body, cursor=cursor))
        cursor = pages[-1].json()["cursors"]["next"]
        if cursor is None:
            return pages


@pytest.mark.parametrize("select", [None, ["name"], ["parent_run_ids"]], ids=str)
def test_a_page_of_deep_runs_ends_early_too(
    ask: Callable[..., Any],
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    select: list[str] | None,
) -> None:
    chain = [make_run(name="0")]
    for number in range(1, 400):
        chain.append(make_run(chain[-1], name=str(number), after_seconds=0.001))
    store_runs(project.id, *chain)
    monkeypatch.setattr(run_parts, "MAX_PAGE_BYTES", 100_000)
    pages = pages_of(ask, session=[str(project.id)], select=select)
    found = [int(name) for page in pages for name in names(page)]
    assert found == list(range(399, -1, -1))
    assert max(len(page.content) for page in pages) < 250_000


def test_a_page_that_ends_early_does_not_part_one_run_in_two_projects(
    ask: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Project.objects.create(workspace=project.workspace, name="other")
    run = make_run()
    for project_id in (project.id, other.id):
        store_runs(project_id, run, make_run(start_time=START - SECOND))
    monkeypatch.setattr(run_parts, "MAX_PAGE_BYTES", 1)
    pages = pages_of(ask, session=[str(project.id), str(other.id)])
    assert [len(names(page)) for page in pages] == [2, 1, 1]


def test_one_id_on_two_days_gives_each_day_its_own(
    ask: Callable[..., Any], project: Project
) -> None:
    """A client that lies about a run's trace can make two rows of it."""
    run_id = uuid4()
    for number in (1, 2):
        root = make_run(id=run_id, start_time=START + timedelta(days=number))
        root.inputs = b'{"day": %d}' % number
        store_runs(project.id, root, *(make_run(root) for _ in range(number)))
    runs = ask(session=[str(project.id)], is_root=True).json()["runs"]
    assert [run["inputs"] for run in runs] == [{"day": 2}, {"day": 1}]
    for run in runs:
        assert run["dotted_order"].startswith(run["start_time"][:10].replace("-", ""))


def test_feedback_is_summed_up_by_key(ask: Callable[..., Any], project: Project) -> None:
    run = make_run()
    scores = [make_feedback(run, "helpful", score) for score in (1.0, 0.0)]
    store(project.id, Batch(runs=[run], feedback=[*scores, make_feedback(run, "note", None)]))
    (found,) = ask(id=[str(run.id)]).json()["runs"]
    stats = found["feedback_stats"]
    assert (stats["helpful"]["n"], stats["helpful"]["avg"], stats["note"]["avg"]) == (2, 0.5, None)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "session"),
        ({"session": ["x"]}, "session"),
        ({"session": [{"a": 1}]}, "session"),
        ({"id": [str(uuid4())] * 1_001}, "id"),
        ({"trace": "1"}, "trace"),
        ({"trace": ["1", "2"]}, "trace"),
        ({"is_root": "perhaps"}, "is_root"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"start_time": 5}, "start_time"),
        ({"start_time": "0001-01-01T00:00:00+23:00"}, "start_time"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"select": "name"}, "select"),
        ({"run_type": {"a": 1}}, "run_type"),
        ({"query": "find me"}, "query"),
        ({"search_filter": "find me"}, "search_filter"),
        ({"reference_example": ["x"]}, "reference_example"),
        ({"filter": 'eq(is_root, true) and eq(run_type, "llm")'}, "and(a, b)"),
        ({"filter": 'eq(metadata.key, "v")'}, 'and(eq(metadata_key, "key"), eq(metadata_value'),
        ({"filter": 'eq(metadata["k"], "v")'}, 'and(eq(metadata_key, "k"), eq(metadata_value'),
        ({"filter": 'eq(naem, "x")'}, "did you mean name?"),
        ({"trace_filter": "search()"}, "trace_filter"),
        ({"tree_filter": "has(metadata, x)"}, "tree_filter"),
        ({"filter": "eq(name, " + "(" * 10_000}, "filter"),
        ({"filter": "x" * 20_000}, "16,384"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_answered_is_refused_by_name(
    ask: Callable[..., Any], project: Project, body: dict[str, Any], word: str
) -> None:
    scope = {} if not body else {"session": [str(project.id)]}
    response = ask(**{**scope, **body})
    assert response.status_code == 400
    assert word in response.json()["detail"]


def test_a_filter_that_is_none_is_answered_with_the_place_of_its_fault(
    ask: Callable[..., Any], project: Project
) -> None:
    response = ask(session=[str(project.id)], filter='and(eq(is_root, true), eq(naem, "x"))')
    assert response.status_code == 400
    assert response.json() == {
        "detail": "filter: there is no field 'naem'; did you mean name?, at character 27: "
        'and(eq(is_root, true), eq(▸naem, "x"))',
        "code": "invalid_filter",
        "position": 27,
    }


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b"\xff", b'{"session": NaN}', b"[" * 100_000], ids=repr
)
def test_a_body_that_is_no_json_object_is_refused(
    client: Client, make_api_key: Callable[..., str], content: bytes
) -> None:
    response = client.post(
        "/runs/query", content, "application/json", headers={"X-API-Key": make_api_key("read")}
    )
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")


def test_a_body_of_any_content_type_is_read_as_json(
    client: Client, make_api_key: Callable[..., str], project: Project
) -> None:
    body = json.dumps({"session": [str(project.id)]})
    for content_type in ("text/plain;charset=UTF-8", "application/octet-stream", "x"):
        response = client.post(
            "/runs/query", body, content_type, headers={"X-API-Key": make_api_key("read")}
        )
        assert response.json()["runs"] == []


def test_a_question_of_two_megabytes_is_refused(ask: Callable[..., Any]) -> None:
    assert ask(session=["x" * (2 << 20)]).status_code == 413


def test_a_query_that_finds_nothing_in_its_time_is_no_empty_page(
    ask: Callable[..., Any],
    project: Project,
    family: list[RunOperation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "FIRST_CHUNK_ROWS", 1)
    monkeypatch.setattr(api, "QUERY_SECONDS", 0)
    for module in (scan, reads):
        monkeypatch.setattr(module, "time_limit", lambda _: _NoLimit())
    response = ask(session=[str(project.id)], filter="gt(latency, 1000000)")
    assert (response.status_code, response.json()["code"]) == (400, "query_too_broad")


class _NoLimit:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def test_times_hold_their_microseconds(ask: Callable[..., Any], project: Project) -> None:
    run = make_run(end_time=START + timedelta(seconds=1, microseconds=-123456))
    store_runs(project.id, run)
    (found,) = ask(id=[str(run.id)], select=["end_time"]).json()["runs"]
    assert found["start_time"] == "2026-11-24T12:00:00.123456+00:00"
    assert found["end_time"] == "2026-11-24T12:00:01.000000+00:00"


def test_who_names_the_ids_below_a_run_gets_them(ask: Callable[..., Any], project: Project) -> None:
    root = make_run()
    first, second = make_run(root, after_seconds=1), make_run(root, after_seconds=2)
    below = make_run(first, after_seconds=1)
    store_runs(project.id, root, second, first, below)
    select = ["child_run_ids", "direct_child_run_ids"]
    (found,) = ask(id=[str(root.id)], select=select).json()["runs"]
    assert found["direct_child_run_ids"] == [str(first.id), str(second.id)]
    assert found["child_run_ids"] == [str(first.id), str(second.id), str(below.id)]
    (leaf,) = ask(id=[str(below.id)], select=select).json()["runs"]
    assert (leaf["child_run_ids"], leaf["direct_child_run_ids"]) == ([], [])
