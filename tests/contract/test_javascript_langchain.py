"""What Node programs trace that name LangSmith only in their environment: LangChain, LangGraph, wrapped OpenAI."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from langsmith.schemas import Run

from tests.contract.compatibility import covers
from tests.contract.node import CORE, LANGGRAPH, OPENAI, SDKS, needs_node, run_script
from tests.contract.support import Account, Runs, new_project, read_runs

pytestmark = [
    pytest.mark.live,
    needs_node,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LANGCHAIN = "@langchain/core"
# What the model of langchain.mjs and the server of fake_openai.mjs report, for gpt-4o
USAGE = (20, 3, 23)
COSTS = (Decimal("0.00003125"), Decimal("0.00003"), Decimal("0.00006125"))


def usage(run: Run) -> tuple[int | None, int | None, int | None]:
    return run.prompt_tokens, run.completion_tokens, run.total_tokens


def costs(run: Run) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    return run.prompt_cost, run.completion_cost, run.total_cost


def message(run: Run) -> dict[str, Any]:
    """Return the one message that a chat model answered, as LangChain serializes it."""
    ((generation,),) = (run.outputs or {})["generations"]
    return dict(generation["message"]["kwargs"])


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    """Return the runs of langchain.mjs."""
    project = new_project("js langchain")
    run_script(account, "langchain", project=project)
    return read_runs(account.client, project, 22)


@covers(client=LANGCHAIN, version=CORE, what="runnables")
def test_a_chain_is_a_tree_of_its_steps(runs: Runs) -> None:
    rag = runs.one("rag")
    name, gather, *steps = runs.tree(rag)
    assert (name, steps) == ("rag", ["ChatPromptTemplate", "MeteredModel", "StrOutputParser"])
    assert gather[0] == "RunnableMap"
    assert sorted(gather[1:], key=str) == [
        ["RunnableSequence", "pick question", "Shelf", "join"],
        "same",
    ]
    assert (rag.inputs, rag.outputs) == ({"question": "kettle"}, {"output": "On the stove."})
    assert {run.run_type for run in runs.all} == {
        "chain",
        "retriever",
        "prompt",
        "llm",
        "parser",
        "tool",
    }


@covers(client=LANGCHAIN, version=CORE, what="tags and metadata")
def test_tags_and_metadata_are_inherited(runs: Runs) -> None:
    assert runs.one("rag").tags == ["prod"]
    assert set(runs.one("Shelf").tags or []) == {"prod", "seq:step:2"}
    assert {runs.one(name).metadata["thread_id"] for name in ("rag", "Shelf", "MeteredModel")} == {
        "t-2"
    }


@covers(client=LANGCHAIN, version=CORE, what="prompts")
def test_a_prompt_gives_its_messages(runs: Runs) -> None:
    outputs = runs.one("ChatPromptTemplate").outputs or {}
    assert outputs["id"] == ["langchain_core", "prompt_values", "ChatPromptValue"]
    assert [each["kwargs"]["content"] for each in outputs["kwargs"]["messages"]] == [
        "Answer from kettle: second shelf; kettle: stove.",
        "kettle",
    ]


@covers(client=LANGCHAIN, version=CORE, what="retrievers and tools")
def test_a_retriever_gives_its_documents(runs: Runs) -> None:
    shelf = runs.one("Shelf")
    assert (shelf.run_type, shelf.inputs) == ("retriever", {"query": "kettle"})
    assert shelf.outputs == {
        "documents": [
            {"pageContent": "kettle: second shelf", "metadata": {"shelf": 2}},
            {"pageContent": "kettle: stove", "metadata": {"shelf": 0}},
        ]
    }


@covers(client=LANGCHAIN, version=CORE, what="retrievers and tools")
def test_a_tool_has_its_arguments_and_its_answer(runs: Runs) -> None:
    plain, called = runs.one("weather"), runs.one("called weather")
    assert (plain.run_type, called.run_type) == ("tool", "tool")
    assert (plain.inputs, plain.outputs) == ({"city": "Bergen"}, {"output": "Rain in Bergen"})
    assert called.inputs == {"city": "Oslo"}
    answer = (called.outputs or {})["output"]["kwargs"]
    assert (answer["content"], answer["tool_call_id"]) == ("Rain in Oslo", "call-1")


@covers(client=LANGCHAIN, version=CORE, what="chat models, whole and streamed")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("MeteredModel", "On the stove."),
        ("streamed", "On the stove."),
        ("list model", "first"),
        ("list model streamed", "second"),
        ("fake streaming", "ab"),
    ],
)
def test_a_chat_model_gives_its_whole_message(runs: Runs, name: str, content: str) -> None:
    run = runs.one(name)
    assert (run.run_type, run.status) == ("llm", "success")
    assert message(run)["content"] == content
    assert run.inputs["messages"][0][-1]["kwargs"]["content"] != ""


@covers(client=LANGCHAIN, version=CORE, what="first token time")
def test_a_stream_has_the_time_of_its_first_token(runs: Runs) -> None:
    for name in ("streamed", "list model streamed", "fake streaming"):
        run = runs.one(name)
        assert run.first_token_time is not None, name
        assert run.end_time is not None
        # the microseconds of a start are the SDK's counter, not time
        start = run.start_time.replace(microsecond=run.start_time.microsecond // 1000 * 1000)
        assert start <= run.first_token_time <= run.end_time, name
    assert runs.one("list model").first_token_time is None


@covers(client=LANGCHAIN, version=CORE, what="token usage with details, and cost")
def test_usage_is_counted_once_along_a_trace(runs: Runs) -> None:
    for name in ("rag", "MeteredModel", "streamed"):
        assert usage(runs.one(name)) == USAGE, name
    assert usage(runs.one("StrOutputParser")) == (0, 0, 0)  # its input carries the model's usage


@covers(client=LANGCHAIN, version=CORE, what="token usage with details, and cost")
def test_usage_has_its_details_and_its_price(runs: Runs) -> None:
    for name in ("rag", "MeteredModel", "streamed"):
        assert costs(runs.one(name)) == COSTS, name
    model = runs.one("MeteredModel")
    assert model.prompt_token_details == {"cache_read": 15}
    assert model.completion_token_details == {"reasoning": 1}


@covers(client=LANGCHAIN, version=CORE, what="batches")
def test_a_batch_is_a_trace_for_each_input(runs: Runs) -> None:
    found = sorted(runs.named("double"), key=lambda run: run.inputs["input"])
    assert [(run.inputs, run.outputs) for run in found] == [
        ({"input": number}, {"output": 2 * number}) for number in (1, 2, 3)
    ]
    assert len({run.trace_id for run in found}) == 3
    assert {tuple(run.tags or ()) for run in found} == {("batch",)}


@covers(client=LANGCHAIN, version=CORE, what="errors")
def test_an_error_goes_up_to_the_root(runs: Runs) -> None:
    failing = runs.one("failing")
    assert runs.tree(failing) == ["failing", "before", "broken"]
    assert {run.name: run.status for run in [failing, *runs.children(failing)]} == {
        "failing": "error",
        "before": "success",
        "broken": "error",
    }
    for name in ("failing", "broken"):
        assert "TypeError: no kettle\n    at " in (runs.one(name).error or "")


@covers(client="@langchain/langgraph", version=LANGGRAPH, what="graphs, invoked and streamed")
def test_a_graph_is_a_tree_of_its_nodes(account: Account) -> None:
    project = new_project("js langgraph")
    run_script(account, "langgraph", project=project)
    runs = read_runs(account.client, project, 14)
    for name, question in (("agent", "kettle"), ("streamed agent", "tea")):
        root = runs.one(name)
        decision = "RunnableLambda"
        assert runs.tree(root) == [
            *(name, "__start__", ["think", decision], "act", ["think", decision])
        ]
        assert root.inputs == {"question": question}
        assert root.outputs == {
            "question": question,
            "notes": ["thought 0", f"looked for {question}", "thought 2"],
        }
        assert (root.metadata["thread_id"], root.metadata["tenant"]) == ("t-3", "a")
        steps = [run.metadata["langgraph_step"] for run in runs.children(root)]
        assert steps == [0, 1, 2, 3]


@pytest.fixture(scope="module")
def wrapped(account: Account, request: pytest.FixtureRequest) -> Runs:
    """Return the runs of openai.mjs."""
    project = new_project("js openai")
    run_script(account, "openai", request.param, project=project)
    return read_runs(account.client, project, 5)


def each_wrapper(what: str) -> pytest.MarkDecorator:
    """Run a test with both releases of wrapOpenAI, as proof of one row for each."""
    what = f"`wrapOpenAI` (openai {OPENAI}): {what}"
    rows = [
        pytest.param(sdk, marks=covers(client="langsmith (JS)", version=version, what=what))
        for sdk, version in SDKS.items()
        if sdk != "langsmith-0.1"  # it knows no responses API
    ]
    return pytest.mark.parametrize("wrapped", rows, indirect=True, scope="module")


@each_wrapper("chat completions, whole and streamed")
def test_a_completion_is_traced_whole(wrapped: Runs) -> None:
    ask = wrapped.one("ask")
    whole, streamed, _, _ = wrapped.children(ask)
    assert (whole.run_type, whole.inputs["temperature"]) == ("llm", 0.5)
    assert whole.inputs["messages"] == [{"role": "user", "content": "Where is my kettle?"}]
    for run in (whole, streamed):
        (choice,) = (run.outputs or {})["choices"]
        assert choice["message"]["content"] == "On the stove."
    assert whole.first_token_time is None
    assert streamed.first_token_time is not None


@each_wrapper("responses API")
def test_a_response_is_traced(wrapped: Runs) -> None:
    response = wrapped.children(wrapped.one("ask"))[2]
    assert response.inputs["input"] == "Where is my kettle?"
    assert (response.outputs or {})["output"][0]["content"][0]["text"] == "On the stove."


@each_wrapper("token usage with details, and cost")
def test_calls_have_their_usage_and_price(wrapped: Runs) -> None:
    ask = wrapped.one("ask")
    for run in wrapped.children(ask)[:3]:
        assert (usage(run), costs(run)) == (USAGE, COSTS)
    assert usage(ask) == tuple(3 * count for count in USAGE)
    assert costs(ask) == tuple(3 * cost for cost in COSTS)


@each_wrapper("errors")
def test_a_refused_call_is_an_error(wrapped: Runs) -> None:
    refused = wrapped.children(wrapped.one("ask"))[3]
    assert (refused.status, refused.inputs["model"]) == ("error", "no-such-model")
    assert "404 The model `no-such-model` does not exist" in (refused.error or "")
