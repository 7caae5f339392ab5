"""OTLP/HTTP: what the route takes and answers, and what is stored of spans that come in several exports."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import zstandard
from django.db import OperationalError, connection
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector import inbox
from collector.models import Project, Workspace
from collector.reads.runs import get_run
from collector.reads.types import RunDetail
from collector.storage.seal import follow_up_due_traces
from tests.api.ingesting import Sender, inbox_count, stored
from tests.unit.wire.otlp_support import (
    CHILD,
    GRANDCHILD,
    ROOT,
    SECOND,
    TRACE,
    span,
    to_json,
    to_protobuf,
)

pytestmark = pytest.mark.django_db

PATH = "/v1/traces"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE_ID = UUID(TRACE)
CHILD_ID, GRANDCHILD_ID = UUID(int=int(CHILD, 16)), UUID(int=int(GRANDCHILD, 16))
MIDNIGHT = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())


class Exporter(Sender):
    """Sends exports to `test-project`."""

    def export(self, *spans: dict[str, Any], project: str = "test-project") -> Any:
        return self.send(
            PATH, to_protobuf(*spans), content_type=PROTOBUF, Langsmith_Project=project
        )


@pytest.fixture
def exporter(client: Client, make_api_key: Callable[..., str]) -> Exporter:
    return Exporter(client, make_api_key("ingest"))


def partial_success(response: Any) -> tuple[int, str]:
    told = ExportTraceServiceResponse.FromString(response.content).partial_success
    return told.rejected_spans, told.error_message


def status_of(response: Any) -> Any:
    return response.status_code, response.json()


def run_at(project: Project, run_id: UUID) -> RunDetail:
    run = stored(project.id, run_id)
    assert run is not None
    return run


def make_due(table: str, column: str) -> None:
    """Let what waits for its time, in a table of such, be done now."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = now() - interval '1 hour'")


def settle(project: Project) -> None:
    """Let the workers do all that they would do within some seconds."""
    stored(project.id)
    make_due("inbox", "not_before")
    stored(project.id)
    make_due("follow_up", "due_at")
    follow_up_due_traces()


def from_to(start: int, end: int) -> dict[str, str]:
    """Return times in seconds from midnight."""
    return {
        "startTimeUnixNano": str((MIDNIGHT + start) * SECOND),
        "endTimeUnixNano": str((MIDNIGHT + end) * SECOND),
    }


# --- Requests and answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/otel", "/api/otel", "/api/v1/otel", "/v1/otel"])
def test_spans_are_taken_at_every_path_that_exporters_make(
    exporter: Exporter, project: Project, base: str
) -> None:
    response = exporter.send(
        f"{base}/v1/traces", to_protobuf(span()), content_type=PROTOBUF,
        Langsmith_Project="test-project",
    )  # fmt: skip
    assert (response.status_code, response.content) == (200, b"")
    assert run_at(project, TRACE_ID).run.name == "work"


