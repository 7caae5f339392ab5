"""An answer out of LangChain's cache costs nothing: what both tracers say of one, and what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tracers import LangChainTracer
from runwood import RunwoodCallbackHandler

from tests.contract.support import Account, new_project, wait_for

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Open = Callable[[str], tuple[BaseCallbackHandler, Callable[[], object]]]


class Answering(BaseChatModel):
    """Says which model it is and how many tokens it took, like a provider's."""

    @property
    def _llm_type(self) -> str:
        return "answering"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="openai", ls_model_name="gpt-4o", ls_model_type="chat")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
        message = AIMessage("Wait for the label.", usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.fixture(params=["LangSmith's tracer", "Runwood's handler"])
def open_tracer(request: pytest.FixtureRequest, account: Account) -> Iterator[Open]:
    """Return a function (project) that opens a tracer, and returns with it what sends all it has."""
    opened: list[RunwoodCallbackHandler] = []

    def open_(project: str) -> tuple[BaseCallbackHandler, Callable[[], object]]:
        if request.param == "LangSmith's tracer":
            tracer = LangChainTracer(project_name=project, client=account.client)
            return tracer, account.client.flush
        handler = RunwoodCallbackHandler(
            project=project, api_key=account.api_key, endpoint=account.endpoint
        )
        opened.append(handler)
        return handler, handler.flush

    yield open_
    for handler in opened:
        handler.close()


def test_a_cache_hit_keeps_its_tokens_and_costs_nothing(
    account: Account, open_tracer: Open
) -> None:
    project = new_project("cache hits")
    tracer, flush = open_tracer(project)
    model = Answering(cache=InMemoryCache())
    for _ in range(2):
        model.invoke("Where is it?", config={"callbacks": [tracer]})
    flush()
    runs = wait_for(
        lambda: list(account.client.list_runs(project_name=project)),
        lambda runs: len(runs) == 2 and all(run.end_time for run in runs),
    )
    asked, hit = sorted(runs, key=lambda run: run.start_time)
    assert (asked.total_tokens, asked.total_cost) == (1100, Decimal("0.0035"))
    assert (hit.total_tokens, hit.total_cost) == (1100, 0)
