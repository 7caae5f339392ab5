"""Agent traces as the LangSmith SDKs send them, made from a seed: the same seed gives the same bytes.

Six apps with a system prompt and tools each; a trace is a turn of a thread: the agent's root, its nodes, chat model
calls that repeat the growing conversation, tool calls, a retriever. The words are the Python language reference that
every Python ships (`pydoc_data.topics`), so compression meets real English and not a random generator's.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pydoc_data.topics import topics
from typing import Any

SENTENCES = [
    sentence.strip()
    for text in topics.values()
    for sentence in re.split(r"(?<=[.:])\s+", re.sub(r"\s+", " ", text))
    if 30 < len(sentence) < 400
]
APPS = (
    "support_agent",
    "refund_flow",
    "docs_assistant",
    "research_agent",
    "code_review",
    "order_desk",
)
TOOLS = ("lookup_order", "search_docs", "check_policy", "create_label", "refund", "escalate")
MODELS = ("gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5")


def uuid7(time: datetime, rng: random.Random) -> uuid.UUID:
    value = (int(time.timestamp() * 1000) << 80) | rng.getrandbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def words(rng: random.Random, sentences: int) -> str:
    return " ".join(rng.choice(SENTENCES) for _ in range(sentences))


def message(kind: str, content: str, **kwargs: Any) -> dict[str, Any]:
    name = {
        "human": "HumanMessage",
        "ai": "AIMessage",
        "system": "SystemMessage",
        "tool": "ToolMessage",
    }[kind]
    return {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", name],
        "kwargs": {"content": content, "type": kind, **kwargs},
    }


class Trace:
    """Builds the runs of one trace, depth first, with times that add up."""

    def __init__(self, index: int, start: datetime, project: str, seed: int) -> None:
        self.rng = random.Random(f"{seed}/{index}")
        app_rng = random.Random(f"{seed}/app/{index % len(APPS)}")
        self.app = APPS[index % len(APPS)]
        self.system = message("system", words(app_rng, 9))
        self.project = project
        self.clock = start
        self.thread_id = str(
            uuid.UUID(int=random.Random(f"{seed}/thread/{index // 4}").getrandbits(128), version=4)
        )
        self.user_id = f"u_{index % 997}"
        self.runs: list[dict[str, Any]] = []

    def open(
        self, parent: dict[str, Any] | None, name: str, run_type: str, inputs: Any, **extra: Any
    ) -> dict[str, Any]:
        self.clock += timedelta(microseconds=self.rng.randrange(200, 4000))
        run_id = uuid7(self.clock, self.rng)
        segment = f"{self.clock:%Y%m%dT%H%M%S%fZ}{run_id}"
        metadata = {
            "thread_id": self.thread_id,
            "user_id": self.user_id,
            "revision_id": "v1.14.2",
            "env": "prod",
        }
        run = {
            "id": str(run_id),
            "trace_id": parent["trace_id"] if parent else str(run_id),
            "parent_run_id": parent["id"] if parent else None,
            "dotted_order": f"{parent['dotted_order']}.{segment}" if parent else segment,
            "name": name,
            "run_type": run_type,
            "start_time": self.clock.isoformat(),
            "session_name": self.project,
            "inputs": inputs,
            "tags": ["prod", self.app] if parent is None else [],
            "serialized": {"lc": 1, "type": "not_implemented", "id": ["langchain_openai", name]} if run_type == "llm" else None,
            "extra": {
                "metadata": metadata | extra.pop("metadata", {}),
                "runtime": {
                    "sdk": "langsmith-py", "sdk_version": "0.15.1", "library": "langchain-core",
                    "library_version": "1.8.3", "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
                    "runtime": "python", "py_implementation": "CPython", "runtime_version": "3.11.7",
                    "langchain_version": "1.5.2", "langchain_core_version": "1.8.3",
                },
                **extra,
            },
            "events": [{"name": "start", "time": self.clock.isoformat()}],
        }  # fmt: skip
        self.runs.append(run)
        return run

    def close(
        self, run: dict[str, Any], outputs: Any, seconds: float, error: str | None = None
    ) -> None:
        self.clock += timedelta(seconds=seconds)
        run["end_time"] = self.clock.isoformat()
        run["outputs"] = outputs
        run["error"] = error
        run["events"] = [
            *run["events"],
            {"name": "error" if error else "end", "time": self.clock.isoformat()},
        ]

    def model(self, parent: dict[str, Any], messages: list[Any], answer: dict[str, Any]) -> None:
        rng, model = self.rng, MODELS[self.rng.randrange(len(MODELS))]
        run = self.open(
            parent, "ChatOpenAI", "llm", {"messages": [[self.system, *messages]]},
            metadata={"ls_provider": "openai", "ls_model_name": model, "ls_model_type": "chat", "ls_temperature": 0.2},
            invocation_params={"model": model, "temperature": 0.2, "tools": [{"type": "function", "function": {"name": t, "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}} for t in TOOLS]},
            options={"stop": None}, batch_size=1,
        )  # fmt: skip
        run["events"].append(
            {
                "name": "new_token",
                "time": (self.clock + timedelta(milliseconds=300)).isoformat(),
                "kwargs": {},
            }
        )
        prompt = len(json.dumps(messages)) // 4
        usage = {"input_tokens": prompt, "output_tokens": rng.randrange(20, 400)}
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        answer["kwargs"]["usage_metadata"] = usage
        answer["kwargs"]["response_metadata"] = {"model_name": model, "finish_reason": "stop"}
        outputs = {
            "generations": [
                [{"text": answer["kwargs"]["content"], "message": answer, "type": "ChatGeneration"}]
            ],
            "llm_output": {"token_usage": {}},
        }
        self.close(run, outputs, rng.uniform(0.4, 3.0))

    def build(self) -> list[dict[str, Any]]:
        rng = self.rng
        history = []
        # one thread in sixteen is long: that is where the 45 KB payloads at p99 come from
        for _ in range(rng.randrange(30, 75) if rng.random() < 1 / 16 else rng.randrange(0, 5)):
            history += [
                message("human", words(rng, rng.randrange(1, 3))),
                message("ai", words(rng, rng.randrange(1, 4))),
            ]
        messages = [*history, message("human", words(rng, rng.randrange(1, 4)))]
        root = self.open(None, self.app, "chain", {"messages": list(messages)})
        for step in range(rng.choices((1, 2, 3, 5), (3, 5, 3, 1))[0]):
            node = self.open(
                root,
                "model",
                "chain",
                {"messages": list(messages)},
                metadata={"langgraph_step": step, "langgraph_node": "model"},
            )
            prompt = self.open(
                node,
                "ChatPromptTemplate",
                "prompt",
                {"question": messages[-1]["kwargs"]["content"]},
            )
            self.close(prompt, {"output": messages[-1]}, 0.001)
            calls = [
                {
                    "name": rng.choice(TOOLS),
                    "args": {"query": words(rng, 1)[:80]},
                    "id": f"call_{rng.getrandbits(64):x}",
                    "type": "tool_call",
                }
                for _ in range(rng.randrange(1, 3))
            ]
            answer = message("ai", "", tool_calls=calls)
            self.model(node, messages, answer)
            self.close(node, {"messages": [answer]}, 0.001)
            messages = [*messages, answer]
            for call in calls:
                messages = [*messages, self.tool(root, call)]
        node = self.open(
            root,
            "model",
            "chain",
            {"messages": list(messages)},
            metadata={"langgraph_node": "model"},
        )
        answer = message("ai", words(rng, rng.randrange(2, 8)))
        self.model(node, messages, answer)
        self.close(node, {"messages": [answer]}, 0.001)
        failed = rng.random() < 0.03
        self.close(
            root,
            None if failed else {"messages": [*messages, answer]},
            0.002,
            error=f"TimeoutError('{words(rng, 1)[:60]}')\n\nTraceback (most recent call last):\n{words(rng, 5)}"
            if failed
            else None,
        )
        return self.runs

    def tool(self, root: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        node = self.open(
            root, "tools", "chain", {"tool_call": call}, metadata={"langgraph_node": "tools"}
        )
        run = self.open(
            node, call["name"], "tool", {"input": json.dumps(call["args"])}, tool_call_id=call["id"]
        )
        if call["name"] == "search_docs":
            retriever = self.open(
                run, "VectorStoreRetriever", "retriever", {"query": call["args"]["query"]}
            )
            documents = [
                {
                    "page_content": words(rng, rng.randrange(2, 12)),
                    "metadata": {"source": f"docs/{n}.md", "score": round(rng.random(), 3)},
                    "type": "Document",
                }
                for n in range(4)
            ]
            self.close(retriever, {"documents": documents}, rng.uniform(0.02, 0.2))
            content = "\n\n".join(document["page_content"] for document in documents)
        else:
            content = json.dumps(
                {"order_id": rng.randrange(9999), "note": words(rng, rng.randrange(1, 4))}
            )
        result = message(
            "tool", content, tool_call_id=call["id"], name=call["name"], status="success"
        )
        self.close(run, {"output": result}, rng.uniform(0.01, 0.4))
        self.close(node, {"messages": [result]}, 0.001)
        return result


def traces(
    count: int,
    *,
    project: str = "bench",
    seed: int = 1,
    start: datetime | None = None,
    spacing: float = 0.05,
) -> Iterator[list[dict[str, Any]]]:
    """Yield traces, each a list of complete runs, `spacing` seconds apart from `start` (default: an hour ago)."""
    start = start or datetime.now(UTC) - timedelta(hours=1)
    for index in range(count):
        yield Trace(index, start + timedelta(seconds=index * spacing), project, seed).build()


def batches(count: int, size: int = 100, **options: Any) -> Iterator[bytes]:
    """Yield bodies for POST /runs/batch of `size` merged runs, `count` runs in all."""
    pending: list[dict[str, Any]] = []
    made = 0
    for trace in traces(count, **options):
        for run in trace:
            pending.append(run)
            made += 1
            if len(pending) == size or made == count:
                yield json.dumps({"post": pending, "patch": []}).encode()
                pending = []
            if made == count:
                return
