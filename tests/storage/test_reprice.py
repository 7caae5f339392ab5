"""Costs computed anew: by the price table of today, once, and beside the workers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from collector.models import Project, Workspace
from collector.prices.table import add_price, check_draft
from collector.reads.runs import find_run
from collector.reads.traces import get_trace
from collector.storage.reprice import Repriced, Span, count_traces, reprice
from collector.wire.operations import RunOperation
from tests.factories import START, make_run, store_runs
from tests.storage.operations import stored

ALL = Span()
DAY = START.date()


def own_model_run(root: RunOperation, tokens: int = 1_000_000, **usage: Any) -> RunOperation:
    """Return a run of a model that only a price table can know."""
    given = {"input_tokens": tokens, "output_tokens": 0, **usage}
    extra = {"metadata": {"ls_model_name": "own", "usage_metadata": given}}
    return make_run(root, run_type="llm", extra=json.dumps(extra).encode())


def trace_of_own_model(tokens: int = 1_000_000, **usage: Any) -> tuple[RunOperation, RunOperation]:
    """Return a root and such a run below it."""
    root = make_run()
    return root, own_model_run(root, tokens, **usage)


def set_price(workspace: Workspace, dollars: str) -> None:
    add_price(workspace, check_draft(model_pattern="own", prices={"input": dollars}))


def all_of(batches: Iterator[Repriced]) -> tuple[int, int, Decimal, Decimal]:
    done = list(batches)
    return (
        sum(batch.run_count for batch in done),
        sum(batch.changed_count for batch in done),
        sum((batch.before for batch in done), Decimal(0)),
        sum((batch.after for batch in done), Decimal(0)),
    )


def costs(project: Project, root: RunOperation, child: RunOperation) -> tuple[Any, ...]:
    """Return what the model run, the trace, and the root's sub-tree cost."""
    run, trace = find_run([project.id], child.id), get_trace([project.id], root.id)
    above = find_run([project.id], root.id)
    assert run is not None
    assert trace is not None
    assert above is not None
    return run.total_cost, trace.total_cost, above.subtree_total_cost


@pytest.mark.django_db
def test_a_new_price_prices_old_runs_and_what_lies_above_them(
    project: Project, workspace: Workspace
) -> None:
    root, child = trace_of_own_model()
    store_runs(project.id, root, child)
    assert costs(project, root, child) == (None, None, None)
    set_price(workspace, "2.5")
    assert all_of(reprice(project.id, ALL)) == (1, 1, 0, Decimal("2.5"))
    assert costs(project, root, child) == (Decimal("2.5"), Decimal("2.5"), Decimal("2.5"))


@pytest.mark.django_db
def test_a_second_time_changes_nothing(project: Project, workspace: Workspace) -> None:
    store_runs(project.id, *trace_of_own_model())
    set_price(workspace, "2.5")
    all_of(reprice(project.id, ALL))
    before = stored(project.id)
    assert all_of(reprice(project.id, ALL)) == (1, 0, 0, 0)
    assert stored(project.id) == before


@pytest.mark.django_db
def test_it_gives_what_ingest_would_have_given(project: Project, workspace: Workspace) -> None:
    other = Project.objects.create(workspace=workspace, name="other")
    operations = [*trace_of_own_model(), *trace_of_own_model(7)]
    store_runs(project.id, *operations)
    set_price(workspace, "2.5")
    all_of(reprice(project.id, ALL))
    store_runs(other.id, *operations)
    assert stored(project.id) == stored(other.id)


@pytest.mark.django_db
def test_a_cost_that_the_client_stated_stays(project: Project, workspace: Workspace) -> None:
    root, child = trace_of_own_model(total_cost=0)
    store_runs(project.id, root, child)
    set_price(workspace, "2.5")
    assert all_of(reprice(project.id, ALL)) == (1, 0, 0, 0)
    assert costs(project, root, child)[0] == 0


@pytest.mark.django_db
def test_only_missing_leaves_priced_runs_as_they_are(
    project: Project, workspace: Workspace
) -> None:
    set_price(workspace, "1")
    first, second = trace_of_own_model(), trace_of_own_model()
    store_runs(project.id, *first)
    with connection.cursor() as cursor:  # as if it had come before the price
        store_runs(project.id, *second)
        cursor.execute(
            "UPDATE run SET prompt_cost = NULL, completion_cost = NULL, total_cost = NULL WHERE id = %s",
            [second[1].id],
        )
        cursor.execute("UPDATE trace SET total_cost = NULL WHERE id = %s", [second[0].id])
    set_price(workspace, "3")
    assert all_of(reprice(project.id, ALL, only_missing=True)) == (1, 1, 0, 3)
    assert costs(project, *first)[:2] == (1, 1)
    assert costs(project, *second)[:2] == (3, 3)


@pytest.mark.django_db
def test_a_dry_run_tells_and_writes_nothing(project: Project, workspace: Workspace) -> None:
    store_runs(project.id, *trace_of_own_model())
    set_price(workspace, "2.5")
    before = stored(project.id)
    assert all_of(reprice(project.id, ALL, is_dry_run=True)) == (1, 1, 0, Decimal("2.5"))
    assert stored(project.id) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("span", "count"),
    [
        (Span(), 1),
        (Span(DAY, DAY), 1),
        (Span(since=DAY + timedelta(days=1)), 0),
        (Span(until=DAY - timedelta(days=1)), 0),
    ],
)
def test_only_the_days_asked_for_are_looked_at(project: Project, span: Span, count: int) -> None:
    store_runs(project.id, *trace_of_own_model())
    assert count_traces(project.id, span) == count
    assert all_of(reprice(project.id, span))[0] == count


@pytest.mark.django_db
def test_what_was_done_before_an_interruption_is_kept(
    project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.storage.reprice.TRACES_PER_BATCH", 2)
    for _ in range(5):
        store_runs(project.id, *trace_of_own_model())
    set_price(workspace, "1")
    assert next(reprice(project.id, ALL)).changed_count == 2
    assert all_of(reprice(project.id, ALL)) == (5, 3, 0, 3)


@pytest.mark.usefixtures("store")
def test_runs_that_arrive_meanwhile_are_counted_once(
    project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.storage.reprice.TRACES_PER_BATCH", 3)
    roots = [make_run() for _ in range(10)]
    store_runs(project.id, *roots)
    errors: list[BaseException] = []

    def ingest() -> None:
        try:
            for root in roots * 6:
                store_runs(project.id, own_model_run(root))
        except BaseException as error:  # noqa: BLE001 (told below)
            errors.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=ingest)
    worker.start()
    for dollars in ("1", "2", "3"):
        set_price(workspace, dollars)
        all_of(reprice(project.id, ALL))
    worker.join()
    assert errors == []
    all_of(reprice(project.id, ALL))
    for trace in stored(project.id)["traces"].values():
        assert (trace["run_count"], trace["total_cost"]) == (7, 18)


@pytest.mark.django_db
def test_the_command_says_what_it_did(project: Project, workspace: Workspace) -> None:
    store_runs(project.id, *trace_of_own_model())
    set_price(workspace, "2.5")
    out = StringIO()
    call_command("reprice", "--project", project.name, "--since", str(DAY), stdout=out)
    assert out.getvalue() == "1 model runs in 1 traces: 1 changed, from $0 to $2.5000000.\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments", [["--project", "nope"], ["--since", "yesterday"], ["--until", "2026-13-01"]]
)
def test_the_command_refuses_what_it_does_not_understand(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("reprice", *arguments)
