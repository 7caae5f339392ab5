"""Projects through the SDK: made, found, changed, deleted, and their statistics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from langsmith import Client, uuid7
from langsmith.utils import LangSmithConflictError, LangSmithError, LangSmithNotFoundError

from benchmarks.server import Server
from tests.contract.shop import Shop
from tests.contract.support import Account, new_project, newest_covers, wait_for

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

# gpt-4o-mini: 0.15 USD a million tokens, 0.075 of the 1,000 cached ones, 0.60 of completion
PROMPT_COST, COMPLETION_COST = Decimal("0.000525"), Decimal("0.0012")


@newest_covers(what="`create_project`, `read_project`, `has_project`")
def test_a_project_is_read_as_it_was_made(account: Account) -> None:
    name = new_project("made / 返金 & 50%")
    made = account.client.create_project(name, description="Kettles.", metadata={"team": "kiln"})
    project = account.client.read_project(project_name=name)
    assert (project.id, project.description) == (made.id, "Kettles.")
    assert project.metadata == {"team": "kiln"}
    assert account.client.read_project(project_id=str(made.id)).name == name
    assert account.client.has_project(name)


@newest_covers(what="`create_project`, `read_project`, `has_project`")
def test_a_name_is_taken_once_unless_an_upsert_asks_for_it(account: Account) -> None:
    name = new_project("taken")
    made = account.client.create_project(name)
    with pytest.raises(LangSmithConflictError):
        account.client.create_project(name)
    again = account.client.create_project(name, description="again", upsert=True)
    assert (again.id, again.description) == (made.id, "again")


@newest_covers(what="`update_project`")
def test_an_update_changes_what_it_names(account: Account) -> None:
    made = account.client.create_project(new_project("before"), description="kept")
    ended, name = datetime.now(UTC), new_project("after")
    account.client.update_project(made.id, name=name, metadata={"a": 1}, end_time=ended)
    project = account.client.read_project(project_name=name)
    assert (project.id, project.description, project.metadata) == (made.id, "kept", {"a": 1})
    assert project.end_time is not None
    assert project.end_time.replace(tzinfo=UTC) == ended


@newest_covers(what="`delete_project`")
def test_a_project_is_deleted_with_its_runs_by_an_admins_key(
    account: Account, runwood: Server
) -> None:
    name = new_project("deleted")
    run_id = uuid7()
    account.client.create_run("last", {}, "chain", project_name=name, id=run_id)
    account.client.flush()
    wait_for(lambda: account.client.read_run(run_id), lambda _: True)
    with pytest.raises(LangSmithError, match="admin"):
        account.client.delete_project(project_name=name)
    admin = Client(
        api_url=account.endpoint, api_key=runwood.api_key("admin"), auto_batch_tracing=False
    )
    admin.delete_project(project_name=name)
    assert not account.client.has_project(name)
    assert list(account.client.list_projects(name=name)) == []
    with pytest.raises(LangSmithNotFoundError):
        account.client.read_run(run_id)


@newest_covers(what="`list_projects`")
def test_projects_are_listed_by_name_part_of_it_id_and_metadata(account: Account) -> None:
    name = new_project("listed")
    made = account.client.create_project(name, metadata={"unique": name})
    queries = (
        {"name": name},
        {"name_contains": name[2:-1]},
        {"project_ids": [made.id]},
        {"metadata": {"unique": name}},
    )
    for query in queries:
        assert [found.name for found in account.client.list_projects(**query)] == [name], query
    assert len(list(account.client.list_projects(limit=2))) == 2
    assert name in [found.name for found in account.client.list_projects(reference_free=True)]


@newest_covers(what="`read_project(include_stats=True)`")
def test_a_project_knows_its_figures(account: Account, shop: Shop) -> None:
    project = account.client.read_project(project_name=shop.project, include_stats=True)
    assert project.run_count == 7
    assert (project.prompt_tokens, project.completion_tokens) == (4000, 2000)
    assert project.total_tokens == 6000
    assert project.prompt_cost == PROMPT_COST
    assert project.completion_cost == COMPLETION_COST
    assert project.total_cost == PROMPT_COST + COMPLETION_COST
    assert project.error_rate is not None
    assert 0 < project.error_rate < 1
    assert project.last_run_start_time is not None
    assert project.last_run_start_time.replace(tzinfo=UTC) == shop.time(50)
    assert project.latency_p50 is not None
    assert timedelta(0) < project.latency_p50 <= timedelta(seconds=12)
    assert project.feedback_stats is not None
    assert project.feedback_stats["star_rating"]["n"] == 2
    assert project.feedback_stats["star_rating"]["avg"] == 4


@newest_covers(what="`get_run_stats`")
def test_statistics_count_the_runs_that_a_query_finds(account: Account, shop: Shop) -> None:
    stats = account.client.get_run_stats(project_names=[shop.project], is_root=True)
    assert stats["run_count"] == 5
    assert stats["total_tokens"] == 6000
    assert stats["error_rate"] == pytest.approx(1 / 5)
    assert Decimal(str(stats["total_cost"])) == PROMPT_COST + COMPLETION_COST
    models = account.client.get_run_stats(project_names=[shop.project], run_type="llm")
    assert models["run_count"] == 2
    assert models["latency_p50"] == pytest.approx(1.25, abs=0.8)
    slow = account.client.get_run_stats(project_names=[shop.project], filter='gt(latency, "5s")')
    assert slow["run_count"] == 1


@newest_covers(what="`get_run_stats`")
def test_statistics_of_nothing_are_zeros_and_nulls(account: Account, shop: Shop) -> None:
    stats = account.client.get_run_stats(
        project_names=[shop.project], start_time=datetime.now(UTC).isoformat()
    )
    assert (stats["run_count"], stats["total_tokens"], stats["latency_p50"]) == (0, 0, None)
