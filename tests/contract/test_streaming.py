"""An answer that grows: what clients send of a run before its end, read back while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langchain_core.messages import AIMessage
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
