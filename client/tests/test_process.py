"""What happens around a process's life, in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from peer import Peer
from sample_apps import wait_for

SOURCE = Path(__file__).parents[1] / "src"

PREAMBLE = """
import asyncio, os, sys, threading, time
from langchain_core.runnables import RunnableLambda
from runwood import RunwoodCallbackHandler
handler = RunwoodCallbackHandler(project="p")
def run(name, function=lambda x: x):
    return RunnableLambda(function, name=name).invoke(1, {"callbacks": [handler]})
"""


def run_script(
    script: str, endpoint: str, *, preamble: str = PREAMBLE
) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a script with the handler; return what it said, and the seconds since it printed `end`."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": endpoint}
    process = subprocess.Popen(
        [sys.executable, "-c", preamble + textwrap.dedent(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ended = time.monotonic()
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        ended = time.monotonic()
    _, errors = process.communicate(timeout=60)
    seconds = time.monotonic() - ended
    return subprocess.CompletedProcess(script, process.returncode, "".join(lines), errors), seconds


def names(peer: Peer) -> list[str]:
    return sorted(run["name"] for run in peer.runs.values())


def dead_endpoint() -> str:
    with Peer() as gone:
        return gone.url


@pytest.mark.parametrize(
    "end", ["pass", "sys.exit(0)", "raise ValueError", "raise KeyboardInterrupt"]
)
def test_what_waits_is_sent_when_the_process_ends(peer, end):
    run_script(f"run('last')\n{end}", peer.url)
    assert names(peer) == ["last"]
    assert peer.status("last") == "success"


def test_what_is_open_at_the_end_is_incomplete(peer):
    script = """
    def hang(_):
        print("end", flush=True)
        time.sleep(60)
    threading.Thread(target=run, args=("open", hang), daemon=True).start()
    time.sleep(0.5)
    """
    run_script(script, peer.url)
    assert peer.status("open") == "incomplete"
    assert "end_time" not in peer.named("open")


def test_an_exit_is_short_when_the_server_is_down():
    _, seconds = run_script("run('lost')\nprint('end', flush=True)", dead_endpoint())
    assert seconds < 3


def test_an_exit_is_short_after_a_long_time_without_the_server():
    script = """
    for _ in range(300):
        run("lost")
    time.sleep(1.5)
    print("end", flush=True)
    """
    _, seconds = run_script(script, dead_endpoint())
    assert seconds < 3


def test_an_exit_is_bounded_when_the_server_never_answers(peer):
    peer.delay = 30
    _, seconds = run_script("for _ in range(300): run('lost')\nprint('end', flush=True)", peer.url)
    assert 3.5 < seconds < 5.2


def test_an_exit_is_shorter_when_the_server_has_been_silent_for_long(peer):
    peer.delay = 30
    script = """
    from runwood.sending import delivery
    delivery.SILENT_SECONDS = 0.5
    run("lost")
    time.sleep(1.5)
    print("end", flush=True)
    """
    _, seconds = run_script(script, peer.url)
    assert seconds < 2.5


def test_a_server_that_answers_in_nine_seconds_costs_the_app_nothing_and_loses_nothing(peer):
    peer.delay = 9
    script = """
    began = time.monotonic()
    for number in range(50):
        run(f"run {number}")
    print(time.monotonic() - began < 2, handler.flush(30), flush=True)
    """
    done, _ = run_script(script, peer.url)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert len(peer.runs) == 50


def test_the_app_hears_of_a_dead_server_once_and_works_on():
    script = """
    import logging
    logging.basicConfig()
    for _ in range(50):
        run("lost")
        time.sleep(0.01)
    print("end", flush=True)
    """
    done, _ = run_script(script, dead_endpoint())
    assert done.returncode == 0
    assert done.stderr.count("trying on") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sends_its_own_runs_and_not_its_parents(peer):
    script = """
    run("before")
    child = os.fork()
    if child == 0:
        run("in the child")
        assert handler.flush()
        os._exit(0)
    os.waitpid(child, 0)
    run("after")
    """
    run_script(script, peer.url)
    assert names(peer) == ["after", "before", "in the child"]
    assert sum(len(request.runs) for request in peer.accepted) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_the_sender_is_busy_leaves_a_working_child(peer):
    peer.delay = 0.02
    script = """
    run("warm")  # langchain-core imports on its first call, under the interpreter's own locks
    def work(x):
        for _ in range(20):
            run("child-of-thread")
        return x
    threads = [threading.Thread(target=run, args=("busy", work)) for _ in range(4)]
    for thread in threads: thread.start()
    children = []
    for number in range(5):
        child = os.fork()
        if child == 0:
            run(f"fork-{number}")
            os._exit(0 if handler.flush(10) else 1)
        children.append(child)
        time.sleep(0.02)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    for thread in threads: thread.join()
    print(statuses)
    """
    done, _ = run_script(script, peer.url)
    assert done.stdout.strip() == "[0, 0, 0, 0, 0]", done.stderr
    assert {name for name in names(peer) if name.startswith("fork")} == {
        f"fork-{number}" for number in range(5)
    }
    ended = [run for run in peer.runs.values() if run["name"] == "busy"]
    assert [run.get("status", "success") for run in ended] == ["success"] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_run_that_the_parent_has_open_is_not_closed_by_a_forked_child(peer):
    script = """
    def work(x):
        child = os.fork()
        if child == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        return x
    run("parents", work)
    """
    run_script(script, peer.url)
    sent = [run for request in peer.accepted for run in request.runs]
    ends = [run for run in sent if run["name"] == "parents" and "end_time" in run]
    assert len(ends) == 1
    assert peer.status("parents") == "success"


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_multiprocessing_child_sends_its_runs_without_a_flush(peer, tmp_path, method):
    script = tmp_path / "script.py"
    body = """
    def task(number):
        run(f"task-{number}")
    if __name__ == "__main__":
        import multiprocessing
        run("main")
        context = multiprocessing.get_context("METHOD")
        process = context.Process(target=task, args=(0,))
        process.start()
        process.join()
    """
    script.write_text(PREAMBLE + textwrap.dedent(body).replace("METHOD", method))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": peer.url}
    subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=60)
    assert names(peer) == ["main", "task-0"]


def test_importing_and_constructing_opens_nothing():
    script = """
    import socket, threading
    def refuse(*_, **__): raise AssertionError("a socket was made")
    socket.socket.__init__ = refuse
    handler = RunwoodCallbackHandler()
    print(threading.active_count())
    """
    done, _ = run_script(script, "http://127.0.0.1:9")
    assert done.stdout.strip() == "1", done.stderr


def test_the_import_brings_nothing_that_a_langchain_app_has_not_loaded():
    script = """
    import sys, langchain_core.runnables.base, langchain_core.language_models
    before = set(sys.modules)
    import runwood
    print(sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
    """
    done, _ = run_script(script, "http://127.0.0.1:9", preamble="")
    brought = set(eval(done.stdout))
    assert "runwood" in brought
    assert not brought & {"httpx", "requests", "langsmith", "langgraph", "multiprocessing"}


def test_sigterm_loses_at_most_what_is_younger_than_a_batch(peer):
    script = """
    run("old")
    time.sleep(0.8)
    print("end", flush=True)
    os.kill(os.getpid(), 15)
    """
    done, _ = run_script(script, peer.url)
    assert done.returncode == -15
    assert wait_for(lambda: names(peer) == ["old"])


def test_a_server_that_restarts_loses_nothing(peer):
    port = peer.port
    script = """
    for number in range(20):
        run(f"run-{number:02}")
        time.sleep(0.1)
    """
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": peer.url}
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)], env=environment
    )
    assert wait_for(lambda: peer.accepted, 20)
    peer.__exit__()
    time.sleep(0.5)
    with Peer(port) as second:
        assert process.wait(30) == 0
        arrived: Any = {**peer.runs, **second.runs}
    assert sorted(run["name"] for run in arrived.values()) == [f"run-{n:02}" for n in range(20)]
