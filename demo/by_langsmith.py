"""The demo as an app that knows nothing of Runwood: LangSmith's own tracing, pointed elsewhere by its environment."""

from __future__ import annotations

import sys

from langchain_core.tracers.langchain import wait_for_all_tracers

from demo.agent import run_conversations

if __name__ == "__main__":
    run_conversations([], sys.argv[1])
    wait_for_all_tracers()
