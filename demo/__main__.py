"""Run the demo against the running server: `make demo`.

The same agent is traced twice, by Runwood's handler and by nothing but LangSmith's environment variables, and both
are read back and compared. Ends with 1 and the difference where they are not the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from urllib.parse import urlsplit

from langsmith import Client
from rich.console import Console
from rich.tree import Tree
from runwood import RunwoodCallbackHandler

from config.paths import running_address
from demo.agent import run_conversations
from demo.compare import read_traces, tree
from demo.model import SCRIPT

HANDLER_PROJECT, LANGSMITH_PROJECT = "demo-handler", "demo-langsmith"
console = Console()


def endpoint() -> str:
    """Return the server's address: RUNWOOD_ENDPOINT, else by RUNWOOD_PORT, else of what runs on the data folder."""
    if not {"RUNWOOD_ENDPOINT", "RUNWOOD_PORT"} & set(os.environ) and (
        running := running_address()
    ):
        return running
    return (
        os.environ.get("RUNWOOD_ENDPOINT")
        or f"http://127.0.0.1:{os.environ.get('RUNWOOD_PORT', '8000')}"
    )


def api_key() -> str:
    """Return RUNWOOD_API_KEY, else a new key of the server on this machine."""
    given = os.environ.get("RUNWOOD_API_KEY")
    if given:
        return given
    made = subprocess.run(
        [sys.executable, "manage.py", "create_api_key", "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SystemExit(
            f"No API key could be made. Is the server up (make up)?\n{made.stderr.strip()[-400:]}"
        )
    return made.stdout.strip()


def by_handler(url: str, key: str) -> None:
    handler = RunwoodCallbackHandler(endpoint=url, api_key=key, project=HANDLER_PROJECT)
    run_conversations([handler], f"kiln-{uuid.uuid4().hex[:8]}")
    if not handler.flush(20):
        raise SystemExit(
            f"The server at {url} did not take the handler's runs. Is it up (make up)?"
        )


def by_langsmith(url: str, key: str) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUNWOOD_", "LANGCHAIN_"))
    }
    environment |= {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": f"{url}/api/v1",
        "LANGSMITH_API_KEY": key,
        "LANGSMITH_PROJECT": LANGSMITH_PROJECT,
    }
    command = [sys.executable, "-m", "demo.by_langsmith", f"kiln-{uuid.uuid4().hex[:8]}"]
    subprocess.run(command, env=environment, check=True)


def main() -> int:
    url, key = endpoint(), api_key()
    console.print(f"Tracing a support agent with the handler, to {url} …")
    by_handler(url, key)
    console.print("Tracing the same agent with LANGSMITH_ENDPOINT alone …")
    by_langsmith(url, key)
    client = Client(api_url=f"{url}/api/v1", api_key=key)
    traces = [
        read_traces(client, project, len(SCRIPT))
        for project in (HANDLER_PROJECT, LANGSMITH_PROJECT)
    ]
    same = [tree(handler) == tree(langsmith) for handler, langsmith in zip(*traces, strict=True)]
    _show(tree(traces[0][0]))
    for number, is_same in enumerate(same):
        if not is_same:
            _show_difference(number, tree(traces[0][number]), tree(traces[1][number]))
    runs = sum(map(len, traces[0]))
    if all(same):
        console.print(f"[bold]Both ways give the same {len(same)} trees[/bold], {runs} runs each.")
    host = urlsplit(url)._replace(path="").geturl()
    for project in (HANDLER_PROJECT, LANGSMITH_PROJECT):
        console.print(f"  {host}/p/{project}/traces")
    return 0 if all(same) else 1


def _show(rows: list[tuple[object, ...]]) -> None:
    """Print the first trace as a tree."""
    shown = Tree(f"[bold]{rows[0][1]}[/bold]")
    branches = {0: shown}
    for depth, name, run_type, status, *_ in rows[1:]:
        assert isinstance(depth, int)
        branches[depth] = branches[depth - 1].add(f"{name} [dim]{run_type}, {status}[/dim]")
    console.print(shown)


def _show_difference(
    number: int, handler: list[tuple[object, ...]], langsmith: list[tuple[object, ...]]
) -> None:
    console.print(f"[red]Trace {number + 1} differs:[/red] by the handler (-), by LangSmith (+)")
    for row in handler:
        if row not in langsmith:
            console.print("-", row, markup=False)
    for row in langsmith:
        if row not in handler:
            console.print("+", row, markup=False)


if __name__ == "__main__":
    sys.exit(main())
