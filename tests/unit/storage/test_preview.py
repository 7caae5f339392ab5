"""One line out of every payload shape of LangSmith protocol 4.5, and the tokens beside it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.storage.preview import PREVIEW_CHARACTERS, preview
from collector.storage.usage import find_model, find_tokens


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


@given(json_values, json_values)
def test_tokens_and_model_take_any_json(metadata: Any, outputs: Any) -> None:
    metadata = metadata if isinstance(metadata, dict) else {}
    find_tokens(metadata, outputs)
    find_model({}, metadata, outputs)


USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


@pytest.mark.parametrize(
    ("metadata", "outputs"),
    [
        pytest.param({"usage_metadata": USAGE}, None, id="metadata"),
        pytest.param({}, {"usage_metadata": USAGE}, id="outputs"),
        pytest.param({}, {"output": {"kwargs": {"usage_metadata": USAGE}}}, id="a message as output"),
        pytest.param({}, {"generations": [[{"message": {"kwargs": {"usage_metadata": USAGE}}}]]}, id="generation"),
        pytest.param({}, {"generations": [[]], "llm_output": {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}}}, id="llm_output"),
        pytest.param({}, {"llmOutput": {"tokenUsage": {"promptTokens": 3, "completionTokens": 4}}}, id="js"),
        pytest.param({}, {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}, id="openai"),
    ],
)  # fmt: skip
def test_tokens_are_found_in_every_place(metadata: Any, outputs: Any) -> None:
    assert find_tokens(metadata, outputs) == (3, 4, 7)


@pytest.mark.parametrize("count", [True, -1, "7", None, float("nan")])
def test_what_is_no_count_is_not_counted(count: Any) -> None:
    assert find_tokens({"usage_metadata": {"input_tokens": count, "output_tokens": 2}}, None) == (
        0,
        2,
        2,
    )
