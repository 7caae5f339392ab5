"""The client's commands against a real server, with what LangSmith's real SDK leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from runwood.command.doctor.examination import examine

from benchmarks.server import ROOT, Server, free_port
from tests.contract.support import Account, new_project, wait_for
from tests.environment import clean_environment

LEFT_BY_LANGSMITH = """
from langsmith import Client, traceable, tracing_context
client = Client(timeout_ms=500, retry_config=0)
@traceable(client=client)
def outer(x):
    return inner(x)
@traceable(client=client)
def inner(x):
    return x + 1
outer(1)
client.flush()
"""


def runwood_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment() | {"PYTHONPATH": str(ROOT / "client" / "src"), **variables}
    return subprocess.run(
        [sys.executable, "-m", "runwood", *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_doctor_finds_nothing_wrong_with_a_server_that_works(account: Account) -> None:
    done = runwood_command(
        "doctor", RUNWOOD_ENDPOINT=account.endpoint, RUNWOOD_API_KEY=account.api_key
    )
    assert done.returncode == 0, done.stdout
    assert "✓ server: Runwood 0.1.0" in done.stdout
    assert "✓ clock: agrees" in done.stdout
    assert "✓ test trace: sent and read back" in done.stdout


@pytest.mark.parametrize(
    ("scope", "verdict", "words"),
    [
        ("read", "wrong", "needs the scope ingest"),
        (None, "wrong", "does not know it"),
        ("ingest", "ok", "may not read"),
    ],
)
def test_doctor_tells_keys_apart(
    runwood: Server, scope: str | None, verdict: str, words: str
) -> None:
    key = runwood.api_key(scope) if scope else "rw_" + "x" * 43
    given = {"endpoint": runwood.url, "api_key": key, "project": new_project("doctor")}
    found = {item.about: item for item in examine(given)}
    told = found["test trace" if scope == "ingest" else "key"]
    assert told.verdict == verdict
    assert words in told.said


def test_doctor_names_the_address_where_it_was_given_a_page(runwood: Server) -> None:
    given = {"endpoint": f"{runwood.url}/projects", "api_key": "", "project": None}
    found = {item.about: item for item in examine(given)}
    assert found["server"].said.endswith(f"set RUNWOOD_ENDPOINT to {runwood.url}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("wrong", "is_compressed"),
    [({"LANGSMITH_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, False),
     ({"LANGSMITH_API_KEY": "lsv2_wrong"}, True)],
    ids=["nobody listens", "the key is wrong"],
)  # fmt: skip
def test_what_langsmiths_sdk_could_not_send_is_pushed(
    account: Account, runwood: Server, tmp_path: Path, wrong: dict[str, str], is_compressed: bool
) -> None:
    project = new_project("failed")
    left = tmp_path / "failed"
    environment = account.environment(project, LANGSMITH_FAILED_TRACES_DIR=str(left), **wrong)
    subprocess.run(
        [sys.executable, "-c", LEFT_BY_LANGSMITH],
        env=environment, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (file,) = left.glob("trace_*.json")
    assert ("Content-Encoding" in json.loads(file.read_text())["headers"]) == is_compressed
    done = runwood_command(
        "push", str(left), "--remove", RUNWOOD_ENDPOINT=runwood.url, RUNWOOD_API_KEY=account.api_key
    )
    assert done.returncode == 0, done.stderr
    assert not list(left.iterdir())
    runs = wait_for(
        lambda: list(account.client.list_runs(project_name=project)), lambda found: len(found) == 2
    )
    assert {run.name for run in runs} == {"outer", "inner"}
