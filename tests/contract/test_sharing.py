"""Sharing a run through the SDK: whoever has the link reads that trace, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from langsmith import Client
from langsmith.utils import LangSmithError, LangSmithNotFoundError

from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

WHAT = "`share_run`, `read_shared_run`, `unshare_run`"


@pytest.fixture
def link(account: Account, shop: Shop) -> Iterator[str]:
    """Share the agent's run for the time of a test."""
    yield account.client.share_run(shop.ids["agent"])
    account.client.unshare_run(shop.ids["agent"])


@pytest.fixture
def stranger(account: Account) -> Client:
    """Someone with the link and no key of this server."""
    return Client(api_url=account.endpoint, api_key="none", auto_batch_tracing=False)


@newest_covers(what=WHAT)
def test_a_shared_run_is_read_without_a_key(link: str, stranger: Client, shop: Shop) -> None:
    run = stranger.read_shared_run(link)
    assert (run.id, run.name) == (shop.ids["agent"], "agent")
    assert run.inputs["messages"][0]["content"] == "Where is my kettle?"


@newest_covers(what=WHAT)
def test_a_shared_run_is_read_with_its_trace(link: str, stranger: Client, shop: Shop) -> None:
    assert stranger.read_shared_run(link, shop.ids["ChatOpenAI"]).name == "ChatOpenAI"
    ids = [str(shop.ids["agent"]), str(shop.ids["ChatOpenAI"])]
    names = sorted(run.name for run in stranger.list_shared_runs(link, run_ids=ids))
    assert names == ["ChatOpenAI", "agent"]


@newest_covers(what=WHAT)
def test_a_link_opens_no_other_trace(link: str, stranger: Client, shop: Shop) -> None:
    with pytest.raises(LangSmithNotFoundError):
        stranger.read_shared_run(link, shop.ids["extractor"])


@newest_covers(what=WHAT)
def test_the_link_of_a_run_is_found_again(link: str, account: Account, shop: Shop) -> None:
    assert account.client.read_run_shared_link(shop.ids["agent"]) == link
    assert account.client.run_is_shared(shop.ids["agent"])
    assert not account.client.run_is_shared(shop.ids["extractor"])


@newest_covers(what=WHAT)
def test_a_link_that_was_taken_back_opens_nothing(
    account: Account, stranger: Client, shop: Shop
) -> None:
    link = account.client.share_run(shop.ids["classify"], share_id=str(uuid.uuid4()))
    account.client.unshare_run(shop.ids["classify"])
    assert account.client.read_run_shared_link(shop.ids["classify"]) is None
    with pytest.raises(LangSmithError):
        stranger.read_shared_run(link)
