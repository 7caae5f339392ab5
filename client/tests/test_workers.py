"""Servers and task queues that fork: gunicorn and Celery, real ones, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from peer import Peer, status_of
from runwood.workers import Workers
from sample_apps import wait_for
from test_process import PREAMBLE, SOURCE, dead_endpoint, names, run_script

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# Only a flush or a drain sends: the sender's own pace would hide that there is none.
HELD_BACK = "from runwood.sending import sender; sender.GATHER_SECONDS = 300.0\n"

CELERY = """
    from celery import Celery
    app = Celery("app", broker="filesystem://")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": "FOLDER", "data_folder_out": "FOLDER", "control_folder": "FOLDER/control",
        },
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )

    @app.task
    def work(name):
        run(name)

    @app.task
    def leave_open(name):
        begun = threading.Event()
        def hang(_):
            begun.set()
            time.sleep(600)
        threading.Thread(target=run, args=(name, hang), daemon=True).start()
        begun.wait(10)
"""

WEB = """
    run("master")
    if "BEFORE_FORK" == "flush":
        assert handler.flush()

    def app(environ, start_response):
        sender.GATHER_SECONDS = 0.1
        name = environ["PATH_INFO"].strip("/")
        run(name)
        body = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


@contextlib.contextmanager
def started(folder: Path, source: str, endpoint: str, *command: str):
    """A command in a folder that holds `app.py`; ended hard if it still runs at the end."""
    (folder / "app.py").write_text(PREAMBLE + textwrap.dedent(source))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SOURCE), str(folder)]),
        "RUNWOOD_ENDPOINT": endpoint,
    }
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@contextlib.contextmanager
def celery_worker(folder: Path, endpoint: str, *calls: tuple[str, str]):
    """A prefork worker of one process, with tasks by name and argument sent to it."""
    source = HELD_BACK + textwrap.dedent(CELERY.replace("FOLDER", str(folder / "broker")))
    (folder / "broker" / "control").mkdir(parents=True)
    options = ["--pool=prefork", "--concurrency=1", "--loglevel=INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with started(folder, source, endpoint, "celery", "-A", "app", "worker", *options, *quiet) as it:
        for task, name in calls:
            call = f"import app; app.{task}.delay({name!r})"
            subprocess.run(
                [sys.executable, "-c", call],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": endpoint},
                check=True,
                timeout=60,
            )
        yield it


def log_of(folder: Path) -> str:
    return (folder / "log.txt").read_text()


def seconds_to_end(process: subprocess.Popen[bytes]) -> float:
    """Ask for a warm shutdown, and return how long it took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    return time.monotonic() - began


def test_a_celery_task_has_sent_its_runs_when_it_ends(peer, tmp_path):
    with celery_worker(tmp_path, peer.url, ("work", "in the task")):
        assert wait_for(lambda: names(peer) == ["in the task"], 60), log_of(tmp_path)
        assert peer.status("in the task") == "success"


def test_a_celery_worker_that_shuts_down_closes_what_is_open(peer, tmp_path):
    with celery_worker(tmp_path, peer.url, ("leave_open", "open")) as worker:
        assert wait_for(lambda: names(peer) == ["open"], 60), log_of(tmp_path)
        assert peer.status("open") == "running"
        assert seconds_to_end(worker) < 15
    assert peer.status("open") == "incomplete", log_of(tmp_path)


def test_a_celery_worker_ends_in_time_when_the_server_is_down(tmp_path):
    with celery_worker(tmp_path, dead_endpoint(), ("work", "lost"), ("work", "too")) as worker:
        assert wait_for(lambda: log_of(tmp_path).count(" succeeded in ") == 2, 60), log_of(tmp_path)
        assert seconds_to_end(worker) < 10


def test_an_absent_server_holds_up_one_task_and_not_every_one(monkeypatch):
    waited = []
    workers = Workers(lambda seconds: bool(waited.append(seconds)), lambda: None)
    monkeypatch.setattr("runwood.workers._is_prefork_worker", lambda: True)
    for _ in range(5):
        workers.end_task()
    assert len(waited) == 1


def test_a_task_that_runs_inside_an_app_does_not_wait(peer):
    peer.delay = 1.5
    script = """
    from celery import Celery
    import celery.signals
    app = Celery("app")
    @app.task
    def task():
        run("eager")
    run("first")  # starts the thread, so that the signals are connected
    began = time.monotonic()
    task.apply()
    print(time.monotonic() - began, bool(celery.signals.task_postrun.receivers))
    """
    done, _ = run_script(script, peer.url)
    seconds, is_connected = done.stdout.split()
    assert is_connected == "True"
    assert float(seconds) < 1.0
    assert names(peer) == ["eager", "first"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, name: str) -> str:
    """Request a page, by which a worker makes a run of this name; return the worker's process id."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as response:
        return str(response.read().decode())


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def gunicorn(folder: Path, endpoint: str, before_fork: str = "leave"):
    """Two workers, forked from a master with a sender's thread, and a run in its queue unless flushed."""
    source = HELD_BACK + textwrap.dedent(WEB.replace("BEFORE_FORK", before_fork))
    port = free_port()
    options = ["--preload", "--workers=2", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    with started(folder, source, endpoint, "gunicorn", "app:app", *options) as process:
        assert wait_for(lambda: answers(port), 30), log_of(folder)
        yield process, port


def ask_until_both_answered(port: int) -> list[str]:
    """Make 40 requests, and more until both workers have answered some; return the runs' names."""
    asked: list[str] = []
    pids: set[str] = set()
    while len(asked) < 40 or (len(pids) < 2 and len(asked) < 2000):
        asked.append(f"request-{len(asked)}")
        pids.add(ask(port, asked[-1]))
    assert len(pids) == 2
    return asked


def test_every_run_of_preloaded_gunicorn_workers_arrives_once(peer, tmp_path):
    with gunicorn(tmp_path, peer.url) as (process, port):
        asked = ask_until_both_answered(port)
        assert wait_for(lambda: set(names(peer)) >= set(asked), 10), names(peer)
        seconds_to_end(process)
    ends = [run for request in peer.accepted for run in request.runs if "end_time" in run]
    assert Counter(run["name"] for run in ends) == Counter(["master", *asked]), log_of(tmp_path)
    assert {status_of(run) for run in peer.runs.values()} == {"success"}


def test_gunicorn_ends_in_time_when_the_server_never_answers(tmp_path):
    with Peer() as peer, gunicorn(tmp_path, peer.url, "flush") as (process, port):
        peer.delay = 30
        ask_until_both_answered(port)
        assert seconds_to_end(process) < 9  # its workers' wait and its own; on a busy machine
