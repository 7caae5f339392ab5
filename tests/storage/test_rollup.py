"""What is known only of a whole trace: who is whose parent, and what a sub-tree took."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.storage.terms import MAX_TERMS_PER_TRACE, OVERFLOW, flatten, term
from collector.wire.operations import RunOperation
from tests.factories import make_run
from tests.storage.operations import finish_traces, store

pytestmark = pytest.mark.django_db(transaction=True)


def rows(project_id: UUID, *columns: str) -> dict[UUID, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {', '.join(columns)} FROM run WHERE project_id = %s", [project_id]
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def llm_run(parent: RunOperation, tokens: int, **fields: Any) -> RunOperation:
    usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
    outputs = json.dumps({"usage_metadata": usage}).encode()
    return make_run(
        trace_id=parent.trace_id, parent_run_id=parent.id, run_type="llm", outputs=outputs, **fields
    )


def stored_terms(project_id: UUID) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT terms FROM trace_terms WHERE project_id = %s", [project_id])
        return {term for (terms,) in cursor.fetchall() for term in terms}


def test_a_trace_that_comes_whole_is_rolled_up_at_once() -> None:
    project_id, root = uuid.uuid4(), make_run()
    step = make_run(trace_id=root.id, parent_run_id=root.id)
    store(project_id, [[llm_run(step, 10), llm_run(step, 5), root, step]])
    sums = rows(project_id, "subtree_prompt_tokens", "subtree_total_tokens")
    assert sums[root.id] == sums[step.id] == (15, 17)


def test_a_run_with_nothing_below_it_has_no_sums_of_its_own() -> None:
    project_id, root = uuid.uuid4(), make_run()
    model = llm_run(root, 10)
    store(project_id, [[root, model]])
    assert rows(project_id, "subtree_total_tokens")[model.id] == (None,)


def test_a_trace_that_comes_in_parts_is_rolled_up_once_it_is_quiet() -> None:
    project_id, root = uuid.uuid4(), make_run()
    store(project_id, [[llm_run(root, 10)], [root], [llm_run(root, 1)]])
    finish_traces(project_id)
    assert rows(project_id, "subtree_total_tokens")[root.id] == (13,)


@st.composite
def trees(draw: st.DrawFn) -> list[RunOperation]:
    root = make_run()
    runs = [root]
    for tokens in draw(st.lists(st.integers(0, 9), max_size=7)):
        parent = draw(st.sampled_from(runs))
        runs.append(
            llm_run(parent, tokens)
            if tokens
            else make_run(trace_id=root.id, parent_run_id=parent.id)
        )
    return runs


def naive_total(runs: Sequence[RunOperation], run: RunOperation) -> int:
    own = json.loads(run.outputs)["usage_metadata"]["total_tokens"] if run.run_type == "llm" else 0
    return own + sum(naive_total(runs, child) for child in runs if child.parent_run_id == run.id)


@given(trees(), st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_counted_run_goes_once_into_each_of_its_ancestors(
    runs: list[RunOperation], order: random.Random, parts: int
) -> None:
    project_id, shuffled = uuid.uuid4(), list(runs)
    order.shuffle(shuffled)
    store(project_id, [shuffled[part::parts] for part in range(parts)])
    finish_traces(project_id)
    found = rows(project_id, "coalesce(subtree_total_tokens, total_tokens, 0)")
    assert found == {run.id: (naive_total(runs, run),) for run in runs}


def test_a_circle_of_parents_ends() -> None:
    project_id, root, first, second = uuid.uuid4(), make_run(), uuid.uuid4(), uuid.uuid4()
    circle = [
        make_run(id=first, trace_id=root.id, parent_run_id=second),
        make_run(id=second, trace_id=root.id, parent_run_id=first),
    ]
    store(project_id, [[root, *circle]])
    assert len(rows(project_id, "id")) == 3


# --- OpenTelemetry names parents by 8 bytes ---------------------------------------------------------


def test_a_span_hangs_under_the_root_that_its_parent_span_became() -> None:
    project_id, root = uuid.uuid4(), make_run(span_id=-7)
    span = make_run(id=UUID(int=5), trace_id=root.id, parent_run_id=UUID(int=2**64 - 7), span_id=5)
    store(project_id, [[span], [root]])  # spans are exported when they end: children first
    finish_traces(project_id)
    assert rows(project_id, "parent_run_id")[span.id] == (root.id,)


def test_a_span_hangs_under_the_run_in_which_it_was_opened() -> None:
    project_id, root = uuid.uuid4(), make_run()
    run = make_run(trace_id=root.id, parent_run_id=root.id)
    opened_in = UUID(int=run.id.int >> 64)
    span = make_run(id=UUID(int=5), trace_id=root.id, parent_run_id=opened_in, span_id=5)
    store(project_id, [[root, run, span]])
    assert rows(project_id, "parent_run_id")[span.id] == (run.id,)


def test_a_span_whose_parent_never_comes_keeps_the_name_of_it() -> None:
    project_id, root = uuid.uuid4(), make_run()
    span = make_run(id=UUID(int=5), trace_id=root.id, parent_run_id=UUID(int=9), span_id=5)
    store(project_id, [[root, span]])
    assert rows(project_id, "parent_run_id")[span.id] == (UUID(int=9),)


# --- Terms ------------------------------------------------------------------------------------------


def test_what_a_run_says_is_among_the_terms_of_its_trace() -> None:
    project_id = uuid.uuid4()
    run = make_run(
        name="agent",
        tags=["prod"],
        error="ValueError",
        inputs=b'{"messages": [{"content": "hi"}]}',
        outputs=b'{"answer": 42}',
        extra=b'{"metadata": {"user": {"plan": "pro"}}}',
    )
    store(project_id, [[run]])
    expected = {
        term(project_id, "name", "agent"),
        term(project_id, "tag", "prod"),
        term(project_id, "error", ""),
        term(project_id, "input", "messages.content", "hi"),
        term(project_id, "output", "answer", "42"),
        term(project_id, "metadata_key", "user.plan"),
        term(project_id, "metadata", "user.plan", "pro"),
    }
    assert expected <= stored_terms(project_id)


def test_what_comes_later_is_added_to_the_terms() -> None:
    project_id, run = uuid.uuid4(), make_run(name="first")
    store(project_id, [[run], [make_run(trace_id=run.id, parent_run_id=run.id, name="second")]])
    assert {term(project_id, "name", name) for name in ("first", "second")} <= stored_terms(
        project_id
    )


def test_a_trace_that_says_too_much_may_say_anything() -> None:
    project_id, root = uuid.uuid4(), make_run()
    runs = [
        make_run(trace_id=root.id, parent_run_id=root.id, name=f"step {number}")
        for number in range(MAX_TERMS_PER_TRACE + 1)
    ]
    store(project_id, [[root, *runs], [llm_run(root, 1)]])
    assert stored_terms(project_id) == {OVERFLOW}


def test_terms_of_another_project_are_other_numbers() -> None:
    assert term(uuid.uuid4(), "name", "agent") != term(uuid.uuid4(), "name", "agent")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1, max_size=3), json_values, max_size=4))
def test_every_leaf_of_an_object_has_its_path(value: dict[str, Any]) -> None:
    def leaves(item: Any) -> int:
        if isinstance(item, dict):
            return sum(leaves(child) for child in item.values())
        return sum(leaves(child) for child in item) if isinstance(item, list) else 1

    assert len(flatten(value)) == leaves(value)
