"""Filters against stored runs: each documented example, what each operator means, and that none leads out."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from collector.query.langsmith import parse_filter
from collector.query.tree import Compare, Expression, render
from collector.reads import run_filter, runs, scan
from collector.reads.types import RunFilter
from collector.wire.operations import Batch, FeedbackOperation, RunOperation
from tests.factories import SECOND, START, make_feedback, make_run, store, store_runs
from tests.reads.naive_filter import Facts, holds
from tests.unit.query.strategies import IDS, comparisons, expressions

pytestmark = pytest.mark.django_db
PROJECT, OTHER = UUID(int=1), UUID(int=2)


def listed(text: str = "", **options: Any) -> list[str]:
    """Return the names of the runs that a filter finds, in alphabetical order."""
    expression = parse_filter(text) if text else None
    page = runs.list_runs([PROJECT], RunFilter(expression=expression, **options))
    return sorted(run.name for run in page.items)


def said(**metadata: Any) -> bytes:
    return json.dumps({"metadata": metadata}).encode()


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": prompt + completion,
    }


@pytest.fixture
def shop() -> dict[str, RunOperation]:
    """Five roots and two models, each found by some of the documented filters."""
    agent = make_run(
        name="agent", tags=["experimental"], end_time=START + 12 * SECOND, extra=said(variant="prod", thread_id="X"),
        inputs=b'{"q": "1"}', outputs=b'{"answer": 41.5}',
    )  # fmt: skip
    model = make_run(
        agent, name="ChatOpenAI", run_type="llm", after_seconds=1, end_time=START + 3 * SECOND,
        extra=said(usage_metadata=usage(5_000, 1_000), ls_model_name="gpt-4.1"),
    )  # fmt: skip
    extractor = make_run(
        name="extractor", tags=["beta", "x"], start_time=START + SECOND, end_time=START + 4 * SECOND,
        extra=said(variant="dev", conversation_id="X"),
        inputs=b'{"messages": [{"role": "user", "content": "My REFUND, please"}]}',
    )  # fmt: skip
    classify = make_run(
        name="classify", start_time=START + 2 * SECOND, error="ValueError: no\n\nTraceback: at line 7",
        inputs=b'{"task": "Classification of an image"}',
    )  # fmt: skip
    broken = make_run(
        classify, name="ChatAnthropic", run_type="llm", error="TimeoutError", end_time=START + 2.1 * SECOND
    )  # fmt: skip
    plumbing = make_run(name="plumbing", tags=["langsmith:hidden"], start_time=START + 3 * SECOND)
    waiting = make_run(name="waiting", start_time=START + 4 * SECOND, end_time=None)
    found = [agent, model, extractor, classify, broken, plumbing, waiting]
    feedback = [
        make_feedback(plumbing, "star_rating", 5.0),
        make_feedback(plumbing, "Correctness", 1.0, value='"größer"'.encode()),
        make_feedback(extractor, "star_rating", 3.0),
        make_feedback(extractor, "Correctness", 0.0, value=b'"gr\\u00f6\\u00dfer"'),
        make_feedback(agent, "note", None, value=b"5"),
    ]
    store(PROJECT, Batch(runs=found, feedback=feedback))
    return {run.name or "": run for run in found}


ROOTS = ["agent", "classify", "extractor", "plumbing", "waiting"]
ALL = sorted([*ROOTS, "ChatOpenAI", "ChatAnthropic"])

DOCUMENTED = {
    "eq(is_root, true)": ROOTS,
    'and(eq(is_root, true), neq(status, "pending"))': ["agent", "classify", "extractor", "plumbing"],
    'and(eq(run_type, "chain"), gt(latency, 10), gt(total_tokens, 5000))': ["agent"],
    'gt(latency, "5s")': ["agent"],
    "neq(error, null)": ["ChatAnthropic", "classify"],
    'and(gt(start_time, "2023-07-15T12:34:56Z"), or(neq(error, null), and(eq(feedback_key, "Correctness"), eq(feedback_score, 0.0))))': [
        "ChatAnthropic", "classify", "extractor",
    ],
    'and(or(has(tags, "experimental"), has(tags, "beta")), gt(latency, 2))': ["agent", "extractor"],
    'and(eq(feedback_key, "star_rating"), gt(feedback_score, 4))': ["plumbing"],
    'search("image classification")': ["classify"],
    'search(name, "agent")': ["agent"],
    'and(eq(metadata_key, "variant"), eq(metadata_value, "prod"))': ["agent"],
    'and(in(metadata_key, ["session_id","conversation_id","thread_id"]), eq(metadata_value, "X"))': [
        "agent", "extractor",
    ],
    """has(metadata, '{"variant": "prod"}')""": ["agent"],
    'eq(thread_id, "X")': ["agent", "extractor"],
    'and(eq(name, "extractor"), and(eq(input_key, "messages.content"), like(input_value, "%refund%")))': [
        "extractor",
    ],
    'exists(metadata, "variant")': ["agent", "extractor"],
    'in(name, ["ChatOpenAI", "ChatAnthropic"])': ["ChatAnthropic", "ChatOpenAI"],
    'not(has(tags, "langsmith:hidden"))': [name for name in ALL if name != "plumbing"],
}  # fmt: skip


@pytest.mark.parametrize("text", DOCUMENTED)
def test_a_documented_filter_finds_the_runs_that_it_describes(
    shop: dict[str, RunOperation], text: str
) -> None:
    assert listed(text) == DOCUMENTED[text]


FURTHER = {
    # pairs
    'and(and(eq(metadata_key, "variant"), eq(metadata_value, "prod")), and(eq(metadata_key, "thread_id"), eq(metadata_value, "X")))': ["agent"],
    'and(eq(metadata_key, "variant"), eq(metadata_value, "X"))': [],
    'and(eq(metadata_key, "variant"), neq(metadata_value, "prod"))': ["extractor"],
    'and(neq(metadata_key, "variant"), eq(is_root, true))': ["classify", "plumbing", "waiting"],
    'and(eq(is_root, true), neq(metadata_value, "prod"))': ["classify", "extractor", "plumbing", "waiting"],
    'like(metadata_key, "VAR%")': ["agent", "extractor"],
    'and(eq(metadata_key, "usage_metadata.input_tokens"), gt(metadata_value, 4999))': ["ChatOpenAI"],
    'and(eq(output_key, "answer"), eq(output_value, 41.5))': ["agent"],
    'and(eq(input_key, "q"), eq(input_value, 1))': ["agent"],
    'or(eq(input_key, "q"), eq(input_key, "task"))': ["agent", "classify"],
    'not(and(eq(input_key, "q"), eq(is_root, true)))': [name for name in ALL if name != "agent"],
    "has(metadata, 'variant')": ["agent", "extractor"],
    """has(metadata, '{"usage_metadata": {"input_tokens": 5000}, "ls_model_name": "gpt-4.1"}')""": ["ChatOpenAI"],
    # feedback
    'eq(feedback_key, "star_rating")': ["extractor", "plumbing"],
    'and(neq(feedback_key, "star_rating"), eq(is_root, true))': ["agent", "classify", "waiting"],
    'and(eq(feedback_key, "star_rating"), neq(feedback_score, 5))': ["extractor"],
    'and(eq(feedback_key, "note"), lt(feedback_score, 5))': [],
    'eq(feedback_value, "größer")': ["extractor", "plumbing"],
    "eq(feedback_value, 5)": ["agent"],
    'like(feedback_key, "correct%")': ["extractor", "plumbing"],
    # errors
    "eq(error, null)": ["ChatOpenAI", "agent", "extractor", "plumbing", "waiting"],
    "eq(error, true)": ["ChatAnthropic", "classify"],
    "eq(error, false)": ["ChatOpenAI", "agent", "extractor", "plumbing", "waiting"],
    'like(error, "%line 7%")': ["classify"],
    'search(error, "traceback valueerror")': ["classify"],
    # what is missing
    "lt(latency, 1000)": ["ChatAnthropic", "ChatOpenAI", "agent", "classify", "extractor", "plumbing"],
    "not(lt(latency, 1000))": ["waiting"],
    "eq(end_time, null)": ["waiting"],
    "gte(total_tokens, 0)": ["ChatOpenAI", "agent"],
    'and(neq(thread_id, "X"), eq(is_root, true))': ["classify", "plumbing", "waiting"],
    "neq(thread_id, null)": ["agent", "extractor"],
    # texts
    'eq(name, "Agent")': [],
    'like(name, "CHAT%")': ["ChatAnthropic", "ChatOpenAI"],
    'like(name, "_gent")': ["agent"],
    r'like(name, "\\")': [],
    'eq(model, "gpt-4.1")': ["ChatOpenAI"],
    'in(tags, ["beta", "experimental"])': ["agent", "extractor"],
    'eq(tags, "beta")': ["extractor"],
    "in(name, [])": [],
    'search("refund")': ["extractor"],
    'search(inputs, "refund")': ["extractor"],
    'search(outputs, "refund")': [],
    'search("chatopenai")': ["ChatOpenAI"],
    # times
    'lte(start_time, "2026-11-24T12:00:00.123456")': ["agent"],
    'eq(start_time, "2026-11-24T13:00:00.123456+01:00")': ["agent"],
    'lt(latency, "500ms")': ["ChatAnthropic"],
}  # fmt: skip


@pytest.mark.parametrize("text", FURTHER)
def test_a_filter_means_what_its_parts_mean(shop: dict[str, RunOperation], text: str) -> None:
    assert listed(text) == FURTHER[text]


def test_ids_are_found_by_id(shop: dict[str, RunOperation]) -> None:
    model, agent = shop["ChatOpenAI"], shop["agent"]
    assert listed(f'eq(id, "{model.id}")') == ["ChatOpenAI"]
    assert listed(f'in(id, ["{model.id.hex}", "{agent.id}"])') == ["ChatOpenAI", "agent"]
    assert listed(f'eq(trace_id, "{agent.id}")') == ["ChatOpenAI", "agent"]
    assert listed(f'eq(parent_run_id, "{agent.id}")') == ["ChatOpenAI"]
    assert listed(f'eq(session_id, "{PROJECT}")') == ALL
    assert listed(f'neq(id, "{agent.id}")') == [name for name in ALL if name != "agent"]


def test_runs_on_an_example_are_found_by_it() -> None:
    store_runs(PROJECT, make_run(name="a", reference_example_id=IDS[0]), make_run(name="b"))
    assert listed(f'eq(reference_example, "{IDS[0]}")') == ["a"]
    assert listed(f'neq(reference_example_id, "{IDS[0]}")') == ["b"]
    assert listed(reference_example_ids=(IDS[0], IDS[1])) == ["a"]
    assert listed(reference_example_ids=(IDS[1],)) == []


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        ("root_expression", 'eq(name, "agent")', ["ChatOpenAI", "agent"]),
        ("root_expression", "and(eq(metadata_key, 'variant'), eq(metadata_value, 'prod'))", ["ChatOpenAI", "agent"]),
        ("root_expression", 'not(search("refund"))', [name for name in ALL if name != "extractor"]),
        ("root_expression", 'eq(name, "ChatOpenAI")', []),
        ("tree_expression", 'eq(name, "ChatOpenAI")', ["ChatOpenAI", "agent"]),
        ("tree_expression", 'search("gpt-4.1")', ["ChatOpenAI", "agent"]),
        ("tree_expression", "and(eq(run_type, 'llm'), eq(metadata_key, 'variant'))", []),
        ("tree_expression", "eq(feedback_key, 'note')", ["ChatOpenAI", "agent"]),
    ],
)  # fmt: skip
def test_a_filter_may_speak_of_the_root_or_of_any_one_run_of_the_trace(
    shop: dict[str, RunOperation], option: str, text: str, expected: list[str]
) -> None:
    assert listed(**{option: parse_filter(text)}) == expected
    assert listed("eq(is_root, true)", **{option: parse_filter(text)}) == [
        name for name in expected if name in ROOTS
    ]


def test_a_trace_that_says_too_much_for_its_terms_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.storage.terms.MAX_TERMS_PER_TRACE", 3)
    store_runs(PROJECT, make_run(name="wordy", extra=said(a=1, b=2, c=3)))
    store_runs(PROJECT, make_run(name="terse", extra=said(a=1)))
    assert listed('and(eq(metadata_key, "c"), eq(metadata_value, 3))') == ["wordy"]
    assert listed('eq(name, "wordy")') == ["wordy"]
    assert listed('eq(metadata_key, "a")') == ["terse", "wordy"]


def pages(filter_: RunFilter, limit: int, *, is_descending: bool) -> Iterator[list[str]]:
    cursor = None
    while True:
        page = runs.list_runs([PROJECT], filter_, cursor, limit, is_descending=is_descending)
        yield [run.name for run in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("few", [0, 1_000], ids=["walking", "by terms"])
@pytest.mark.parametrize("is_descending", [True, False])
def test_pages_of_a_rechecked_filter_hold_every_match_once(
    monkeypatch: pytest.MonkeyPatch, few: int, is_descending: bool
) -> None:
    monkeypatch.setattr(run_filter, "FEW_TRACES", few)
    monkeypatch.setattr(scan, "FIRST_CHUNK_ROWS", 4)
    monkeypatch.setattr(scan, "MOST_BATCH_ROWS", 3)
    made = [
        make_run(
            name=f"run {number:02}", start_time=START + number * SECOND, extra=said(n=number % 3)
        )
        for number in range(20)
    ]
    store_runs(PROJECT, *made)
    expected = [f"run {number:02}" for number in range(0, 20, 3)]
    filter_ = RunFilter(
        expression=parse_filter("and(eq(metadata_key, 'n'), eq(metadata_value, 0))")
    )
    found = list(pages(filter_, 2, is_descending=is_descending))
    assert list(itertools.chain(*found)) == (expected[::-1] if is_descending else expected)
    assert [len(page) for page in found[:-1]] == [2] * (len(found) - 1)


def test_matching_runs_are_iterated_newest_first_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "PAGE_RUNS", 2)
    store_runs(PROJECT, *(make_run(name=str(n), start_time=START + n * SECOND) for n in range(7)))
    filter_ = RunFilter(expression=parse_filter('not(search(name, "5"))'))
    found = [run.name for run in runs.iterate_matching([PROJECT], filter_, 5)]
    assert found == ["6", "4", "3", "2", "1"]
    assert len(list(runs.iterate_matching([PROJECT], filter_, 100))) == 6


def test_the_conditions_of_a_filter_without_payloads_are_exact(
    shop: dict[str, RunOperation],
) -> None:
    """As statistics use them: with the projects, and nothing else, added."""
    for text, needs_payload in (("gt(latency, 5)", False), ('search("refund")', True)):
        compiled = run_filter.compile_run_filter(
            [PROJECT], RunFilter(expression=parse_filter(text), start_from=START)
        )
        assert compiled.needs_payload is needs_payload
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM run WHERE run.project_id = ANY(%(project_ids)s::uuid[]) AND "
                + " AND ".join(compiled.conditions),
                {**compiled.params, "project_ids": [PROJECT]},
            )
            assert cursor.fetchone()[0] == (7 if needs_payload else 1)


# Held against the plain definition ------------------------------------------------------------------

VALUES = ("agent", "refund", "gpt", "prod", 10, 5, 5.0, "5", True, None, "Ä%_\\", 'it\'s "x"', 0.5)
NAMES = ("agent", "refund", "gpt", "Ä%_\\", 'it\'s "x"', "10", "")


def random_run(rng: random.Random, number: int, parent: RunOperation | None) -> RunOperation:
    def pairs() -> dict[str, Any]:
        keys = ("thread_id", "session_id", "variant", "n", "ls_model_name", "missing")
        flat = {key: rng.choice(VALUES) for key in keys if rng.random() < 0.3}
        flat.pop("ls_model_name", None)
        nested = {"a": {"b": rng.choice(VALUES)}, "messages": [{"content": rng.choice(VALUES)}]}
        return flat | (nested if rng.random() < 0.4 else {})

    metadata = {
        key: value
        for key, value in pairs().items()
        if key not in ("thread_id", "session_id") or isinstance(value, str)
    }
    if rng.random() < 0.3:
        metadata["ls_model_name"] = rng.choice(("gpt", "agent"))
    if rng.random() < 0.5:
        metadata["usage_metadata"] = usage(rng.choice((1, 5)), rng.choice((0, 5)))
    start = START.replace(microsecond=0) + rng.choice((0, 1, 5, 60)) * SECOND
    return make_run(
        parent,
        name=rng.choice(NAMES),
        run_type=rng.choice(("llm", "chain", None)),
        start_time=start,
        end_time=rng.choice((None, start, start + 5 * SECOND, start + timedelta(seconds=0.5))),
        error=rng.choice((None, None, "refund\nÄ%_\\ Agent", "10")),
        tags=rng.choice((None, [], ["prod"], ["prod", "refund"], ["Ä%_\\"])),
        inputs=rng.choice((b"", json.dumps(pairs()).encode())),
        outputs=rng.choice((b"", json.dumps(pairs(), ensure_ascii=False).encode())),
        extra=json.dumps({"metadata": metadata}).encode(),
        reference_example_id=rng.choice((None, None, *IDS)),
        **({"id": IDS[number]} if number < len(IDS) else {}),
    )


def store_zoo(seed: int) -> list[Facts]:
    """Store forty runs of all kinds, some of them judged, in two projects."""
    rng = random.Random(seed)
    facts = []
    number = 0
    for project_id in (PROJECT, OTHER):
        for _ in range(8):
            family = [random_run(rng, number, None)]
            while rng.random() < 0.65 and len(family) < 5:
                number += 1
                family.append(random_run(rng, number, rng.choice(family)))
            number += 1
            feedback: list[FeedbackOperation] = [
                make_feedback(
                    run, rng.choice(("variant", "n")), rng.choice((None, 0.0, 1.0, 5.0)),
                    value=rng.choice((b"", b'"agent"', b"5", b"true")),
                )
                for run in family
                for _ in range(rng.choice((0, 1, 2)))
            ]  # fmt: skip
            store(project_id, Batch(runs=family, feedback=feedback))
            facts += [
                Facts(run, project_id, family, [item for item in feedback if item.run_id == run.id])
                for run in family
            ]
    return facts


def key(facts: Facts) -> tuple[UUID, UUID]:
    return facts.project_id, facts.run.id


def found_by(filter_: RunFilter) -> set[tuple[UUID, UUID]]:
    page = runs.list_runs([PROJECT, OTHER], filter_, limit=1_000)
    assert page.next_cursor is None
    return {(run.project_id, run.id) for run in page.items}


@pytest.mark.parametrize("few", [0, 1_000], ids=["walking", "by terms"])
def test_a_filter_finds_what_its_definition_says(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(run_filter, "FEW_TRACES", few)
    monkeypatch.setattr(run_filter, "FEW_RUNS", few)
    zoo = store_zoo(few)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(expressions())
    def check(expression: Expression) -> None:
        expected = {key(facts) for facts in zoo if holds(expression, facts)}
        assert found_by(RunFilter(expression=expression)) == expected, render(expression)

    check()


def test_every_single_comparison_finds_what_its_definition_says() -> None:
    zoo = store_zoo(7)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(comparisons())
    def check(comparison: Compare) -> None:
        expected = {key(facts) for facts in zoo if holds(comparison, facts)}
        assert found_by(RunFilter(expression=comparison)) == expected

    check()


def test_filters_of_root_and_tree_find_what_their_definition_says() -> None:
    zoo = store_zoo(3)

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(expressions(), expressions())
    def check(of_root: Expression, of_tree: Expression) -> None:
        matching = {key(facts) for facts in zoo if holds(of_tree, facts)}
        roots = {key(facts) for facts in zoo if holds(of_root, facts)}
        expected = {
            key(facts)
            for facts in zoo
            if (facts.project_id, facts.run.trace_id) in roots
            and any((facts.project_id, run.id) in matching for run in facts.family)
        }
        found = found_by(RunFilter(root_expression=of_root, tree_expression=of_tree))
        assert found == expected

    check()


def test_no_filter_leads_out_of_the_projects() -> None:
    zoo = store_zoo(5)
    own = {facts.run.id for facts in zoo if facts.project_id == PROJECT}

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(expressions(), expressions())
    def check(expression: Expression, of_tree: Expression) -> None:
        filter_ = RunFilter(expression=expression, tree_expression=of_tree, ids=IDS)
        for wanted in (
            filter_,
            RunFilter(expression=expression),
            RunFilter(tree_expression=of_tree),
        ):
            page = runs.list_runs([PROJECT], wanted, limit=1_000)
            assert {run.project_id for run in page.items} <= {PROJECT}
            assert {run.id for run in page.items} <= own

    check()
