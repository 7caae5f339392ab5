"""Threads through the SDK: the roots of one conversation."""

from __future__ import annotations

import pytest

from tests.contract.shop import Shop
from tests.contract.support import Account, newest_covers

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@newest_covers(what="`list_threads`, `read_thread`")
def test_a_thread_is_found_by_whichever_key_named_it(account: Account, shop: Shop) -> None:
    threads = account.client.list_threads(project_name=shop.project)
    assert [(thread["thread_id"], thread["count"]) for thread in threads] == [("Y", 1), ("X", 2)]
    newest, oldest = threads
    assert [run.name for run in newest["runs"]] == ["waiting"]
    assert [run.name for run in oldest["runs"]] == ["agent", "extractor"]


@newest_covers(what="`list_threads`, `read_thread`")
def test_a_thread_is_read_in_the_order_of_its_turns(account: Account, shop: Shop) -> None:
    turns = account.client.read_thread(thread_id="X", project_name=shop.project)
    assert [run.name for run in turns] == ["agent", "extractor"]
    limited = account.client.read_thread(
        thread_id="X", project_name=shop.project, filter='has(tags, "beta")'
    )
    assert [run.name for run in limited] == ["extractor"]
    assert list(account.client.read_thread(thread_id="Z", project_name=shop.project)) == []
