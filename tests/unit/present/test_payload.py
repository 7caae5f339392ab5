"""What a run's inputs or outputs are shown as."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from collector.wire.batch import decode_batch
from collector.wire.multipart import decode_multipart
from tests.unit.present.test_messages import lc
from tests.unit.wire.support import READING
from viewer.present.content import Text
from viewer.present.payload import Conversation, Documents, Json, Nothing, Prose, read_payload

SAMPLES = Path(__file__).parents[2] / "samples"
HI = {"role": "user", "content": "hi"}


def told(value: Any) -> list[tuple[str, str]]:
    """Return (role, words) of the conversation that a value is."""
    payload = read_payload(value)
    assert isinstance(payload, Conversation)
    return [
        (message.role, " ".join(part.text for part in message.parts if isinstance(part, Text)))
        for message in payload.messages
    ]


CONVERSATIONS = {
    "state of a graph": ({"messages": [HI], "steps": 3}, [("human", "hi")]),
    "tuples": ({"messages": [["user", "hi"], ["ai", "ho"]]}, [("human", "hi"), ("ai", "ho")]),
    "batch of one": ({"messages": [[lc("HumanMessage", content="hi")]]}, [("human", "hi")]),
    "list": ([HI], [("human", "hi")]),
    "single": (HI, [("human", "hi")]),
    "anthropic request": (
        {"system": "brief", "messages": [HI]},
        [("system", "brief"), ("human", "hi")],
    ),
    "responses request": (
        {"instructions": "brief", "input": "hi"},
        [("system", "brief"), ("human", "hi")],
    ),
    "llm result": (
        {
            "generations": [[{"text": "ho", "message": lc("AIMessage", content="ho")}]],
            "llm_output": None,
            "type": "LLMResult",
        },
        [("ai", "ho")],
    ),
    "llm result of texts": ({"generations": [[{"text": "ho"}]]}, [("ai", "ho")]),
    "openai completion": (
        {"choices": [{"message": {"role": "assistant", "content": "ho"}}]},
        [("ai", "ho")],
    ),
    "gemini answer": (
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "ho"}]}}]},
        [("ai", "ho")],
    ),
    "responses answer": (
        {
            "output": [
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "ho"}],
                }
            ]
        },
        [("ai", "ho")],
    ),
    "anthropic answer": (
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "ho"}],
            "stop_reason": "end_turn",
        },
        [("ai", "ho")],
    ),
    "output is a message": ({"output": lc("AIMessage", content="ho")}, [("ai", "ho")]),
    "output holds messages": ({"output": {"messages": [HI]}}, [("human", "hi")]),
    "prompt value": (
        {
            "output": {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "ChatPromptValue"],
                "kwargs": {"messages": [lc("HumanMessage", content="hi")]},
            }
        },
        [("human", "hi")],
    ),
    "command": ({"update": {"messages": [HI]}, "goto": "agent"}, [("human", "hi")]),
}


@pytest.mark.parametrize(("value", "expected"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_is_found(value: Any, expected: list[tuple[str, str]]) -> None:
    assert told(value) == expected


PROSE = {
    "text": ("hi", ("hi",)),
    "input": ({"input": "hi"}, ("hi",)),
    "question": ({"question": "hi"}, ("hi",)),
    "prompts": ({"prompts": ["a", "b"]}, ("a", "b")),
    "nested": ({"output": {"text": "hi"}}, ("hi",)),
    "not JSON": ({"__raw__": "[unable to serialize]"}, ("[unable to serialize]",)),
}


@pytest.mark.parametrize(("value", "texts"), PROSE.values(), ids=PROSE)
def test_words_are_found(value: Any, texts: tuple[str, ...]) -> None:
    payload = read_payload(value)
    assert isinstance(payload, Prose)
    assert payload.texts == texts


DOCUMENT = {
    "page_content": "Ninety days.",
    "metadata": {"title": "Returns", "score": 0.9, "lang": "en"},
}
DOCUMENTS = {
    "langchain": {"documents": [{**DOCUMENT, "type": "Document"}]},
    "constructor": {
        "output": [
            {"lc": 1, "type": "constructor", "id": ["langchain", "Document"], "kwargs": DOCUMENT}
        ]
    },
    "list": [DOCUMENT],
    "with score": {
        "documents": [
            [{"page_content": "Ninety days.", "metadata": {"title": "Returns", "lang": "en"}}, 0.9]
        ]
    },
}


@pytest.mark.parametrize("value", DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents_are_found(value: Any) -> None:
    payload = read_payload(value)
    assert isinstance(payload, Documents)
    (document,) = payload.documents
    assert (document.title, document.text, document.score, document.metadata) == (
        "Returns",
        "Ninety days.",
        0.9,
        {"lang": "en"},
    )


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1},
        [1, 2],
        {"messages": "many"},
        {"documents": [1]},
        {"messages": []},
        7,
        True,
        {"choices": [{}]},
    ],
    ids=repr,
)
def test_anything_else_is_json(value: Any) -> None:
    assert read_payload(value) == Json(value)


@pytest.mark.parametrize("value", [None, {}, [], ""], ids=repr)
def test_nothing_is_nothing(value: Any) -> None:
    assert read_payload(value) == Nothing()


def test_what_is_beside_the_picture_is_kept() -> None:
    payload = read_payload({"messages": [HI], "steps": 3, "context": {"a": 1}})
    assert isinstance(payload, Conversation)
    assert payload.rest == {"steps": 3, "context": {"a": 1}}


def pictures(name: str) -> dict[str, tuple[str, str]]:
    """Return what inputs and outputs of a recorded request are shown as, by the name of the run."""
    note = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    body = (SAMPLES / f"{name}.bin").read_bytes()
    headers = {key.lower(): value for key, value in note["headers"]}
    coding = headers.get("content-encoding")
    if coding == "gzip":
        body = gzip.decompress(body)
    elif coding == "zstd":
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    content_type = headers["content-type"]
    is_multipart = content_type.startswith("multipart/")
    decoded = (
        decode_multipart(body, content_type, READING)
        if is_multipart
        else decode_batch(body, READING)
    )
    seen: dict[str, dict[str, Any]] = {}
    names = {run.id: run.name for run in decoded.runs if run.name}
    for run in decoded.runs:
        fields = seen.setdefault(names[run.id], {})
        fields.update(
            {
                key: orjson.loads(text)
                for key in ("inputs", "outputs")
                if (text := getattr(run, key))
            }
        )
    return {
        name: tuple(type(read_payload(fields.get(key))).__name__ for key in ("inputs", "outputs"))  # type: ignore[misc]
        for name, fields in seen.items()
    }


@pytest.mark.parametrize(
    "name", ["01-py-batch-chain", "03-py-multipart-chain", "15-js-multipart-chunked-chain"]
)
def test_a_recorded_chain_is_shown_as_what_it_is(name: str) -> None:
    found = pictures(name)
    assert {
        run: found[run] for run in ("ChatPromptTemplate", "FakeListChatModel", "StrOutputParser")
    } == {
        "ChatPromptTemplate": ("Json", "Conversation"),
        "FakeListChatModel": ("Conversation", "Conversation"),
        "StrOutputParser": ("Conversation", "Prose"),
    }


@pytest.mark.parametrize("name", ["10-py-zstd-stream", "17-js-gzip-stream"])
def test_a_recorded_stream_ends_in_words(name: str) -> None:
    assert pictures(name)["RunnableSequence"] == ("Json", "Prose")
