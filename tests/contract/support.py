"""How contract tests run a user's program against the server, and read back what it traced."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from langsmith import Client
from langsmith.schemas import Run
from langsmith.utils import LangSmithNotFoundError

from tests.contract.compatibility import covers
from tests.environment import clean_environment

T = TypeVar("T")

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_SECONDS = 15.0
PROGRAM_SECONDS = 60

PYTHON = "langsmith (Python)"
NEWEST = version("langsmith")
newest_covers = partial(covers, client=PYTHON, version=NEWEST)


@dataclass(frozen=True, slots=True)
class Account:
    """What a user was given: an address and a key. And a client of the newest release to look with."""

    endpoint: str
    api_key: str
    client: Client

    def environment(self, project: str, **settings: str) -> dict[str, str]:
        """Return the environment of a process that traces to `project`: four variables, and `settings`."""
        return (
            clean_environment()
            | {
                "LANGSMITH_ENDPOINT": self.endpoint,
                "LANGSMITH_API_KEY": self.api_key,
                "LANGSMITH_TRACING": "true",
                "LANGSMITH_PROJECT": project,
            }
            | settings
        )


def new_project(name: str) -> str:
    return f"{name} {uuid.uuid4().hex[:12]}"


def run_program(python: str, name: str, environment: Mapping[str, str], *arguments: str) -> str:
    """Run a user's program to its end and return what it printed; fail with what it wrote on stderr."""
    program = subprocess.run(
        [python, str(PROGRAMS / f"{name}.py"), *arguments],
        env=dict(environment),
        cwd=PROGRAMS,
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        check=False,
    )
    assert program.returncode == 0, program.stdout + program.stderr
    assert "Failed to" not in program.stderr, program.stderr  # how the SDKs tell of lost runs
    return program.stdout


def printed_json(output: str) -> Any:
    """Return the JSON in the last line that a program printed."""
    return json.loads(output.splitlines()[-1])


def wait_for(read: Callable[[], T], is_there: Callable[[T], bool]) -> T:
    """Read until what was sent is stored (a 202 comes before that), and return it as it is in the end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = read()
            if is_there(found) or time.monotonic() > deadline:
                return found
        except LangSmithNotFoundError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


class Runs:
    """The runs that one program traced, to be looked at by name and by place in their trees."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.all = sorted(runs, key=lambda run: run.dotted_order)
        self._children: defaultdict[uuid.UUID | None, list[Run]] = defaultdict(list)
        for run in self.all:
            self._children[run.parent_run_id].append(run)

    def __len__(self) -> int:
        return len(self.all)

    def named(self, name: str) -> list[Run]:
        return [run for run in self.all if run.name == name]

    def one(self, name: str) -> Run:
        """Return the only run of that name."""
        (run,) = self.named(name)
        return run

    def children(self, run: Run) -> list[Run]:
        return self._children[run.id]

    def tree(self, run: Run) -> Any:
        """Return the names of a run and of all below it: `name`, or `[name, child, …]`."""
        children = [self.tree(child) for child in self.children(run)]
        return [run.name, *children] if children else run.name


def read_runs(client: Client, project: str, count: int) -> Runs:
    """Return a project's runs once there are `count` and all have ended; fail where that does not come."""
    runs = wait_for(
        lambda: list(client.list_runs(project_name=project)),
        lambda runs: len(runs) == count and all(run.end_time for run in runs),
    )
    assert len(runs) == count, sorted(run.name for run in runs)
    return Runs(runs)
