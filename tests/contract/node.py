"""How contract tests run the scripts in `javascript/`, where there is a Node to run them with."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.contract.support import Account

SCRIPTS = Path(__file__).parent / "javascript"
OLDEST_NODE = 20
SCRIPT_SECONDS = 60
SKIPPED = "JAVASCRIPT CONTRACT TESTS WERE SKIPPED"


def _locked_version(folder: str) -> str:
    lock = json.loads((SCRIPTS / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{folder}"]["version"])


# By the name under which scripts import it
SDKS = {name: _locked_version(name) for name in ("langsmith", "langsmith-0.3", "langsmith-0.1")}
NEWEST = "langsmith"
CORE, LANGGRAPH, OPENAI = map(
    _locked_version, ("@langchain/core", "@langchain/langgraph", "openai")
)


@cache
def node_version() -> tuple[int, ...] | None:
    """Return the version of the installed Node, or None where there is none."""
    node = shutil.which("node")
    if node is None:
        return None
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, text.strip().removeprefix("v").split(".")))


@cache
def what_is_missing() -> str | None:
    """Say what keeps the scripts from running here; None where nothing does."""
    version = node_version()
    if version is None:
        return "no node"
    if version < (OLDEST_NODE,):
        return f"node is older than {OLDEST_NODE}"
    if not (SCRIPTS / "node_modules" / ".package-lock.json").exists():
        return "their packages are not installed (make javascript)"
    return None


needs_node = pytest.mark.skipif(
    what_is_missing() is not None, reason=f"{SKIPPED}: {what_is_missing()}"
)


def run_script(
    account: Account, script: str, *arguments: str, project: str, **settings: str
) -> dict[str, Any]:
    """Run a script to its end, as a user would, and return the JSON that it printed at last.

    `settings` are environment variables beside the four that every user sets.
    """
    # 0.1 knows the project by its older name only
    environment = account.environment(project, LANGCHAIN_PROJECT=project, **settings)
    done = subprocess.run(
        ["node", f"{script}.mjs", *arguments],
        env=environment,
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for complaint in ("Failed", "failed", "Error:", "older than"):  # of lost runs, of an old server
        assert complaint not in done.stderr, done.stderr
    printed = done.stdout.splitlines()
    return dict(json.loads(printed[-1])) if printed else {}
