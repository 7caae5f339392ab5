"""What `wrap_openai` traces, against an OpenAI of our own on loopback."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from functools import partial
from importlib.metadata import version

import pytest
from langsmith.schemas import Run

from tests.contract.compatibility import covers
from tests.contract.fake_openai import running_openai
from tests.contract.support import Account, Runs, new_project, read_runs, run_program

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

openai_covers = partial(covers, client="openai (`wrap_openai`)", version=version("openai"))
RUN_COUNT = 13
TEXT = "Wait for the label."


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    project = new_project("openai")
    with running_openai() as url:
        environment = account.environment(project, OPENAI_BASE_URL=url)
        run_program(sys.executable, "openai_calls", environment)
    return read_runs(account.client, project, RUN_COUNT)


def model_of(runs: Runs, name: str) -> Run:
    (model,) = runs.children(runs.one(name))
    return model


@openai_covers(what="chat completions")
def test_a_chat_is_a_model_run_below_what_called_it(runs: Runs) -> None:
    model = model_of(runs, "chat")
    assert (model.name, model.run_type, model.status) == ("ChatOpenAI", "llm", "success")
    assert model.inputs["messages"] == [{"role": "user", "content": "Where is my kettle?"}]
    assert model.outputs is not None
    assert model.outputs["choices"][0]["message"]["content"] == TEXT
    assert model.metadata["ls_provider"] == "openai"
    assert model.metadata["ls_temperature"] == 0.5


@openai_covers(what="asynchronous clients")
def test_an_asynchronous_client_is_traced_alike(runs: Runs) -> None:
    assert model_of(runs, "wait").outputs == model_of(runs, "chat").outputs


@openai_covers(what="streaming")
def test_a_stream_is_put_together_and_has_its_first_token_time(runs: Runs) -> None:
    model = model_of(runs, "stream")
    assert model.outputs is not None
    assert model.outputs["choices"][0]["message"]["content"] == TEXT
    assert model.first_token_time is not None
    assert model.total_tokens == 1200


@openai_covers(what="tool calls")
def test_tool_calls_and_offered_tools_are_kept(runs: Runs) -> None:
    model = model_of(runs, "tools")
    assert model.outputs is not None
    (call,) = model.outputs["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"order": 7}
    assert model.inputs["tools"][0]["function"]["name"] == "weigh"


@openai_covers(what="responses API")
def test_a_response_keeps_its_output_and_usage(runs: Runs) -> None:
    model = model_of(runs, "respond")
    assert model.outputs is not None
    assert model.outputs["output"][0]["content"][0]["text"] == TEXT
    assert (model.prompt_tokens, model.completion_tokens) == (1000, 200)


@openai_covers(what="token usage with details, and cost")
@pytest.mark.parametrize("name", ["chat", "stream", "tools", "respond", "wait"])
def test_usage_has_its_details(runs: Runs, name: str) -> None:
    model = model_of(runs, name)
    assert (model.prompt_tokens, model.completion_tokens, model.total_tokens) == (1000, 200, 1200)
    assert model.prompt_token_details is not None
    assert model.prompt_token_details["cache_read"] == 600
    assert model.completion_token_details is not None
    assert model.completion_token_details["reasoning"] == 50


@openai_covers(what="token usage with details, and cost")
@pytest.mark.parametrize("name", ["chat", "stream", "tools", "respond", "wait"])
def test_cached_tokens_cost_what_they_cost_and_a_trace_costs_what_its_runs_do(
    runs: Runs, name: str
) -> None:
    # gpt-4o-mini: 0.15 USD a million tokens, 0.075 of cached ones, 0.60 of completion
    assert model_of(runs, name).total_cost == Decimal("0.000225")
    assert runs.one(name).total_cost == Decimal("0.000225")


@openai_covers(what="embeddings (`@traceable`)")
def test_embeddings_count_their_tokens(runs: Runs) -> None:
    run = runs.one("embed")
    assert run.run_type == "embedding"
    assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (8, 0, 8)
    assert run.total_cost == Decimal("0.00000016")  # 0.02 USD a million tokens


@openai_covers(what="errors")
def test_a_refusal_is_an_error_all_the_way_up(runs: Runs) -> None:
    model = model_of(runs, "broken")
    assert (model.status, runs.one("broken").status) == ("error", "error")
    assert model.error is not None
    assert "The model broke." in model.error
