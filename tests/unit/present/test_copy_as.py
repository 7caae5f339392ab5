from __future__ import annotations

import ast
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.present.runs import make_detail, make_run
from viewer.present.copy_as import copy_as, openai_messages

CALL = {"name": "look", "args": {"id": 7}, "id": "c1", "type": "tool_call"}
MESSAGES = [
    {"type": "system", "content": "Be brief."},
    {"type": "human", "content": "It's 7?"},
    {"type": "ai", "content": "", "tool_calls": [CALL]},
    {"type": "tool", "content": "yes", "tool_call_id": "c1"},
]
EXPECTED: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "It's 7?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"id": 7}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "yes"},
]


def detail(inputs: Any) -> Any:
    run = replace(make_run("ChatOpenAI"), model="gpt-4.1")
    extra = {"invocation_params": {"temperature": 0.2, "api_key": "secret"}}
    return make_detail(run, inputs=inputs, extra=extra)


def test_messages_are_written_as_openais() -> None:
    assert openai_messages({"messages": [MESSAGES]}) == EXPECTED


def test_a_command_line_quotes_what_was_said() -> None:
    words = copy_as(detail({"messages": MESSAGES}), "curl")
    assert words is not None
    body = words.partition(" -d '")[2].rpartition("'")[0].replace("'\\''", "'")
    sent = json.loads(body)
    assert (sent["model"], sent["temperature"], sent["messages"]) == ("gpt-4.1", 0.2, EXPECTED)


def test_python_is_python_and_holds_no_key() -> None:
    words = copy_as(detail({"messages": MESSAGES}), "python")
    assert words is not None
    call = next(
        node
        for node in ast.walk(ast.parse(words))
        if isinstance(node, ast.keyword) and node.arg == "messages"
    )
    assert ast.literal_eval(call.value) == EXPECTED
    assert "secret" not in words


@pytest.mark.parametrize("inputs", [{}, None, {"a": 1}])
def test_what_is_no_conversation_cannot_be_copied_as_one(inputs: Any) -> None:
    assert copy_as(detail(inputs), "openai") is None
