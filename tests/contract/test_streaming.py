"""An answer that grows: what clients send of a run before its end, read back while it runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, LLMResult
from runwood import RunwoodCallbackHandler

from benchmarks.server import Server

SECONDS = 60.0  # what a loaded machine may take


@pytest.fixture
def read(runwood: Server) -> Callable[..., dict[str, Any]]:
    """Return a function (run id, condition) that returns the run as soon as it fulfils the condition."""
    headers = {"X-API-Key": runwood.api_key("read")}

    def read_(run_id: Any, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end, run = time.monotonic() + SECONDS, {}
        while time.monotonic() < end:
            answer = httpx.get(f"{runwood.url}/api/v1/runs/{run_id}", headers=headers)
            run = answer.json()
            if answer.status_code == 200 and condition(run):
                return run
            time.sleep(0.05)
        raise AssertionError(run)

    return read_


def test_our_handlers_tokens_are_there_before_the_end(
    runwood: Server, read: Callable[..., dict[str, Any]]
) -> None:
    handler = RunwoodCallbackHandler(
        runwood.url, runwood.api_key("ingest"), "streams", stream_tokens=True
    )
    run_id = uuid4()
    handler.on_chat_model_start({"name": "model"}, [[]], run_id=run_id)
    words = iter(f"word{number} " for number in range(100_000))

    def grows(run: dict[str, Any]) -> bool:
        handler.on_llm_new_token(next(words), run_id=run_id)
        return "word0 word1 " in (run["outputs_preview"] or "")

    running = read(run_id, grows)
    handler.on_llm_end(
        LLMResult(generations=[[ChatGeneration(message=AIMessage("whole"))]]), run_id=run_id
    )
    assert handler.close(SECONDS)
    ended = read(run_id, lambda run: run["end_time"] is not None)
    assert (running["status"], running["end_time"]) == ("pending", None)
    assert running["first_token_time"] is not None
    assert ended["outputs_preview"] == "whole"


def test_of_partial_updates_by_hand_the_longest_counts_and_the_end_above_all(
    runwood: Server, read: Callable[..., dict[str, Any]]
) -> None:
    run_id = str(uuid4())
    api = httpx.Client(base_url=runwood.url, headers={"X-API-Key": runwood.api_key("ingest")})
    start = datetime.now(UTC).isoformat()
    run = {
        "id": run_id,
        "name": "model",
        "run_type": "llm",
        "start_time": start,
        "inputs": {"q": 1},
    }
    api.post("/runs", json=run | {"session_name": "streams"})
    for count in (1, 8, 3, 5):
        outputs = {"text": "word " * count}
        assert api.patch(f"/runs/{run_id}", json={"outputs": outputs}).status_code == 202
    running = read(run_id, lambda run: (run["outputs"] or {}).get("text") == "word " * 8)
    end = {"outputs": {"text": "whole"}, "end_time": datetime.now(UTC).isoformat()}
    api.patch(f"/runs/{run_id}", json=end)
    ended = read(run_id, lambda run: run["end_time"] is not None)
    assert running["status"] == "pending"
    assert ended["outputs"] == {"text": "whole"}


def test_an_app_follows_its_own_run_by_the_stream(runwood: Server) -> None:
    key = runwood.api_key()
    run_id = uuid4()
    told: list[tuple[str, dict[str, Any]]] = []
    is_open = threading.Event()

    def follow() -> None:
        told.extend(stream(runwood, key, run_id, is_open))

    follower = threading.Thread(target=follow)
    follower.start()
    assert is_open.wait(SECONDS)
    handler = RunwoodCallbackHandler(runwood.url, key, "a new project", stream_tokens=True)
    says = "The glaze settled evenly. " * 12
    chain = FakeListChatModel(responses=[says], sleep=0.01) | StrOutputParser()
    for _ in chain.stream("How is the kiln?", {"callbacks": [handler], "run_id": run_id}):
        pass
    assert handler.close(SECONDS)
    follower.join(SECONDS)

    assert [run["status"] for name, run in told if name == "trace.ended"] == ["success"]
    model = [(name, run) for name, run in told if run["run_type"] == "llm"]
    assert model[0][0] == "run.started"
    names = [name for name, _ in model]
    assert names.count("run.ended") == 1
    texts = [answer_of(run) for _, run in model]
    assert texts[-1] == says
    assert any(0 < len(text) < len(says) and says.startswith(text) for text in texts)


def stream(
    server: Server, key: str, trace_id: UUID, is_open: threading.Event
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a trace until its end, as docs/live.md shows it."""
    url = f"{server.url}/api/v1/traces/{trace_id}/stream"
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream(
        "GET", url, params={"outputs": "true"}, headers=headers, timeout=SECONDS
    ) as answer:
        answer.raise_for_status()
        name = ""
        for line in answer.iter_lines():
            is_open.set()
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])
                if name == "trace.ended":
                    return


def answer_of(run: dict[str, Any]) -> str:
    outputs = run["outputs"]
    return "" if outputs is None else outputs["generations"][0][0]["message"]["kwargs"]["content"]
