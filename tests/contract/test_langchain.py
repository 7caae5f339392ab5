"""What a LangChain program traces of itself where the environment says so."""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal
from functools import partial
from importlib.metadata import version

import pytest

from tests.contract.compatibility import covers
from tests.contract.support import Account, Runs, new_project, read_runs, run_program

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

langchain_covers = partial(covers, client="langchain-core", version=version("langchain-core"))
RUN_COUNT = 20


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    project = new_project("langchain")
    run_program(sys.executable, "chains", account.environment(project))
    return read_runs(account.client, project, RUN_COUNT)


@langchain_covers(what="runnables and chat models")
def test_a_chain_is_a_tree_of_its_parts(runs: Runs) -> None:
    root = runs.one("invoked")
    assert runs.tree(root) == ["invoked", "ChatPromptTemplate", "Scripted", "StrOutputParser"]
    assert [run.run_type for run in runs.children(root)] == ["prompt", "llm", "parser"]
    assert root.inputs == {"question": "Where is it?"}
    assert root.outputs == {"output": "Wait for the label."}
    assert root.tags == ["shop"]
    assert root.metadata["thread_id"] == "c-1"


@langchain_covers(what="runnables and chat models")
def test_a_models_messages_are_kept_whole(runs: Runs) -> None:
    _, model, _ = runs.children(runs.one("invoked"))
    (messages,) = model.inputs["messages"]
    assert [message["kwargs"]["content"] for message in messages] == ["You help.", "Where is it?"]
    assert model.outputs is not None
    ((generation,),) = model.outputs["generations"]
    assert generation["message"]["kwargs"]["usage_metadata"]["input_tokens"] == 1000
    assert model.metadata["ls_model_name"] == "gpt-4o-mini"


@langchain_covers(what="token usage with details, and cost")
def test_usage_has_its_details_and_counts_once(runs: Runs) -> None:
    root = runs.one("invoked")
    _, model, _ = runs.children(root)
    for run in (model, root):
        assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (1000, 200, 1200)
    assert model.prompt_token_details == {"cache_read": 600}
    assert model.completion_token_details == {"reasoning": 50}


@langchain_covers(what="token usage with details, and cost")
def test_cached_tokens_cost_what_they_cost_and_a_trace_costs_what_its_runs_do(runs: Runs) -> None:
    root = runs.one("invoked")
    _, model, _ = runs.children(root)
    # gpt-4o-mini: 0.15 USD a million tokens, 0.075 of cached ones, 0.60 of completion
    assert model.prompt_cost == Decimal("0.000105")
    assert model.completion_cost == Decimal("0.00012")
    assert model.total_cost == root.total_cost == Decimal("0.000225")


@langchain_covers(what="streaming")
def test_a_stream_has_its_first_token_time_and_usage(runs: Runs) -> None:
    root = runs.one("streamed")
    assert root.inputs == {"question": "And now?"}
    assert root.outputs == {"output": "Wait for it."}
    _, model, _ = runs.children(root)
    assert model.total_tokens == 1200
    assert model.first_token_time is not None
    assert model.end_time is not None
    first_token_time = model.first_token_time.replace(tzinfo=model.start_time.tzinfo)
    assert timedelta(0) <= first_token_time - model.start_time
    assert first_token_time <= model.end_time


@langchain_covers(what="batches")
def test_a_batch_is_a_trace_for_each_input(runs: Runs) -> None:
    roots = runs.named("batched")
    assert sorted(root.inputs["question"] for root in roots) == ["a", "b"]
    assert [len(runs.children(root)) for root in roots] == [3, 3]


@langchain_covers(what="retrievers and tools")
def test_documents_and_tool_results_are_kept_whole(runs: Runs) -> None:
    retrieved, called = runs.one("retrieved"), runs.one("called")
    assert (retrieved.run_type, called.run_type) == ("retriever", "tool")
    assert retrieved.outputs is not None
    (document,) = retrieved.outputs["documents"]
    assert document["page_content"] == "Ninety days."
    assert document["metadata"] == {"source": "returns.md", "score": 0.9}
    assert called.outputs == {"output": {"label": "RL-7"}}


@langchain_covers(what="errors")
def test_a_failure_is_an_error_all_the_way_up(runs: Runs) -> None:
    root = runs.one("broken")
    (tool,) = runs.children(root)
    assert (root.status, tool.status) == ("error", "error")
    assert tool.error is not None
    assert "no such order" in tool.error
