"""OpenTelemetry's own SDK and exporter, OpenInference's instrumentation, and both mixed with LangSmith's runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from langsmith import Client
from langsmith.utils import LangSmithNotFoundError

from tests.contract.compatibility import covers
from tests.contract.support import Account, Runs, new_project, newest_covers, read_runs, run_program
from tests.unit.wire.otlp_support import span, to_protobuf

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SDK = partial(covers, client="opentelemetry-sdk (Python)", version=version("opentelemetry-sdk"))
OPENINFERENCE = partial(
    covers,
    client="openinference-instrumentation-langchain",
    version=version("openinference-instrumentation-langchain"),
)
SETTLING_SECONDS = 40.0  # a trace that comes in parts is put together when it has gone quiet


def otel_environment(account: Account, project: str, path: str = "") -> dict[str, str]:
    """Return the environment of a process that knows OpenTelemetry's variables only."""
    host = account.endpoint.removesuffix("/api/v1")
    headers = {"x-api-key": account.api_key, "Langsmith-Project": project}
    return {
        **account.environment(project, LANGSMITH_TRACING="false"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": host + path,
        "OTEL_EXPORTER_OTLP_HEADERS": ",".join(
            f"{key}={quote(text)}" for key, text in headers.items()
        ),
        "OTEL_SERVICE_NAME": "shop",
    }


def wait_for_runs(client: Client, project: str, is_there: Callable[[Runs], bool]) -> Runs:
    deadline = time.monotonic() + SETTLING_SECONDS
    runs = Runs([])
    while time.monotonic() < deadline:
        try:
            runs = Runs(client.list_runs(project_name=project))
            if is_there(runs):
                return runs
        except LangSmithNotFoundError:  # the project
            pass
        time.sleep(0.2)
    pytest.fail(f"not there: {[runs.tree(run) for run in runs.all if run.parent_run_id is None]}")


# --- The SDK ----------------------------------------------------------------------------------------------

ORDER = ["order", "chat gpt-4o-mini", "GET /stock", "execute_tool pack"]
WAYS = {"batched": ("", []), "one by one": ("", ["one by one"]), "at /otel": ("/api/v1/otel", [])}


@pytest.fixture(scope="module", params=list(WAYS))
def order(request: pytest.FixtureRequest, account: Account) -> Runs:
    path, arguments = WAYS[request.param]
    project = new_project(f"otel {request.param}")
    run_program(
        sys.executable, "spans_by_hand", otel_environment(account, project, path), *arguments
    )
    return wait_for_runs(
        account.client,
        project,
        lambda runs: [runs.tree(run) for run in runs.named("order")] == [ORDER],
    )


def each_way(what: str) -> pytest.MarkDecorator:
    suffixes = {
        "batched": "",
        "one by one": " (`SimpleSpanProcessor`)",
        "at /otel": " (`/api/v1/otel`)",
    }
    return pytest.mark.parametrize(
        "order",
        [pytest.param(way, marks=SDK(what=what + suffixes[way])) for way in WAYS],
        indirect=True,
    )


@each_way("spans with generative AI's conventions")
def test_spans_are_a_tree_of_runs(order: Runs) -> None:
    root = order.one("order")
    assert order.tree(root) == ORDER
    assert root.trace_id == root.id
    assert root.id == UUID(root.metadata["OTEL_TRACE_ID"])
    assert root.inputs == {"input": "a kettle"}


@each_way("spans with generative AI's conventions")
def test_a_models_span_is_a_models_run(order: Runs) -> None:
    chat = order.one("chat gpt-4o-mini")
    assert chat.run_type == "llm"
    assert chat.inputs == {"messages": [{"role": "user", "content": "a kettle?"}]}
    assert chat.outputs == {"messages": [{"role": "assistant", "content": "gladly"}]}
    assert (chat.metadata["ls_provider"], chat.metadata["ls_model_name"]) == (
        "openai",
        "gpt-4o-mini",
    )
    assert chat.extra is not None
    assert chat.extra["invocation_params"] == {"temperature": 0.5}
    assert [event["name"] for event in chat.events or []] == ["cache.hit"]


@each_way("token usage and cost")
def test_usage_has_a_cost_and_counts_once(order: Runs) -> None:
    chat, root = order.one("chat gpt-4o-mini"), order.one("order")
    assert (chat.prompt_tokens, chat.completion_tokens, root.total_tokens) == (30, 4, 34)
    assert chat.total_cost is not None
    assert chat.total_cost > 0


@each_way("errors")
def test_a_recorded_exception_is_an_error(order: Runs) -> None:
    tool = order.one("execute_tool pack")
    assert (tool.run_type, tool.status) == ("tool", "error")
    assert (tool.error or "").startswith("ValueError: no box\n\nTraceback")


@each_way("other spans, links, resource")
def test_any_other_span_is_a_chain_with_its_links(order: Runs) -> None:
    stock = order.one("GET /stock")
    assert stock.run_type == "chain"
    otel = (stock.extra or {})["otel"]
    assert otel["links"][0]["span_id"] == order.one("chat gpt-4o-mini").metadata["OTEL_SPAN_ID"]
    assert otel["resource"]["service.name"] == "shop"


@each_way("threads")
def test_a_session_is_a_thread(order: Runs) -> None:
    metadata = order.one("order").metadata
    assert (metadata["session_id"], metadata["user_id"]) == ("order-7", "alice")


@SDK(what="chunked requests")
def test_an_export_without_a_length_is_taken(account: Account) -> None:
    project = new_project("chunked")
    pieces = iter(
        [to_protobuf(span(name="in pieces"))[:50], to_protobuf(span(name="in pieces"))[50:]]
    )
    response = httpx.post(
        f"{account.endpoint}/otel/v1/traces",
        content=pieces,
        headers={
            "X-API-Key": account.api_key,
            "Langsmith-Project": project,
            "Content-Type": "application/x-protobuf",
        },
    )
    assert response.status_code == 200
    assert read_runs(account.client, project, 1).one("in pieces")


# --- OpenInference ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph(account: Account) -> Runs:
    project = new_project("openinference")
    run_program(sys.executable, "openinference_graph", otel_environment(account, project))
    return wait_for_runs(
        account.client,
        project,
        lambda runs: (
            bool(runs.named("clerk") and runs.named("kind chain"))
            and all(
                run.parent_run_id in {other.id for other in runs.all} | {None} for run in runs.all
            )
        ),
    )


@OPENINFERENCE(what="LangGraph agents")
def test_a_graph_is_a_tree_of_its_nodes_models_and_tools(graph: Runs) -> None:
    assert graph.tree(graph.one("clerk")) == [
        "clerk",
        ["model", "FakeModel"],
        ["tools", "weigh"],
        ["model", "FakeModel"],
    ]
    assert {run.run_type for run in graph.named("FakeModel")} == {"llm"}
    assert graph.one("weigh").run_type == "tool"


@OPENINFERENCE(what="LangGraph agents")
def test_a_models_messages_and_calls_are_told(graph: Runs) -> None:
    first, second, _ = graph.named("FakeModel")
    assert first.inputs["messages"][-1] == {"role": "user", "content": "How heavy?"}
    (answer,) = (first.outputs or {})["messages"]
    assert answer["tool_calls"][0]["function"]["name"] == "weigh"
    assert second.inputs["messages"][-1]["role"] == "tool"
    assert (second.outputs or {})["messages"][0]["content"] == "It weighs 700 g."


@OPENINFERENCE(what="token usage")
def test_usage_counts_once(graph: Runs) -> None:
    first, *_ = graph.named("FakeModel")
    assert (first.prompt_tokens, first.completion_tokens) == (30, 4)
    assert graph.one("clerk").total_tokens == 68


@OPENINFERENCE(what="`using_attributes`")
def test_attributes_of_the_context_are_thread_user_tags_and_metadata(graph: Runs) -> None:
    root = graph.one("clerk")
    assert (root.metadata["session_id"], root.metadata["user_id"]) == ("order-7", "alice")
    assert (root.metadata["shop"], root.tags) == ("kiln", ["prod"])


@OPENINFERENCE(what="chains (LCEL)")
def test_a_chain_is_a_tree_with_inputs_and_outputs(graph: Runs) -> None:
    root = graph.one("kind chain")
    assert graph.tree(root) == ["kind chain", "ChatPromptTemplate", "FakeModel", "StrOutputParser"]
    assert (root.inputs, root.outputs) == ({"input": "why?"}, {"output": "so"})


# --- Mixed with LangSmith's runs ------------------------------------------------------------------------

MIXED = ["answer", "look up", ["inner", ["query", "connect"]]]


@newest_covers(what="own spans within `@traceable` (`LANGSMITH_TRACING_MODE=hybrid`)")
def test_own_spans_hang_in_the_trace_of_the_traced_function(account: Account) -> None:
    project = new_project("mixed")
    environment = otel_environment(account, project) | {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_TRACING_MODE": "hybrid",
    }
    run_program(sys.executable, "mixed_spans", environment)
    runs = wait_for_runs(
        account.client,
        project,
        lambda runs: MIXED in [runs.tree(run) for run in runs.named("answer")],
    )
    (mixed,) = (run for run in runs.named("answer") if runs.tree(run) == MIXED)
    assert {run.trace_id for run in runs.named("look up")} == {mixed.id}


@newest_covers(what="`LANGSMITH_TRACING_MODE=hybrid`")
def test_the_hybrid_mode_sends_everything_twice_as_traces_of_their_own(account: Account) -> None:
    project = new_project("hybrid")
    environment = account.environment(project, LANGSMITH_TRACING_MODE="hybrid")
    run_program(sys.executable, "traced_functions", environment)
    runs = read_runs(account.client, project, 2 * 21)
    trees = [runs.tree(root) for root in runs.named("agent")]
    assert trees == 2 * [["agent", ["look up", "model"], "fail", "model"]]
