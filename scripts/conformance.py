"""Run the client's workloads under each supported langchain-core, and write docs/conformance.md."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "client" / "tests" / "conformance"
OLDER = SUITE / "langchain-core-1.7.lock"
PAGE = ROOT / "docs" / "conformance.md"

INTRODUCTION = """\
# Conformance of the handler

Made by `make conformance`: each row is a test in `client/tests/conformance/` that runs a real workload (real langchain-core, LangChain agents
and LangGraph, scripted models) and compares the recorded tree with one that was written by hand. `make test` runs both columns too.
"""


def install(lock: Path, folder: Path) -> str:
    """Make an environment of what a lock names, and return its Python."""
    python = str(folder / "bin" / "python")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
    subprocess.run(
        [*uv, "pip", "install", "--python", python, "--require-hashes", "-r", lock], check=True
    )
    return python


def run(python: str, report: Path) -> bool:
    """Run the suite in an environment; return whether all of it passed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client" / "src")}
    command = [python, "-m", "pytest", SUITE, "-q", "-p", "no:cacheprovider"]
    command += ["-c", ROOT / "client" / "pyproject.toml", f"--junitxml={report}"]
    return subprocess.run(command, env=environment, cwd=ROOT / "client").returncode == 0


def outcomes(report: Path) -> dict[str, str]:
    """Return how each test of a report came out."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        bad = {"failure", "error", "skipped"} & {child.tag for child in case}
        found[case.attrib["name"]] = bad.pop() if bad else "passed"
    return found


def version_in(python: str) -> str:
    """Return the langchain-core of an environment."""
    code = "from importlib.metadata import version; print(version('langchain-core'))"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def render(columns: dict[str, dict[str, str]]) -> str:
    """Return the page: a row a workload, a column a version."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = ["| workload | " + " | ".join(f"langchain-core {name}" for name in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in names:
        shown = name.removeprefix("test_").replace("_", " ")
        cells = " | ".join(column.get(name, "not run") for column in columns.values())
        lines.append(f"| {shown} | {cells} |")
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Run both, write the page, and return 1 where a workload failed."""
    is_good = True
    columns = {}
    with tempfile.TemporaryDirectory() as folder:
        for python in (install(OLDER, Path(folder) / "venv"), sys.executable):
            report = Path(folder) / "report.xml"
            is_good &= run(python, report)
            columns[version_in(python)] = outcomes(report)
    PAGE.write_text(render(columns), encoding="utf-8")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