@pytest.mark.parametrize(
    ("content_type", "body", "answer"),
    [(PROTOBUF, to_protobuf(span()), b""), (JSON, to_json(span()), b"{}")],
)
def test_the_answer_has_the_form_of_the_request(
    exporter: Exporter, content_type: str, body: bytes, answer: bytes
) -> None:
    response = exporter.send(PATH, body, content_type=content_type, Accept="text/html")
    assert (response.status_code, response.content) == (200, answer)
    assert response.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_a_compressed_export_is_taken(
    exporter: Exporter, project: Project, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = compress(to_protobuf(span(attributes={"langsmith.trace.session_name": "test-project"})))
    response = exporter.send(PATH, body, content_type=PROTOBUF, Content_Encoding=encoding)
    assert response.status_code == 200
    assert run_at(project, TRACE_ID)


def test_a_key_may_come_as_a_bearers(client: Client, make_api_key: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {make_api_key('ingest')}"}
    response = client.post(PATH, to_protobuf(span()), PROTOBUF, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(("key", "status"), [("", 401), ("rw_" + "A" * 43, 401)])
def test_without_a_good_key_nothing_is_taken(client: Client, key: str, status: int) -> None:
    response = client.post(PATH, to_json(span()), JSON, headers={"X-API-Key": key})
    assert (response.status_code, response.json()["code"]) == (status, 16)
    assert response.headers["WWW-Authenticate"]
    assert inbox_count() == 0


def test_a_key_that_may_only_read_may_not_send(
    client: Client, make_api_key: Callable[..., str]
) -> None:
    headers = {"X-API-Key": make_api_key("read")}
    response = client.post(PATH, to_json(span()), JSON, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, 7)


def test_refused_spans_are_told_and_their_siblings_stored(
    exporter: Exporter, project: Project
) -> None:
    response = exporter.export(span(), span("0" * 16, ROOT))
    assert response.status_code == 200
    assert partial_success(response) == (1, f"{'0' * 16}: spanId: must not be zero.")
    assert run_at(project, TRACE_ID)


def test_an_export_of_bad_spans_alone_is_no_error(exporter: Exporter) -> None:
    """OpenTelemetry's exporters would only log a 400 where partial success says what was wrong."""
    response = exporter.export(span("0" * 16))
    assert (response.status_code, partial_success(response)[0]) == (200, 1)
    assert inbox_count() == 0


def test_what_is_no_export_is_a_400_with_a_status(exporter: Exporter) -> None:
    response = exporter.send(PATH, b"{]", content_type=JSON)
    assert status_of(response) == (400, {"code": 3, "message": "The body is not valid JSON."})
    response = exporter.send(PATH, b"\xff\xff", content_type=PROTOBUF)
    assert (response.status_code, response.headers["Content-Type"]) == (400, PROTOBUF)
    assert b"no protobuf ExportTraceServiceRequest" in response.content


def test_an_empty_protobuf_body_is_an_export_of_nothing(exporter: Exporter) -> None:
    assert exporter.send(PATH, b"", Content_Type=PROTOBUF).status_code == 200
    assert exporter.send(PATH, b"", Content_Type=JSON).status_code == 400


def test_another_content_type_is_a_415(exporter: Exporter) -> None:
    status, answer = status_of(exporter.send(PATH, to_json(span()), content_type="text/plain"))
    assert (status, answer["code"]) == (415, 3)


def test_another_encoding_is_a_415(exporter: Exporter) -> None:
    response = exporter.send(PATH, to_json(span()), content_type=JSON, Content_Encoding="br")
    assert response.status_code == 415


def test_an_export_past_the_limit_is_a_413_that_nobody_sends_again(
    exporter: Exporter, settings: Any
) -> None:
    settings.INGEST_MAX_BODY_BYTES = 10
    response = exporter.send(PATH, to_json(span()), content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (413, 8)
    assert "Retry-After" not in response.headers


def test_what_may_pass_is_a_503_to_be_sent_again(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(inbox, "accept", fail)
    response = exporter.send(PATH, to_json(span()), content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (503, 14)
    assert response.headers["Retry-After"] == "30"


def test_a_get_is_a_405_with_a_status(exporter: Exporter) -> None:
    response = exporter.send(PATH, b"", method="GET", content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (405, 2)


# --- Projects ---------------------------------------------------------------------------------------------


def test_a_project_is_named_by_the_header_in_any_script(
    exporter: Exporter, workspace: Workspace
) -> None:
    exporter.export(span(), project="Töpferei")
    project = Project.objects.get(workspace=workspace, name="Töpferei")
    assert run_at(project, TRACE_ID)


def test_an_agents_address_is_a_project(exporter: Exporter, workspace: Workspace) -> None:
    exporter.send(
        PATH, to_json(span()), content_type=JSON,
        Langsmith_Agent_Id="shop", Langsmith_Agent_Environment="prod",
    )  # fmt: skip
    assert run_at(Project.objects.get(workspace=workspace, name="shop/prod"), TRACE_ID)


# --- Traces that come apart -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)], ids=lambda order: str(order)
)
def test_spans_hang_together_in_whatever_order_and_exports_they_come(
    exporter: Exporter, project: Project, order: tuple[int, ...]
) -> None:
    spans = [span(), span(CHILD, ROOT), span(GRANDCHILD, CHILD)]
    for number in order:
        exporter.export(spans[number])
        run_at(project, (TRACE_ID, CHILD_ID, GRANDCHILD_ID)[number])  # there at once
    settle(project)
    child, grandchild = run_at(project, CHILD_ID), run_at(project, GRANDCHILD_ID)
    assert child.run.parent_run_id == TRACE_ID
    assert grandchild.run.parent_run_id == CHILD_ID


def test_an_export_that_comes_twice_is_one(exporter: Exporter, project: Project) -> None:
    for _ in range(2):
        exporter.export(span(CHILD, ROOT, attributes={"gen_ai.prompt": "why?"}))
    assert run_at(project, CHILD_ID).inputs == {"input": "why?"}


def test_children_without_a_root_are_stored_at_once(exporter: Exporter, project: Project) -> None:
    exporter.export(span(CHILD, ROOT))
    assert run_at(project, CHILD_ID).run.trace_id == TRACE_ID
    assert inbox_count() == 0


BEFORE = span(CHILD, ROOT, **from_to(-60, -30))
AFTER = span(GRANDCHILD, ROOT, **from_to(30, 60))
OVER = span(**from_to(-120, 120))


@pytest.mark.parametrize(
    "exports",
    [
        [[BEFORE], [AFTER], [OVER]],
        [[AFTER], [BEFORE], [OVER]],
        [[AFTER], [OVER], [BEFORE]],
        [[OVER], [AFTER], [BEFORE]],
        [[AFTER, BEFORE], [OVER]],
        [[AFTER, OVER], [BEFORE]],
    ],
    ids=["in order", "late child first", "root second", "root first", "children", "root with one"],
)
def test_a_trace_over_midnight_has_one_day_whatever_came_first(
    exporter: Exporter, project: Project, exports: list[list[dict[str, Any]]]
) -> None:
    for spans in exports:
        exporter.export(*spans)
        stored(project.id)
    settle(project)
    runs = [run_at(project, run_id).run for run_id in (TRACE_ID, CHILD_ID, GRANDCHILD_ID)]
    assert len({run.day for run in runs}) == 1
    assert [run.parent_run_id for run in runs] == [None, TRACE_ID, TRACE_ID]


def test_a_trace_that_is_sent_at_once_has_the_day_of_its_root(
    exporter: Exporter, project: Project
) -> None:
    exporter.export(AFTER, OVER)
    assert run_at(project, GRANDCHILD_ID).run.day == date(2026, 11, 24)


# --- Mixed traces -----------------------------------------------------------------------------------------

LANGSMITH_ROOT = UUID("019ab5b6-e400-78d8-934e-7ba1b08d8cb8")
LANGSMITH_CHILD = UUID("019ab5b6-e464-7206-8b1c-5d2f3a4b5c6d")
LANGSMITH_START = datetime(2025, 11, 24, 15, 33, 20, tzinfo=UTC)


def langsmith_run(run_id: UUID, parent: UUID | None) -> dict[str, Any]:
    return {
        "id": str(run_id),
        "trace_id": str(LANGSMITH_ROOT),
        "parent_run_id": parent and str(parent),
        "name": "traced",
        "run_type": "chain",
        "session_name": "test-project",
        "start_time": LANGSMITH_START.isoformat(),
        "end_time": LANGSMITH_START.isoformat(),
        "dotted_order": ".".join(
            f"20251124T153320000000Z{id_}" for id_ in (LANGSMITH_ROOT, run_id)[0 if parent else 1 :]
        ),
    }


def mixed_span(parent: UUID) -> dict[str, Any]:
    """Return a span as it is made within a run of LangSmith's client: the parent's id is half the run's."""
    return span(
        CHILD,
        parent.hex[:16],
        traceId=LANGSMITH_ROOT.hex,
        startTimeUnixNano=str(int(LANGSMITH_START.timestamp()) * SECOND),
        endTimeUnixNano=str(int(LANGSMITH_START.timestamp()) * SECOND),
    )


@pytest.mark.parametrize("parent", [LANGSMITH_ROOT, LANGSMITH_CHILD], ids=["root", "child"])
@pytest.mark.parametrize("is_named", [True, False], ids=["project named", "no project"])
@pytest.mark.parametrize("is_first", [True, False], ids=["span first", "runs first"])
def test_a_span_within_langsmiths_runs_joins_their_trace(
    exporter: Exporter, project: Project, parent: UUID, is_named: bool, is_first: bool
) -> None:
    def send_span() -> None:
        headers = {"Langsmith_Project": "test-project"} if is_named else {}
        exporter.send(PATH, to_protobuf(mixed_span(parent)), content_type=PROTOBUF, **headers)

    if is_first:
        send_span()
        stored(project.id)
    exporter.batch(langsmith_run(LANGSMITH_ROOT, None), langsmith_run(LANGSMITH_CHILD, LANGSMITH_ROOT))  # fmt: skip
    stored(project.id)
    if not is_first:
        send_span()
    settle(project)
    run = run_at(project, CHILD_ID).run
    assert (run.trace_id, run.parent_run_id) == (LANGSMITH_ROOT, parent)
    root = get_run([project.id], LANGSMITH_ROOT)
    assert root is not None
    assert root.run.day == run.day


def test_the_answer_is_json_for_json(exporter: Exporter) -> None:
    response = exporter.send(PATH, to_json(span("0" * 16)), content_type=JSON)
    assert json.loads(response.content)["partialSuccess"]["rejectedSpans"] == "1"
