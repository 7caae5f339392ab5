"""The demo: a real agent, traced both ways, gives the same trees."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.server import ROOT, Server

pytestmark = pytest.mark.live


def test_the_handler_and_the_langsmith_sdk_give_the_same_trees(runwood: Server) -> None:
    environment = runwood.environment | {
        "RUNWOOD_ENDPOINT": runwood.url,
        "RUNWOOD_API_KEY": runwood.api_key("ingest", "read"),
        "PYTHONPATH": str(ROOT / "client" / "src"),
    }
    command = [sys.executable, "-m", "demo"]
    demo = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "Both ways give the same 5 trees" in demo.stdout
