"""Tells a trace as a client would: runs as dicts of LangSmith's protocol, on a clock of its own."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

Run = dict[str, Any]

_CLASSES = {
    "human": "HumanMessage",
    "ai": "AIMessage",
    "system": "SystemMessage",
    "tool": "ToolMessage",
}


def message(kind: str, content: Any, **fields: Any) -> dict[str, Any]:
    """Return a message as langchain-core writes it."""
    path = ["langchain", "schema", "messages", _CLASSES[kind]]
    return {
        "lc": 1,
        "type": "constructor",
        "id": path,
        "kwargs": {"content": content, "type": kind, **fields},
    }


def document(text: str, **metadata: Any) -> dict[str, Any]:
    """Return a document as langchain-core writes it."""
    return {"page_content": text, "metadata": metadata, "type": "Document"}


class Telling:
    """One trace being told. `runs` are creates that hold their ends, but for those that never end."""

    def __init__(
        self, rng: random.Random, project: str, start: datetime, metadata: dict[str, Any]
    ) -> None:
        self.rng = rng
        self.project = project
        self.clock = start
        self.metadata = metadata
        self.runs: list[Run] = []
        self.feedback: list[dict[str, Any]] = []
        self._open: list[Run] = []

    def wait(self, low: float, high: float) -> None:
        """Let some seconds pass."""
        self.clock += timedelta(seconds=self.rng.uniform(low, high))

    @contextmanager
    def run(
        self,
        name: str,
        run_type: str = "chain",
        inputs: Any = None,
        *,
        tags: tuple[str, ...] = (),
        metadata: dict[str, Any] | None = None,
        **extra: Any,
    ) -> Iterator[Run]:
        """Start a run below the one that is open, and end it afterwards, unless it is marked as `unended`."""
        self.wait(0.0005, 0.004)
        run = self._start(name, run_type, inputs, list(tags), metadata or {}, extra)
        self._open.append(run)
        try:
            yield run
        finally:
            self._open.pop()
            if not run.pop("unended", False):
                run["end_time"] = self.clock.isoformat()

    def _start(
        self,
        name: str,
        run_type: str,
        inputs: Any,
        tags: list[str],
        metadata: dict[str, Any],
        extra: dict[str, Any],
    ) -> Run:
        run_id = self._id()
        segment = f"{self.clock:%Y%m%dT%H%M%S%fZ}{run_id}"
        above = self._open[-1] if self._open else None
        run: Run = {
            "id": run_id,
            "trace_id": above["trace_id"] if above else run_id,
            "dotted_order": f"{above['dotted_order']}.{segment}" if above else segment,
            "name": name,
            "run_type": run_type,
            "start_time": self.clock.isoformat(),
            "session_name": self.project,
            "inputs": inputs or {},
            "tags": tags,
            "extra": {"metadata": {**self.metadata, **metadata}, **extra},
            "events": [],
        }
        if above:
            run["parent_run_id"] = above["id"]
        self.runs.append(run)
        return run

    def _id(self) -> str:
        """Return an id of version 7, made now."""
        value = (int(self.clock.timestamp() * 1000) << 80) | self.rng.getrandbits(80)
        value = (value & ~(0xF << 76)) | (0x7 << 76)
        return str(uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62)))

    def model(
        self,
        name: str,
        model: str,
        messages: list[dict[str, Any]],
        answer: dict[str, Any],
        *,
        seconds: tuple[float, float] = (0.6, 3.0),
        is_streamed: bool = True,
    ) -> dict[str, Any]:
        """Tell one call of a chat model and return its answer."""
        provider = "anthropic" if model.startswith("claude") else "openai"
        metadata = {
            "ls_provider": provider,
            "ls_model_name": model,
            "ls_model_type": "chat",
            "ls_temperature": 0.2,
        }
        parameters = {"model": model, "temperature": 0.2, "stream": is_streamed}
        with self.run(
            name,
            "llm",
            {"messages": [list(messages)]},
            metadata=metadata,
            invocation_params=parameters,
        ) as run:
            if is_streamed:
                self.wait(0.2, 0.7)
                run["events"].append({"name": "new_token", "time": self.clock.isoformat()})
            self.wait(*seconds)
            usage = self._usage(messages, answer)
            answer["kwargs"] |= {
                "usage_metadata": usage,
                "response_metadata": {"model_name": model},
            }
            text = answer["kwargs"]["content"]
            generation = {"text": text if isinstance(text, str) else "", "message": answer}
            run["outputs"] = {"generations": [[generation]], "llm_output": None}
            run["extra"]["metadata"]["usage_metadata"] = usage
        return answer

    def _usage(self, messages: list[dict[str, Any]], answer: dict[str, Any]) -> dict[str, Any]:
        given = sum(len(str(item["kwargs"]["content"])) for item in messages) // 4 + 180
        made = (
            len(str(answer["kwargs"]["content"]))
            + 6 * len(str(answer["kwargs"].get("tool_calls", "")))
        ) // 4 + 8
        cached = given // 2 if self.rng.random() < 0.4 else 0
        return {
            "input_tokens": given,
            "output_tokens": made,
            "total_tokens": given + made,
            "input_token_details": {"cache_read": cached},
        }

    def judge(self, run: Run, key: str, score: float | None, comment: str = "") -> None:
        """Tell feedback on a run."""
        self.feedback.append(
            {
                "id": self._id(),
                "run_id": run["id"],
                "trace_id": run["trace_id"],
                "session_name": self.project,
                "key": key,
                "score": score,
                "comment": comment or None,
                "created_at": (self.clock + timedelta(seconds=30)).isoformat(),
                "feedback_source": {"type": "app"},
            }
        )
