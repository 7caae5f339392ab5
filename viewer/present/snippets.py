"""How to connect an app: lines to copy, quoted for the language that will read them.

A project's name comes from whoever sent its first run, and what is copied here is pasted into a shell.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote
from uuid import UUID

Kind = Literal["plain", "string", "word", "note"]
NO_KEY = "YOUR_API_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines for one way to connect. `parts` are pieces of text, each with what it is."""

    way: str
    title: str
    parts: list[tuple[Kind, str]]


def view_snippets(
    *, endpoint: str, key: str, project: str, run_id: UUID, now: datetime
) -> list[Snippet]:
    key = key or NO_KEY
    return [
        Snippet("handler", "Handler", _handler(endpoint, key, project)),
        Snippet("env", "Environment variables", _environment(endpoint, key, project)),
        Snippet("js", "JavaScript", _javascript(endpoint, key, project)),
        Snippet("otel", "OpenTelemetry", _opentelemetry(endpoint, key, project)),
        Snippet("curl", "curl", _curl(endpoint, key, project, run_id, now)),
    ]


def _literal(text: str) -> tuple[Kind, str]:
    """Quote for Python and JavaScript: JSON's strings without raw line separators are strings of both."""
    return "string", json.dumps(text)


def _shell(text: str) -> tuple[Kind, str]:
    return "string", shlex.quote(text)


def _handler(endpoint: str, key: str, project: str) -> list[tuple[Kind, str]]:
    return [
        ("note", "# pip install ./client, in Runwood's repository\n"),
        ("word", "from"), ("plain", " runwood "), ("word", "import"), ("plain", " RunwoodCallbackHandler\n"),
        ("plain", "handler = RunwoodCallbackHandler(endpoint="), _literal(endpoint),
        ("plain", ", api_key="), _literal(key), ("plain", ", project="), _literal(project), ("plain", ")\n"),
        ("plain", "graph.invoke(question, config={"), ("string", '"callbacks"'), ("plain", ": [handler]})"),
    ]  # fmt: skip


def _environment(endpoint: str, key: str, project: str) -> list[tuple[Kind, str]]:
    return [
        ("plain", "export LANGSMITH_TRACING="), ("string", "true"),
        ("plain", " LANGSMITH_PROJECT="), _shell(project),
        ("plain", "\nexport LANGSMITH_ENDPOINT="), _shell(f"{endpoint}/api/v1"),
        ("plain", "\nexport LANGSMITH_API_KEY="), _shell(key),
    ]  # fmt: skip


def _javascript(endpoint: str, key: str, project: str) -> list[tuple[Kind, str]]:
    return [
        ("word", "const"), ("plain", " client = "), ("word", "new"), ("plain", " Client({ apiUrl: "), _literal(endpoint),
        ("plain", ", apiKey: "), _literal(key), ("plain", " }); "), ("note", '// from "langsmith"\n'),
        ("word", "const"), ("plain", " tracer = "), ("word", "new"), ("plain", " LangChainTracer({ client, projectName: "),
        _literal(project), ("plain", " }); "), ("note", '// from "@langchain/core/tracers/tracer_langchain"\n'),
        ("word", "await"), ("plain", " graph.invoke(question, { callbacks: [tracer] });"),
    ]  # fmt: skip


def _opentelemetry(endpoint: str, key: str, project: str) -> list[tuple[Kind, str]]:
    headers = f"x-api-key={key},Langsmith-Project={quote(project, safe='')}"
    return [
        ("plain", "export OTEL_EXPORTER_OTLP_ENDPOINT="), _shell(endpoint),
        ("plain", "\nexport OTEL_EXPORTER_OTLP_PROTOCOL="), ("string", "http/protobuf"),
        ("plain", "\nexport OTEL_EXPORTER_OTLP_HEADERS="), _shell(headers),
    ]  # fmt: skip


def _curl(
    endpoint: str, key: str, project: str, run_id: UUID, now: datetime
) -> list[tuple[Kind, str]]:
    run = {
        "id": str(run_id),
        "name": "hello",
        "run_type": "chain",
        "session_name": project,
        "start_time": f"{now:%Y-%m-%dT%H:%M:%S}.000Z",
        "end_time": f"{now:%Y-%m-%dT%H:%M:%S}.250Z",
        "inputs": {"question": "Is anybody there?"},
        "outputs": {"answer": "Yes."},
    }
    return [
        ("plain", "curl "), _shell(f"{endpoint}/runs"), ("plain", " \\\n  -H "), _shell(f"x-api-key: {key}"),
        ("plain", " -H "), _shell("content-type: application/json"), ("plain", " \\\n  -d "), _shell(json.dumps(run)),
    ]  # fmt: skip
