"""The rules that keep the hot tables fit for being spread over machines (docs/decisions/0003-keys.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collector.models import Project
from collector.query.langsmith import parse_filter
from collector.query.search import parse_search
from collector.reads import (
    attachments,
    children,
    feedback,
    overview,
    projects,
    runs,
    statistics,
    suggest,
    threads,
    traces,
)
from collector.reads.types import RunFilter, TimeRange, TraceFilter
from tests.factories import START, make_run, store_runs

pytestmark = pytest.mark.django_db

SEARCH = parse_search("a status:error -type:tool any(model:x* name:y) metadata.k:v feedback.s:>1")
PARTITIONED = {"run", "trace", "payload", "attachment", "trace_terms", "trace_text"}
HOT = PARTITIONED | {
    "feedback",
    "inbox",
    "dead_letter",
    "follow_up",
    "text_queue",
    "provisional_trace",
}


def query(statement: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def hot_relations() -> list[int]:
    """Return the oids of the hot tables and of their partitions."""
    rows = query(
        "SELECT oid FROM pg_class WHERE relname = ANY(%s) AND relkind IN ('r', 'p') UNION"
        " SELECT inhrelid FROM pg_inherits JOIN pg_class ON oid = inhparent WHERE relname = ANY(%s)",
        list(HOT),
        list(HOT),
    )
    return [oid for (oid,) in rows]


def test_the_hot_tables_are_those_that_exist() -> None:
    rows = query("SELECT relname FROM pg_class WHERE relname = ANY(%s)", list(HOT))
    assert {name for (name,) in rows} == HOT


def test_no_foreign_key_leads_out_of_or_into_a_hot_table() -> None:
    rows = query(
        "SELECT conname FROM pg_constraint"
        " WHERE contype = 'f' AND (conrelid = ANY(%s) OR confrelid = ANY(%s))",
        hot_relations(),
        hot_relations(),
    )
    assert rows == []


def test_no_hot_table_has_a_trigger() -> None:
    assert query("SELECT tgname FROM pg_trigger WHERE tgrelid = ANY(%s)", hot_relations()) == []


def test_every_unique_key_holds_the_project_and_the_partitions_day() -> None:
    rows = query(
        "SELECT t.relname, array_agg(a.attname ORDER BY a.attnum)::text[]"
        "  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a"
        "    ON a.attrelid = t.oid AND a.attnum = ANY(i.indkey)"
        " WHERE i.indisunique AND t.relname = ANY(%s) GROUP BY i.indexrelid, t.relname",
        list(HOT),
    )
    assert {name for name, _ in rows} >= HOT - {"payload"}
    for name, columns in rows:
        needed = {"project_id", "day"} if name in PARTITIONED else {"project_id"}
        assert needed <= set(columns), name


def test_every_hot_table_has_the_key_as_a_uuid_that_is_never_null() -> None:
    rows = query(
        "SELECT c.relname, format_type(atttypid, NULL), attnotnull FROM pg_attribute a"
        "  JOIN pg_class c ON c.oid = attrelid WHERE attname = 'project_id' AND c.oid = ANY(%s)",
        hot_relations(),
    )
    assert {name for name, _, _ in rows} >= HOT
    assert {(kind, not_null) for _, kind, not_null in rows} == {("uuid", True)}


def test_the_partitioned_tables_are_partitioned_by_day_alone_and_on_one_level() -> None:
    rows = query(
        "SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c"
        " WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace"
    )
    assert dict(rows) == dict.fromkeys(PARTITIONED, "RANGE (day)")


def test_no_column_of_a_stored_run_is_an_identity() -> None:
    rows = query(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attidentity <> '' AND attrelid = ANY(%s)",
        hot_relations(),
    )
    assert [name for (name,) in rows if name != "inbox"] == []


EVERY_TABLE = """and(
  eq(feedback_key, "k"), eq(thread_id, "t"), gt(total_tokens, 1), exists(metadata, "m"))"""

# One entry for each reader: a new one belongs here.
READERS: dict[str, Callable[[list[UUID], UUID], Any]] = {
    "list_projects": lambda ids, _: projects.list_projects(
        ids, TimeRange(START, START + timedelta(days=1))
    ),
    "list_traces": lambda ids, _: traces.list_traces(
        ids, TraceFilter(search=SEARCH, tags=("x",), statuses=("error",), names=("n",))
    ),
    "list_traces of a thread": lambda ids, _: traces.list_traces(ids, TraceFilter(thread_id="t")),
    "count_traces": lambda ids, _: traces.count_traces(ids, TraceFilter(search=SEARCH)),
    "get_overview": lambda ids, _: overview.get_overview(
        ids, TraceFilter(search=SEARCH, tags=("x",), thread_id="t"), now=START
    ),
    "observed names": lambda ids, _: suggest.observed_values(ids, "name", "a"),
    "observed tags": lambda ids, _: suggest.observed_values(ids, "tag", "a"),
    "observed models": lambda ids, _: suggest.observed_values(ids, "model", "a"),
    "get_trace": lambda ids, id_: traces.get_trace(ids, id_),
    "get_tree": lambda ids, id_: traces.get_tree(ids, id_),
    "get_run": lambda ids, id_: runs.get_run(ids, id_),
    "list_runs": lambda ids, id_: runs.list_runs(
        ids,
        RunFilter(
            parent_run_id=id_,
            expression=parse_filter(EVERY_TABLE),
            root_expression=parse_filter('has(tags, "x")'),
            tree_expression=parse_filter('eq(status, "error")'),
        ),
    ),
    "list_runs by terms": lambda ids, _: runs.list_runs(
        ids, RunFilter(expression=parse_filter(EVERY_TABLE))
    ),
    "list_runs with payloads": lambda ids, _: runs.list_runs(
        ids,
        RunFilter(
            expression=parse_filter('search("run")'), tree_expression=parse_filter('search("run")')
        ),
    ),
    "list_runs by id": lambda ids, id_: runs.list_runs(ids, RunFilter(ids=(id_,))),
    "find_children": lambda ids, id_: children.find_children(
        runs.list_runs(ids, RunFilter(trace_id=id_)).items
    ),
    "project_statistics": lambda ids, _: statistics.project_statistics(
        ids, TimeRange(START, START + timedelta(days=1))
    ),
    "run_statistics": lambda ids, _: statistics.run_statistics(
        ids, RunFilter(expression=parse_filter(EVERY_TABLE))
    ),
    "grouped_statistics": lambda ids, _: statistics.grouped_statistics(
        ids, RunFilter(), "metadata", path="a", max_groups=5
    ),
    "list_threads": lambda ids, _: threads.list_threads(
        ids, RunFilter(expression=parse_filter(EVERY_TABLE))
    ),
    "find_thread": lambda ids, _: threads.find_thread(ids, "t", RunFilter()),
    "count_threads": lambda ids, _: threads.count_threads(ids, RunFilter()),
    "number_turns": lambda ids, _: threads.number_turns(ids, "t"),
    "thread_statistics": lambda ids, _: threads.thread_statistics(ids, RunFilter()),
    "find_feedback": lambda ids, id_: feedback.find_feedback(ids, id_),
    "search_feedback": lambda ids, id_: feedback.search_feedback(
        ids, feedback.FeedbackFilter(run_ids=(id_,), keys=("k",), users=("u",)), 10
    ),
    "summarize_project_feedback": lambda ids, _: feedback.summarize_project_feedback(
        ids, is_of_run=True
    ),
    "attachments_of_runs": lambda ids, id_: attachments.attachments_of_runs(
        runs.list_runs(ids, RunFilter(trace_id=id_)).items
    ),
    "read_attachment": lambda ids, id_: attachments.read_attachment(ids, id_, START.date(), "a"),
    "summarize_feedback": lambda ids, id_: feedback.summarize_feedback(
        runs.list_runs(ids, RunFilter(trace_id=id_)).items
    ),
}

HOT_TABLE = re.compile(rf"\b(?:FROM|JOIN)\s+(?:{'|'.join(HOT)})\b", re.IGNORECASE)
CONDITION = re.compile(r"\bproject_id = (?:ANY\(|'|[a-z_]+\.project_id)", re.IGNORECASE)


@pytest.mark.parametrize("name", READERS)
def test_every_query_of_a_reader_names_the_project_for_each_hot_table(
    project: Project, name: str
) -> None:
    root = make_run(end_time=None)
    store_runs(project.id, root, make_run(root))
    with CaptureQueriesContext(connection) as captured:
        READERS[name]([project.id], root.id)
    statements = [entry["sql"] for entry in captured if HOT_TABLE.search(entry["sql"])]
    assert statements
    for statement in statements:
        assert len(CONDITION.findall(statement)) >= len(HOT_TABLE.findall(statement)), statement
