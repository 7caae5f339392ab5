"""What was said in a trace: each message once, each agent by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from collector.reads.types import RunDetail, RunSummary
from tests.unit.present.runs import make_detail, make_run, make_tree
from viewer.present.content import Text
from viewer.present.trace_conversation import read_parts, view_trace_conversation
from viewer.present.trace_query import TraceQuery
from viewer.present.transcript import write_messages


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def call(run: RunSummary, given: list[dict[str, Any]], answer: str) -> RunDetail:
    output = {"messages": [say("assistant", answer)]}
    return make_detail(run, inputs={"messages": given}, outputs=output)


def model(name: str, at: float = 0) -> RunSummary:
    return replace(make_run(name, start=at), run_type="llm")


def texts(parts: Any) -> list[list[str]]:
    return [
        [part.text for message in said.messages for part in message.parts if isinstance(part, Text)]
        for said in parts
    ]


def test_a_call_that_goes_on_adds_only_what_is_new() -> None:
    first, second = model("a"), model("b", 1)
    tree = make_tree((0, make_run("root")), (1, first), (1, second))
    hello = [say("system", "Be kind."), say("user", "hello")]
    more = [*hello, say("assistant", "hi"), say("user", "how are you?")]
    parts = read_parts(tree, [call(first, hello, "hi"), call(second, more, "fine")])
    assert texts(parts) == [["Be kind.", "hello", "hi", "how are you?", "fine"]]


def test_another_agent_has_a_part_of_its_own_with_the_name_of_what_it_stands_below() -> None:
    first, second = model("m1"), model("m2", 1)
    tree = make_tree(
        (0, make_run("root")),
        (1, make_run("writer")),
        (2, first),
        (1, make_run("critic")),
        (2, second),
    )
    details = [
        call(first, [say("user", "write")], "text"),
        call(second, [say("user", "judge")], "bad"),
    ]
    view = view_trace_conversation(tree, details, TraceQuery(view="chat"))
    assert texts(read_parts(tree, details)) == [["write", "text"], ["judge", "bad"]]
    assert [len(part.messages) for part in view.parts] == [2, 2]
    assert f"run={first.id}" in view.parts[0].messages[1].run_url


def test_a_transcript_is_markdown_that_no_text_breaks_out_of() -> None:
    first = model("m")
    tree = make_tree((0, make_run("root")), (1, first))
    given = [
        say("user", "a\n```\nb"),
        {"role": "tool", "tool_call_id": "x", "content": "```` four"},
    ]
    (part,) = read_parts(tree, [call(first, given, "ok")])
    text = "".join(write_messages(part.messages))
    assert "**Human**\n\na\n```\nb\n\n" in text
    assert "`````\n```` four\n`````" in text
