"""The run pane: path, facts, tabs, blocks, calls and their runs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from collector.reads.types import RunDetail, TraceTree
from tests.unit.present.runs import START, make_detail, make_run, make_tree
from viewer.present.budget import Budget
from viewer.present.events import view_events, view_token_stream
from viewer.present.metadata import split_metadata, view_metadata
from viewer.present.raw import raw_field, to_json, to_text
from viewer.present.run_body import RunBody, view_run_body
from viewer.present.run_head import view_run_head
from viewer.present.tool_runs import ToolRuns
from viewer.present.trace_query import TraceQuery

NOW = START + timedelta(seconds=60)


def body_of(detail: RunDetail, tree: TraceTree | None = None, **query: Any) -> RunBody:
    return view_run_body(
        detail, tree or make_tree((0, detail.run)), TraceQuery(run=detail.run.id, **query)
    )


def test_the_path_names_the_runs_above() -> None:
    root, node = make_run("root"), make_run("agent")
    node = make_run("agent", parent_run_id=root.id)
    chat = make_run("chat", parent_run_id=node.id)
    head = view_run_head(
        make_detail(chat),
        make_tree((0, root), (1, node), (2, chat)),
        TraceQuery(run=chat.id, tab="raw"),
        now=NOW,
    )
    assert [(step.name, step.url) for step in head.path] == [
        ("root", f"?run={root.id}&tab=raw"),
        ("agent", f"?run={node.id}&tab=raw"),
    ]


def test_a_long_path_keeps_its_ends() -> None:
    runs = [make_run("r0")]
    for number in range(1, 9):
        runs.append(make_run(f"r{number}", parent_run_id=runs[-1].id))
    head = view_run_head(make_detail(runs[-1]), make_tree(*enumerate(runs)), TraceQuery(), now=NOW)
    assert [step.name for step in head.path] == ["r0", "…", "r5", "r6", "r7"]


def test_facts_are_the_figures_of_the_run() -> None:
    run = make_run(
        "chat", 2.0, 1.5, run_type="llm", model="gpt", prompt_tokens=5_908, completion_tokens=212,
        total_cost=Decimal("0.0118"), first_token_time=START + timedelta(seconds=2.41),
    )  # fmt: skip
    head = view_run_head(
        make_detail(run), make_tree((0, make_run("root")), (1, run)), TraceQuery(), now=NOW
    )
    assert [(fact.word, fact.value) for fact in head.facts] == [
        ("Latency", "1.50 s"),
        ("first token", "0.41 s"),
        ("Tokens", "5,908 in, 212 out"),
        ("Cost", "$0.0118"),
        ("Model", "gpt"),
        ("Start", "+2.00 s"),
    ]


def test_the_clock_of_a_running_run_ticks() -> None:
    run = make_run("root", length=None)
    head = view_run_head(make_detail(run), make_tree((0, run)), TraceQuery(), now=NOW)
    assert head.facts[0].ticks == "60.0"


def test_tabs_say_how_much_is_in_them() -> None:
    run = make_run("root")
    detail = make_detail(
        run, events=[{"name": "start"}], extra={"metadata": {"a": 1}}, raw_sizes={"inputs": 2_048}
    )
    tree = make_tree((0, run))
    tabs = view_run_head(detail, tree, TraceQuery(tab="events"), now=NOW).tabs
    assert [(tab.name, tab.count, tab.is_current) for tab in tabs] == [
        ("run", "", False), ("feedback", "", False), ("metadata", "1", False), ("events", "1", True), ("raw", "2.00 KB", False),
    ]  # fmt: skip


HI = {"messages": [{"role": "user", "content": "hi"}]}
BLOCKS: dict[str, tuple[Any, str, tuple[str, ...], str]] = {
    "messages": (HI, "conversation", ("Messages", "JSON"), "1 message"),
    "words": ({"question": "hi"}, "words", ("Text", "JSON"), "2 characters"),
    "documents": (
        {"documents": [{"page_content": "a"}]},
        "documents",
        ("Documents", "JSON"),
        "1 document",
    ),
    "json": ({"a": 1, "b": 2}, "json", (), "2 keys"),
    "json as text": ({"output": '{"a": 1}'}, "json", (), "1 key"),
    "nothing": ({}, "nothing", (), ""),
    "tool message": (
        {"output": {"type": "tool", "tool_call_id": "c1", "content": "7 degrees"}},
        "words",
        ("Text", "JSON"),
        "9 characters",
    ),
}


@pytest.mark.parametrize(("value", "picture", "forms", "note"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_is_shown_as_what_it_is(
    value: Any, picture: str, forms: tuple[str, ...], note: str
) -> None:
    block = body_of(make_detail(make_run(), outputs=value)).blocks[1]
    assert (block.name, block.picture, tuple(form.word for form in block.forms), block.note) == (
        "output",
        picture,
        forms,
        note,
    )


def test_a_block_can_be_switched_to_json() -> None:
    block = body_of(make_detail(make_run(), inputs=HI), input_form="json").blocks[0]
    assert (block.picture, [form.is_current for form in block.forms]) == ("json", [False, True])


def test_what_is_left_out_can_be_loaded() -> None:
    whole = make_detail(
        make_run(),
        inputs={"a": "x"},
        outputs={"a": "y" * 90_000},
        raw_sizes={"inputs": 9, "outputs": 90_008},
    )
    given, output = body_of(whole).blocks
    assert (given.load_size, output.load_size) == ("", "87.9 KB")


def test_the_output_of_a_running_run_comes_first() -> None:
    assert [block.name for block in body_of(make_detail(make_run(length=None))).blocks] == [
        "output",
        "input",
    ]


def test_only_the_newest_messages_are_shown_until_asked_for_all() -> None:
    history = {"messages": [{"role": "user", "content": f"m{number}"} for number in range(100)]}
    detail = make_detail(make_run(), inputs=history)
    some = body_of(detail).blocks[0].conversation
    every = body_of(detail, show_all_messages=True).blocks[0].conversation
    assert some is not None
    assert every is not None
    assert (len(some.messages), some.earlier_count, len(every.messages), every.earlier_count) == (
        60,
        40,
        100,
        0,
    )


def test_an_error_says_where_it_began() -> None:
    root = make_run("root", status="error", error="boom")
    inner = make_run("tool", status="error", error="boom")
    body = body_of(
        make_detail(root, error="boom"), make_tree((0, root), (1, make_run("a")), (1, inner))
    )
    assert body.origin is not None
    assert (body.origin.name, body.origin.url) == ("tool", f"?run={inner.id}")


def test_parameters_and_tools_are_told_apart() -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    parameters = {"temperature": 0.2, "_type": "openai", "stop": None, "tools": [tool]}
    body = body_of(make_detail(make_run(), extra={"invocation_params": parameters}))
    assert [entry.key for entry in body.parameters] == ["temperature"]
    assert [entry.key for entry in body.tools] == ["add"]
    assert body.parameters_note == "temperature 0.2, 1 tool"


def agent_tree() -> tuple[TraceTree, dict[str, Any]]:
    root = make_run("root", 0, 10)
    agent1 = make_run("agent", 0, 1, parent_run_id=root.id)
    chat1 = make_run("chat", 0, 1, parent_run_id=agent1.id, run_type="llm")
    tools = make_run("tools", 1, 2, parent_run_id=root.id)
    look1 = make_run(
        "look", 1, 1, parent_run_id=tools.id, run_type="tool", status="error", error="no answer"
    )
    look2 = make_run("look", 2, 0.5, parent_run_id=tools.id, run_type="tool")
    agent2 = make_run("agent", 3, 1, parent_run_id=root.id)
    chat2 = make_run("chat", 3, 1, parent_run_id=agent2.id, run_type="llm")
    look3 = make_run("look", 5, 1, parent_run_id=root.id, run_type="tool")
    tree = make_tree(
        (0, root),
        (1, agent1),
        (2, chat1),
        (1, tools),
        (2, look1),
        (2, look2),
        (1, agent2),
        (2, chat2),
        (1, look3),
    )
    return tree, {"chat1": chat1, "chat2": chat2, "look1": look1, "look2": look2, "look3": look3}


def test_calls_that_a_model_made_find_the_runs_after_it() -> None:
    tree, runs = agent_tree()
    assert ToolRuns(tree, runs["chat1"]).answers_after(["look", "look", "look", "sing"]) == [
        runs["look1"],
        runs["look2"],
        None,
        None,
    ]


def test_calls_in_a_history_find_the_runs_before_it() -> None:
    tree, runs = agent_tree()
    assert ToolRuns(tree, runs["chat2"]).answers_before(["look", "look", "look"]) == [
        None,
        runs["look1"],
        runs["look2"],
    ]


def test_calls_in_what_a_graph_gives_back_find_the_runs_in_it() -> None:
    tree, runs = agent_tree()
    root = tree.nodes[0].run
    assert ToolRuns(tree, root).answers_after(["look", "look", "look"]) == [
        runs["look1"],
        runs["look2"],
        runs["look3"],
    ]


def test_a_call_shows_its_run_and_what_came_of_it() -> None:
    tree, runs = agent_tree()
    outputs = {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "name": "look", "args": {"order": "4471"}}],
            }
        ]
    }
    body = view_run_body(
        make_detail(runs["chat1"], outputs=outputs), tree, TraceQuery(run=runs["chat1"].id)
    )
    conversation = body.blocks[1].conversation
    assert conversation is not None
    (call,) = conversation.messages[0].calls
    assert (call.name, call.arguments, call.status, call.latency, call.run_url) == (
        "look",
        (("order", '"4471"'),),
        "error",
        "1.00 s",
        f"?run={runs['look1'].id}",
    )
    assert call.result is not None
    assert (call.result.word, call.result.line) == ("Error", "no answer")


def test_metadata_of_people_is_told_from_that_of_frameworks() -> None:
    own, hidden = split_metadata(
        {
            "user": "u1",
            "LANGSMITH_PROJECT": "p",
            "LANGCHAIN_X": 1,
            "ls_model_name": "m",
            "langgraph_path": [],
            "__pregel": 1,
        }
    )
    assert (list(own), list(hidden)) == (
        ["user", "ls_model_name"],
        ["LANGSMITH_PROJECT", "LANGCHAIN_X", "langgraph_path", "__pregel"],
    )


def test_sections_for_few_readers_are_closed() -> None:
    extra = {
        "metadata": {"user": "u1", "LANGSMITH_X": 1},
        "runtime": {"sdk": "x"},
        "invocation_params": {"model": "m"},
        "batch_size": 1,
    }
    sections = view_metadata(make_detail(make_run(), extra=extra, serialized={"a": 1}), Budget())
    assert [(section.title, section.is_open) for section in sections] == [
        ("Metadata", True), ("Model parameters", True), ("Runtime", False), ("Environment and internals", False), ("Serialized", False),
    ]  # fmt: skip


def token(seconds: float) -> dict[str, Any]:
    return {"name": "new_token", "time": (START + timedelta(seconds=seconds)).isoformat()}


def test_tokens_that_follow_each_other_are_one_row() -> None:
    events = [
        {"name": "start", "time": START.isoformat()},
        token(0.4),
        token(0.5),
        token(0.8),
        {"name": "end", "time": "2026-11-24T12:00:01Z"},
        "odd",
    ]
    rows = view_events(events, make_run(), Budget())
    assert [(row.name, row.count, row.offset, row.last_offset) for row in rows] == [
        ("start", 1, "+0 ms", ""), ("new_token", 3, "+0.40 s", "+0.80 s"), ("end", 1, "+1.00 s", ""), ("event", 1, "", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("time", [None, "yesterday", "", 1e300, True, {}, -(10**30)], ids=repr)
def test_an_event_without_a_time_is_an_event(time: Any) -> None:
    (row,) = view_events([{"name": "x", "time": time}], make_run(), Budget())
    assert row.offset == ""


def test_a_stream_is_drawn_from_eight_tokens_on() -> None:
    assert view_token_stream([token(0.1 * number) for number in range(7)], make_run()) is None
    stream = view_token_stream([token(0.1 * number) for number in range(10)], make_run())
    assert stream is not None
    assert stream.words == "Streamed 10 tokens, 11 a second"
    assert stream.bars.count("<rect") == 10


def test_raw_fields_can_be_written_whatever_they_hold() -> None:
    detail = make_detail(make_run(), inputs={"n": 2**70, "s": "\ud800", "f": float("nan")})
    assert b"1180591620717411303424" in to_json(raw_field(detail, "inputs"))
    with pytest.raises(KeyError):
        raw_field(detail, "versions")


TEXTS = {
    "prose": ({"output": "hi"}, "hi"),
    "last message": (
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        "b",
    ),
    "json": ({"a": 1}, None),
    "only calls": ({"messages": [{"role": "assistant", "tool_calls": []}]}, None),
}


@pytest.mark.parametrize(("value", "text"), TEXTS.values(), ids=TEXTS)
def test_copying_takes_the_words(value: Any, text: str | None) -> None:
    assert to_text(value) == text


QUERIES = {
    "": "?",
    "view=waterfall&tab=raw": "?view=waterfall&tab=raw",
    "view=flame&tab=x&run=nonsense&rows=-5&plumbing=1&open=a,b": "?",
    "plumbing=show&q=+kettle+&input=json": "?q=kettle&plumbing=show&input=json",
    "rows=4000": "?rows=4000",
    "rows=99999999999": "?",
    "rows=900000": "?rows=20000",
    "run=01A20ACB0AB57086-96FB-BC8CAD3E8E33": "?run=01a20acb-0ab5-7086-96fb-bc8cad3e8e33",
}


@pytest.mark.parametrize(("text", "url"), QUERIES.items(), ids=QUERIES)
def test_a_query_string_is_read_and_written_again(text: str, url: str) -> None:
    from django.http import QueryDict

    assert TraceQuery.parse(QueryDict(text).dict()).url() == url


def test_another_run_forgets_what_was_said_of_this_ones_blocks() -> None:
    query = TraceQuery(run=UUID(int=1), input_form="json", show_all_messages=True, tab="raw")
    assert query.url_of_run(UUID(int=2)) == "?run=00000000-0000-0000-0000-000000000002&tab=raw"
