"""GET /runs/{id}: the Run object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client

from collector.models import Project, Workspace
from collector.query.tree import Compare
from collector.reads.runs import list_runs
from collector.reads.types import RunFilter
from collector.sharing import share_run
from tests.factories import START, make_run, store_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(client: Client, make_api_key: Callable[..., str]) -> Callable[..., Any]:
    key = make_api_key("read")

    def get(run_id: UUID | str, **params: str) -> Any:
        return client.get(f"/runs/{run_id}", params, headers={"X-API-Key": key})

    return get


def test_a_run_object_has_every_field_in_langsmiths_words(
    read: Callable[..., Any], project: Project
) -> None:
    example_id = uuid4()
    root = make_run()
    run = make_run(
        root,
        name="model",
        run_type="llm",
        after_seconds=1,
        tags=["a"],
        inputs=b'{"messages": []}',
        outputs=b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15,'
        b' "input_token_details": {"cache_read": 4}}}',
        events=b'[{"name": "new_token", "time": "2026-11-24T12:00:01.500000+00:00"}]',
        extra=b'{"metadata": {"thread_id": "t"}, "x": 1}',
        serialized=b'{"id": ["m"]}',
        reference_example_id=example_id,
    )
    store_runs(project.id, root, run)
    assert read(run.id).json() == {
        "id": str(run.id),
        "name": "model",
        "run_type": "llm",
        "trace_id": str(root.id),
        "dotted_order": run.dotted_order,
        "status": "success",
        "session_id": str(project.id),
        "app_path": f"/p/{project.id}/traces/{root.id}?run={run.id}",
        "start_time": "2026-11-24T12:00:01.123456+00:00",
        "end_time": "2026-11-24T12:00:02.123456+00:00",
        "first_token_time": "2026-11-24T12:00:01.500000+00:00",
        "error": None,
        "inputs": {"messages": []},
        "outputs": {
            "usage_metadata": {
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 15,
                "input_token_details": {"cache_read": 4},
            }
        },
        "inputs_preview": "",
        "outputs_preview": read(run.id).json()["outputs_preview"],
        "extra": {"metadata": {"thread_id": "t"}, "x": 1},
        "events": [{"name": "new_token", "time": "2026-11-24T12:00:01.500000+00:00"}],
        "serialized": {"id": ["m"]},
        "tags": ["a"],
        "parent_run_id": str(root.id),
        "parent_run_ids": [str(root.id)],
        "child_run_ids": [],
        "direct_child_run_ids": [],
        "execution_order": 1,
        "reference_example_id": str(example_id),
        "reference_dataset_id": None,
        "in_dataset": False,
        "total_tokens": 15,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_token_details": {"cache_read": 4},
        "completion_token_details": None,
        "total_cost": None,
        "prompt_cost": None,
        "completion_cost": None,
        "prompt_cost_details": None,
        "completion_cost_details": None,
        "price_model_id": None,
        "feedback_stats": {},
        "s3_urls": None,
        "inputs_s3_urls": None,
        "outputs_s3_urls": None,
        "manifest_id": None,
        "manifest_s3_id": None,
        "messages": None,
        "last_queued_at": None,
        "trace_tier": None,
        "ttl_seconds": None,
        "trace_upgrade": None,
        "share_token": None,
        "thread_id": "t",
    }


def test_a_run_of_which_little_is_known_has_every_field_too(
    read: Callable[..., Any], project: Project
) -> None:
    run = make_run(name=None, run_type=None, end_time=None)
    store_runs(project.id, run)
    found = read(run.id).json()
    assert (found["name"], found["run_type"], found["status"]) == ("", "chain", "pending")
    assert (found["inputs"], found["outputs"], found["extra"], found["events"]) == (
        {},
        None,
        {},
        [],
    )
    assert (found["total_tokens"], found["end_time"], found["tags"]) == (0, None, [])
    assert "attachments" not in found


def test_a_root_has_the_totals_of_its_trace(read: Callable[..., Any], project: Project) -> None:
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    root = make_run(outputs=usage)  # a copy of the model's: it must not be counted again
    store_runs(project.id, root, *(make_run(root, run_type="llm", outputs=usage) for _ in range(2)))
    found = read(root.id).json()
    assert (found["total_tokens"], found["prompt_tokens"], found["completion_tokens"]) == (
        30,
        20,
        10,
    )


def test_costs_are_text_with_all_their_digits(read: Callable[..., Any], project: Project) -> None:
    root = make_run()
    run = make_run(root, run_type="llm")
    store_runs(project.id, root, run)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE run SET total_cost = 1e-7, prompt_cost = 0.000001, completion_cost = 12"
        )
    found = read(run.id).json()
    assert (found["total_cost"], found["prompt_cost"], found["completion_cost"]) == (
        "0.0000001",
        "0.000001",
        "12",
    )


def test_a_run_between_has_the_totals_of_what_lies_below_it(
    read: Callable[..., Any], project: Project
) -> None:
    usage = b'{"usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}'
    root = make_run()
    step = make_run(root, outputs=usage)  # a copy again
    store_runs(project.id, root, step, make_run(step, run_type="llm", outputs=usage))
    found = read(step.id).json()
    assert (found["total_tokens"], found["prompt_tokens"], found["completion_tokens"]) == (
        15,
        10,
        5,
    )


def test_costs_that_a_client_names_come_back_with_their_details_digit_by_digit(
    read: Callable[..., Any], project: Project
) -> None:
    run = make_run(
        run_type="llm",
        outputs=b'{"usage_metadata": {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3,'
        b' "input_cost": 0.0000012, "output_cost": 1e-7, "total_cost": 0.0000013,'
        b' "input_cost_details": {"cache_read": 0.0000002, "their_own": 1e-6}}}',
    )
    store_runs(project.id, run)
    found = read(run.id).json()
    assert (found["prompt_cost"], found["completion_cost"], found["total_cost"]) == (
        "0.0000012",
        "0.0000001",
        "0.0000013",
    )
    assert found["prompt_cost_details"] == {"cache_read": "0.0000002", "their_own": "0.000001"}


def test_a_shared_run_has_its_token(read: Callable[..., Any], project: Project) -> None:
    run = make_run()
    store_runs(project.id, run)
    shared = share_run([project.id], run.id)
    assert read(run.id).json()["share_token"] == str(shared.token)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b'{"n": 1180591620717411303424}', b'{"n": 1180591620717411303424}'),
        (b'{"n":NaN,"i":[-Infinity,1e999]}', b'{"n": null, "i": [null, null]}'),
        (b'{"s":"\\ud800"}', b'{"s": "\\ud800"}'),
        (b'[1,"a"]', b'{"input":[1,"a"]}'),
        (b'"hello"', b'{"input":"hello"}'),
        (b"null", b"{}"),
        (b"not json <script>", b'{"input":"not json <script>"}'),
        (b'{"deep":' + b"[" * 1_500 + b"]" * 1_500 + b"}", None),
    ],
    ids=["2^70", "NaN", "surrogate", "array", "string", "null", "text", "deep"],
)
def test_any_stored_payload_makes_a_readable_answer(
    read: Callable[..., Any], project: Project, stored: bytes, shown: bytes | None
) -> None:
    run = make_run(inputs=stored)
    store_runs(project.id, run)
    response = read(run.id)
    assert isinstance(response.json()["inputs"], dict)
    if shown is not None:
        assert b'"inputs":' + shown + b',"outputs"' in response.content


def test_events_that_are_no_objects_are_left_out(
    read: Callable[..., Any], project: Project
) -> None:
    run = make_run(events=b'[{"name": "start"}, 5, null]')
    store_runs(project.id, run)
    assert read(run.id).json()["events"] == [{"name": "start"}]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "interrupted"}, "success"),
        ({"status": "interrupted", "error": "GraphInterrupt()"}, "error"),
        ({"status": "cancelled", "end_time": None}, "error"),
        ({"status": "incomplete", "end_time": None}, "pending"),
        ({"end_time": None}, "pending"),
        ({"error": "Boom", "end_time": None}, "error"),
    ],
    ids=str,
)
def test_a_status_is_one_of_langsmiths_three_and_is_found_by_it(
    read: Callable[..., Any], project: Project, fields: dict[str, Any], status: str
) -> None:
    run = make_run(**fields)
    store_runs(project.id, run)
    assert read(run.id).json()["status"] == status
    filter_ = RunFilter(expression=Compare("status", "eq", status))
    found = list_runs([project.id], filter_)
    assert [item.id for item in found.items] == [run.id]


def test_a_run_is_found_by_its_id_in_any_writing(
    read: Callable[..., Any], project: Project
) -> None:
    run = make_run()
    store_runs(project.id, run)
    for text in (str(run.id), run.id.hex, str(run.id).upper()):
        assert read(text).json()["id"] == str(run.id)


def test_hints_may_be_wrong_and_a_session_narrows(
    read: Callable[..., Any], project: Project
) -> None:
    run = make_run()
    store_runs(project.id, run)
    late = (START + timedelta(days=9)).isoformat()
    assert read(run.id, start_time=late).status_code == 200
    assert read(run.id, session_id=str(project.id)).status_code == 200
    assert read(run.id, session_id=str(uuid4())).status_code == 404


@pytest.mark.parametrize("text", ["x", "0" * 31, "0" * 33, "%00", "..%2f..", "é"])
def test_what_is_no_id_is_not_found_in_json(read: Callable[..., Any], text: str) -> None:
    response = read(text)
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")


def test_an_unknown_run_is_not_found(read: Callable[..., Any], project: Project) -> None:
    response = read(uuid4())
    assert response.status_code == 404
    assert "detail" in response.json()


def test_a_strangers_run_is_not_found(read: Callable[..., Any], project: Project) -> None:
    foreign = Project.objects.create(workspace=Workspace.objects.create(name="Other"), name="x")
    run = make_run()
    store_runs(foreign.id, run)
    assert read(run.id).status_code == 404
    assert read(run.id, session_id=str(foreign.id)).status_code == 404


def test_a_child_in_another_project_than_its_parents_stands_below_them(
    read: Callable[..., Any], project: Project
) -> None:
    other = Project.objects.create(workspace=project.workspace, name="service")
    root = make_run()
    step = make_run(root)
    far = make_run(step)
    deep = make_run(far)
    store_runs(project.id, root, step)
    store_runs(other.id, far, deep)
    found = read(deep.id).json()
    assert found["parent_run_ids"] == [str(run.id) for run in (root, step, far)]
    assert found["dotted_order"].startswith(read(step.id).json()["dotted_order"] + ".")


def test_parents_in_a_project_that_the_key_may_not_see_are_not_told(
    read: Callable[..., Any], project: Project
) -> None:
    foreign = Project.objects.create(workspace=Workspace.objects.create(name="Other"), name="x")
    root = make_run()
    child = make_run(root)
    store_runs(foreign.id, root)
    store_runs(project.id, child)
    assert read(child.id).json()["parent_run_ids"] == []
