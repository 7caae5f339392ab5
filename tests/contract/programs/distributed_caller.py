"""A user's program: a run that goes on in another process. Arguments: the headers that travel, and the other's project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from langsmith import get_current_run_tree, traceable, tracing_context

SERVICE = Path(__file__).with_name("distributed_service.py")


@traceable
def call(question: str) -> str:
    run = get_current_run_tree()
    assert run is not None
    names = sys.argv[1].split("+")
    headers = {name: value for name, value in run.to_headers().items() if name in names}
    environment = os.environ | {"LANGSMITH_PROJECT": sys.argv[2]}
    return subprocess.run(
        [sys.executable, str(SERVICE), json.dumps(headers), question],
        env=environment, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


with tracing_context(tags=["checkout"], metadata={"shop": "kiln"}):
    call("where?")
