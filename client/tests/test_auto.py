"""Tracing without a line in the app: each case is a process of its own, as the hook is for good."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PREAMBLE = "from langchain_core.runnables import RunnableLambda\n"
INVOKE = "RunnableLambda(lambda x: x, name='step').invoke(1)\n"


@pytest.fixture
def run(peer):
    def start(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
        environment = {**os.environ, "PYTHONPATH": path, "RUNWOOD_ENDPOINT": peer.url, **variables}
        return subprocess.run(
            [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)],
            env=environment, check=True, timeout=60, capture_output=True, text=True,
        )  # fmt: skip

    return start


def names(peer):
    return sorted(run["name"] for run in peer.runs.values())


def test_one_import_traces_every_run(peer, run):
    run("import runwood.auto\n" + INVOKE, RUNWOOD_PROJECT="shop")
    assert peer.named("step")["session_name"] == "shop"


def test_a_variable_traces_every_run_of_an_app_that_imports_runwood(peer, run):
    run("import runwood\n" + INVOKE, RUNWOOD_TRACING="true")
    assert names(peer) == ["step"]


@pytest.mark.parametrize("value", ["false", "0", "off", "No", ""])
def test_runwood_alone_traces_nothing(peer, run, value):
    run("import runwood\n" + INVOKE, RUNWOOD_TRACING=value)
    assert names(peer) == []


def test_the_variable_switches_the_import_off(peer, run):
    run("import runwood.auto\n" + INVOKE, RUNWOOD_TRACING="false")
    assert names(peer) == []


def test_both_ways_together_record_a_run_once(peer, run):
    run("import runwood, runwood.auto\n" + INVOKE, RUNWOOD_TRACING="true")
    assert names(peer) == ["step"]
    assert len(peer.requests) == 1


def test_a_handler_of_the_apps_own_takes_its_place(peer, run):
    run(
        """
        import runwood.auto
        own = runwood.RunwoodCallbackHandler(project="own")
        RunnableLambda(lambda x: x, name="step").invoke(1, {"callbacks": [own]})
        """
    )
    assert peer.named("step")["session_name"] == "own"


def test_runs_of_bare_threads_are_seen(peer, run):
    run(
        """
        import threading, runwood.auto
        thread = threading.Thread(target=lambda: RunnableLambda(lambda x: x, name="step").invoke(1))
        thread.start()
        thread.join()
        """
    )
    assert names(peer) == ["step"]


def test_chain_groups_are_seen(peer, run):
    run(
        """
        import asyncio, runwood.auto
        from langchain_core.callbacks.manager import atrace_as_chain_group, trace_as_chain_group
        step = RunnableLambda(lambda x: x, name="step")
        with trace_as_chain_group("sync group", inputs={"q": 1}) as group:
            step.invoke(1, {"callbacks": group})
            group.on_chain_end({"a": 2})
        async def work():
            async with atrace_as_chain_group("async group") as group:
                await step.ainvoke(1, {"callbacks": group})
        asyncio.run(work())
        """
    )
    assert peer.tree() == [
        "sync group chain success",
        "  step chain success",
        "async group chain success",
        "  step chain success",
    ]
    group = peer.named("sync group")
    assert (group["inputs"], group["outputs"]) == ({"q": 1}, {"a": 2})


def test_an_agent_is_recorded_whole(peer, run):
    run(
        """
        import runwood.auto
        from langchain.agents import create_agent
        from sample_apps import ScriptedModel, calls, order_status, says
        model = ScriptedModel([calls("order_status", order_id=7), says("on its way")])
        create_agent(model, [order_status], name="clerk").invoke({"messages": [("user", "?")]})
        """
    )
    assert peer.tree() == [
        "clerk chain success",
        "  model chain success",
        "    ScriptedModel llm success",
        "  tools chain success",
        "    order_status tool success",
        "  model chain success",
        "    ScriptedModel llm success",
    ]


def test_a_scope_switches_it_off(peer, run):
    run("import runwood.auto\nwith runwood.tracing(enabled=False):\n    " + INVOKE)
    assert names(peer) == []


def test_the_process_s_handler_can_be_flushed(peer, run):
    done = run("import runwood.auto\n" + INVOKE + "print(runwood.auto.handler.flush())")
    assert done.stdout.strip() == "True"


def test_a_wrong_setting_does_not_keep_the_app_from_starting(peer, run):
    done = run("import runwood.auto\n" + INVOKE + "print('works')", RUNWOOD_ENDPOINT="ftp://x")
    assert done.stdout.strip() == "works"
    assert "nothing is traced" in done.stderr
