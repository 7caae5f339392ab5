"""The rows depend on the set of operations only, through the real inbox, worker code and tables."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.storage.seal import seal_trace
from collector.wire.operations import RunOperation
from tests.storage.operations import DAY, new_project_id, store, stored, traces

pytestmark = pytest.mark.usefixtures("store")
through_tables = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[RunOperation], list[list[RunOperation]]]:
    """A trace's operations, and one way in which they may arrive: permuted, repeated, split."""
    operations = draw(traces())
    repeated = operations + draw(st.lists(st.sampled_from(operations), max_size=4))
    order = draw(st.permutations(repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    batches = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True) if b > a]
    return operations, batches


@through_tables
@given(arrivals())
def test_any_order_repetition_and_split_gives_the_same_rows(
    arrival: tuple[list[RunOperation], list[list[RunOperation]]],
) -> None:
    operations, batches = arrival
    at_once, as_arrived = new_project_id(), new_project_id()
    store(at_once, [operations])
    store(as_arrived, batches)
    assert stored(as_arrived) == stored(at_once)


@through_tables
@given(arrivals())
def test_sealing_changes_nothing_that_a_reader_sees(
    arrival: tuple[list[RunOperation], list[list[RunOperation]]],
) -> None:
    _operations, batches = arrival
    project_id = new_project_id()
    store(project_id, batches)
    before = stored(project_id)
    for trace_id in before["traces"]:
        with transaction.atomic():
            seal_trace(project_id, trace_id, DAY)
    assert stored(project_id) == before


@through_tables
@given(traces())
def test_trace_totals_equal_a_recount(operations: Sequence[RunOperation]) -> None:
    project_id = new_project_id()
    store(project_id, [[operation] for operation in operations])
    content = stored(project_id)
    for trace in content["traces"].values():
        runs = list(content["runs"].values())
        counted = [run for run in runs if run["run_type"] in ("llm", "embedding")]
        assert trace["run_count"] == len(runs)
        assert trace["ended_count"] == sum(run["end_time"] is not None for run in runs)
        assert trace["error_count"] == sum(run["status"] == "error" for run in runs)
        assert trace["total_tokens"] == sum(run["total_tokens"] or 0 for run in counted)
