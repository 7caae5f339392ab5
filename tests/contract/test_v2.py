"""The SDK's newer helpers, which ask `/api/v2`."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from langsmith import Client

from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

T = TypeVar("T")
ROOTS = ["agent", "classify", "extractor", "plumbing", "waiting"]


@dataclass(frozen=True)
class Asker:
    """Asks one question of the server with a client of its own: each has its own event loop."""

    account: Account
    project_id: str

    def __call__(self, question: Callable[[Client], Awaitable[T]]) -> T:
        client = Client(
            api_url=self.account.endpoint, api_key=self.account.api_key, auto_batch_tracing=False
        )

        async def ask() -> T:
            return await question(client)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def ask(account: Account, shop: Shop) -> Asker:
    project = account.client.read_project(project_name=shop.project)
    return Asker(account, str(project.id))


async def items(pages: Any) -> list[Any]:
    return [item async for item in pages]


@newest_covers(what="v2: `client.runs.query_v2`")
def test_runs_are_queried_page_by_page(ask: Asker) -> None:
    runs = ask(
        lambda client: items(
            client.runs.query_v2(
                project_ids=[ask.project_id], selects=["ID", "NAME"], is_root=True, page_size=2
            )
        )
    )
    assert [run.name for run in runs] == ["plumbing", "waiting", "classify", "extractor", "agent"]


@newest_covers(what="v2: `client.runs.query_v2`")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"filter": 'gt(latency, "5s")'}, ["agent"]),
        ({"has_error": True}, ["ChatAnthropic", "classify"]),
        ({"run_type": "LLM"}, ["ChatAnthropic", "ChatOpenAI"]),
        ({"trace_filter": 'eq(name, "agent")'}, ["ChatOpenAI", "agent"]),
        ({"tree_filter": 'eq(name, "ChatOpenAI")', "is_root": True}, ["agent"]),
    ],
)
def test_a_query_is_narrowed(ask: Asker, query: dict[str, Any], names: list[str]) -> None:
    runs = ask(
        lambda client: items(
            client.runs.query_v2(project_ids=[ask.project_id], selects=["NAME"], **query)
        )
    )
    assert sorted(run.name for run in runs) == names


@newest_covers(what="v2: `client.runs.query_v2`")
def test_a_run_has_only_its_id_where_nothing_is_selected(ask: Asker, shop: Shop) -> None:
    runs = ask(
        lambda client: items(
            client.runs.query_v2(
                project_ids=[ask.project_id],
                ids=[str(shop.ids["agent"])],
                min_start_time=shop.opening,
            )
        )
    )
    assert [run.model_dump(exclude_none=True) for run in runs] == [{"id": str(shop.ids["agent"])}]


@newest_covers(what="v2: `client.runs.retrieve_v2`")
def test_a_run_is_retrieved_with_what_is_selected(ask: Asker, shop: Shop) -> None:
    run = ask(
        lambda client: client.runs.retrieve_v2(
            str(shop.ids["ChatOpenAI"]),
            project_id=ask.project_id,
            start_time=shop.time(1),
            selects=[
                "ID", "NAME", "RUN_TYPE", "STATUS", "START_TIME", "END_TIME", "LATENCY_SECONDS",
                "FIRST_TOKEN_TIME", "METADATA", "OUTPUTS", "PARENT_RUN_IDS", "TRACE_ID", "IS_ROOT",
                "DOTTED_ORDER", "PROJECT_ID", "TOTAL_TOKENS", "PROMPT_TOKEN_DETAILS", "TOTAL_COST",
            ],
        )
    )  # fmt: skip
    assert (run.name, run.run_type, run.status) == ("ChatOpenAI", "LLM", "SUCCESS")
    assert (run.start_time, run.end_time) == (shop.time(1), shop.time(3))
    assert (run.latency_seconds, run.first_token_time) == (2, shop.time(1.5))
    assert run.metadata is not None
    assert run.metadata["ls_model_name"] == "gpt-4o-mini"
    assert run.outputs is not None
    assert run.outputs["text"] == "In the post."
    assert (run.parent_run_ids, run.is_root) == ([str(shop.ids["agent"])], False)
    assert run.project_id == ask.project_id
    assert run.total_tokens == 6000
    assert run.prompt_token_details is not None
    assert run.prompt_token_details.raw == {"cache_read": 1000}
    assert run.total_cost == pytest.approx(0.001725)


@newest_covers(what="v2: `client.runs.get_url`")
def test_a_runs_address_is_on_this_server(ask: Asker, shop: Shop) -> None:
    run_id = str(shop.ids["agent"])
    answer = ask(
        lambda client: client.runs.get_url(run_id, project_id=ask.project_id, trace_id=run_id)
    )
    assert answer.url is not None
    assert answer.url.startswith("http")
    assert run_id in answer.url


@newest_covers(what="v2: `client.traces`")
def test_traces_are_queried_by_their_roots(ask: Asker) -> None:
    traces = ask(
        lambda client: items(
            client.traces.query(project_id=ask.project_id, selects=["NAME"], page_size=2)
        )
    )
    assert sorted(trace.root_run.name for trace in traces) == ROOTS


@newest_covers(what="v2: `client.traces`")
def test_a_traces_runs_are_listed(ask: Asker, shop: Shop) -> None:
    answer = ask(
        lambda client: client.traces.list_runs(
            str(shop.ids["agent"]), project_id=ask.project_id, selects=["NAME"]
        )
    )
    assert sorted(run.name for run in answer.items or []) == ["ChatOpenAI", "agent"]


@newest_covers(what="v2: `client.threads`")
def test_threads_are_queried_with_their_figures(ask: Asker, shop: Shop) -> None:
    threads = ask(lambda client: items(client.threads.query(project_id=ask.project_id)))
    by_id = {thread.thread_id: thread for thread in threads}
    assert sorted(by_id) == ["X", "Y"]
    assert (by_id["X"].count, by_id["X"].total_tokens) == (2, 6000)
    assert (by_id["X"].min_start_time, by_id["X"].max_start_time) == (shop.time(0), shop.time(20))


@newest_covers(what="v2: `client.threads`")
def test_a_thread_has_its_traces_and_statistics(ask: Asker) -> None:
    traces = ask(
        lambda client: items(
            client.threads.list_traces(
                "X", project_id=ask.project_id, selects=["TRACE_ID", "NAME", "TOTAL_TOKENS"]
            )
        )
    )
    assert sorted((trace.name, trace.total_tokens or 0) for trace in traces) == [
        ("agent", 6000),
        ("extractor", 0),
    ]
    stats = ask(
        lambda client: client.threads.stats(
            "X", session_id=ask.project_id, selects=["TURNS", "TOTAL_TOKENS"]
        )
    )
    assert (stats.turns, stats.total_tokens) == (2, 6000)


@newest_covers(what="v2: sharing")
def test_a_run_is_shared_read_without_a_key_and_taken_back(
    ask: Asker, account: Account, shop: Shop
) -> None:
    run_id = str(shop.ids["extractor"])

    async def share_and_read(client: Client) -> tuple[Any, list[Any]]:
        where = {"session_id": ask.project_id, "trace_id": run_id}
        token = (await client.runs.share.create(run_id, **where)).share_token
        again = (await client.runs.share.create(run_id, **where)).share_token
        assert token == again
        assert token is not None
        stranger = Client(api_url=account.endpoint, api_key="none", auto_batch_tracing=False)
        run = await stranger.public.runs.retrieve(
            run_id, share_token=token, selects=["NAME"], start_time=shop.time(20)
        )
        runs = (await stranger.public.runs.query(token, selects=["NAME"])).items or []
        for _ in range(2):
            await client.runs.share.delete(run_id, session_id=ask.project_id)
        return run, runs

    run, runs = ask(share_and_read)
    assert run.name == "extractor"
    assert [found.name for found in runs] == ["extractor"]
    assert not account.client.run_is_shared(run_id)


@newest_covers(what="v2: the server is new enough")
def test_the_sdk_does_not_warn_that_the_server_is_old(account: Account) -> None:
    client = Client(api_url=account.endpoint, api_key=account.api_key, auto_batch_tracing=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.runs
        assert client.threads
        assert client.sessions
