"""One line out of every payload shape of LangSmith protocol 4.5."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.storage.preview import PREVIEW_CHARACTERS, preview


def lc(kind: str, content: Any, **kwargs: Any) -> dict[str, Any]:
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", kind],
        "kwargs": {"content": content, **kwargs},
    }


CALL = {"name": "lookup_order", "args": {"order_id": "4471"}, "id": "c1"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param({"input": "hello"}, "hello", id="one string"),
        pytest.param({"question": "why?", "k": 4}, "why?", id="question among others"),
        pytest.param({"messages": [[lc("SystemMessage", "be kind"), lc("HumanMessage", "hi")]]}, "hi", id="chat model input"),
        pytest.param({"messages": [{"role": "user", "content": "hi"}]}, "hi", id="openai messages"),
        pytest.param({"messages": [["human", "hi"]]}, "hi", id="tuples"),
        pytest.param({"messages": [{"type": "human", "content": "hi"}]}, "hi", id="flat messages"),
        pytest.param({"generations": [[{"text": "yes", "message": lc("AIMessage", "yes")}]]}, "yes", id="generation"),
        pytest.param(
            {"generations": [[{"text": "", "message": lc("AIMessage", "", tool_calls=[CALL])}]]},
            "lookup_order(order_id=4471)",
            id="tool call",
        ),
        pytest.param(
            {"messages": [{"type": "ai", "data": {"content": "", "type": "ai", "tool_calls": [CALL]}}]},
            "lookup_order(order_id=4471)",
            id="langchain's message_to_dict",
        ),
        pytest.param(
            {"type": "tool", "data": {"content": "done", "tool_call_id": "c1"}}, "done", id="one message_to_dict"
        ),
        pytest.param(
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 7}'}}]},
            "f(a=7)",
            id="openai's text of arguments",
        ),
        pytest.param(
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"a": '}}]},
            'f({"a": )',
            id="arguments that broke off",
        ),
        pytest.param({"choices": [{"message": {"role": "assistant", "content": "yes"}}]}, "yes", id="openai answer"),
        pytest.param(
            {"role": "assistant", "content": [{"type": "text", "text": "one"}, {"type": "tool_use", "name": "f"}]},
            "one f(…)",
            id="anthropic blocks",
        ),
        pytest.param(
            {"documents": [{"page_content": "Returns", "metadata": {}}, {"page_content": "x"}]},
            "2 documents: Returns",
            id="documents",
        ),
        pytest.param({"output": lc("ToolMessage", "done")}, "done", id="tool output"),
        pytest.param(
            {"output": [{"graph": None, "update": {"messages": [{"type": "ai", "content": "done"}]}}]},
            "done",
            id="a graph node's command",
        ),
        pytest.param({"intent": "refund", "score": 1}, '{"intent":"refund","score":1}', id="json"),
        pytest.param("a\n\n  b", "a b", id="lines"),
        pytest.param({}, None, id="nothing"),
        pytest.param(None, None, id="null"),
    ],
)  # fmt: skip
def test_preview_finds_the_words(value: Any, words: str | None) -> None:
    assert preview(value) == words


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "messages",
                    "content",
                    "kwargs",
                    "data",
                    "type",
                    "lc",
                    "tool_calls",
                    "message",
                    "generations",
                    "x",
                    "function",
                    "additional_kwargs",
                    "documents",
                    "page_content",
                    "role",
                    "type",
                    "response_metadata",
                    "usage_metadata",
                    "llm_output",
                    "token_usage",
                    "usage",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_preview_takes_any_json(value: Any) -> None:
    text = preview(value)
    assert text is None or (0 < len(text) <= PREVIEW_CHARACTERS and "\0" not in text)


def test_of_what_still_grows_the_end_is_shown() -> None:
    text = " ".join(f"word{number}" for number in range(1_000))
    shown = preview({"text": text}, is_growing=True)
    assert shown is not None
    assert len(shown) == PREVIEW_CHARACTERS
    assert shown.startswith("…")
    assert shown.endswith("word998 word999")
    assert preview({"text": "short"}, is_growing=True) == "short"
