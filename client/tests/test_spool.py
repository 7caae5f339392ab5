"""With a spool, what an app has recorded survives a kill, a full queue and a long outage."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from peer import Peer
from runwood import RunwoodCallbackHandler
from runwood.sending import spool, spool_delivery
from sample_apps import chain, wait_for
from test_process import PREAMBLE, SOURCE, dead_endpoint

pytestmark = pytest.mark.usefixtures("usual_pace")
FORBIDDEN = (403, {}, b'{"detail": "no such key"}')


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(spool_delivery, "ROOM_SECONDS", 0.02)
    monkeypatch.setattr("runwood.sending.delivery.LONGEST_PAUSE_SECONDS", 0.1)


def handler_of(url: str, folder: Path, **settings) -> RunwoodCallbackHandler:
    return RunwoodCallbackHandler(url, "rw_secret", "tests", spool_dir=folder, **settings)


def record(handler: RunwoodCallbackHandler, *names: str, value: object = 1) -> None:
    for name in names:
        RunnableLambda(lambda x: x, name=name).invoke(value, {"callbacks": [handler]})


def written(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def started(script: str, url: str, folder: Path) -> subprocess.Popen[str]:
    """A process whose handler has the spool; batches leave a twentieth of a second after an event."""
    quick = "from runwood.sending import sender; sender.GATHER_SECONDS = 0.05\n"
    environment = {
        "PYTHONPATH": str(SOURCE), "RUNWOOD_ENDPOINT": url, "RUNWOOD_SPOOL_DIR": str(folder), "RUNWOOD_API_KEY": "rw_secret",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + quick + textwrap.dedent(script)],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip


def killed_after_recording(names: list[str], url: str, folder: Path) -> None:
    """Let a process record runs while its server is away, and kill it once they are on the disk."""
    script = f"for name in {names}: run(name); time.sleep(0.1)\ntime.sleep(60)"
    process = started(script, url, folder)
    lines = lambda: sum(len(path.read_text().splitlines()) for path in written(folder))  # noqa: E731
    assert wait_for(lambda: lines() == len(names), 30)
    process.kill()
    process.communicate()


def test_what_the_server_has_confirmed_leaves_nothing_on_the_disk(peer, tmp_path):
    handler = handler_of(peer.url, tmp_path)
    chain().invoke({"q": "hi"}, {"callbacks": [handler]})
    assert handler.flush()
    assert len(peer.runs) == 4
    assert written(tmp_path) == []
    handler.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_batch_is_on_the_disk_before_it_is_sent(peer, tmp_path):
    seen = []
    peer.judge = lambda request: seen.append(len(written(tmp_path)))
    handler = handler_of(peer.url, tmp_path)
    record(handler, "one")
    assert handler.flush()
    assert seen == [1]


def test_runs_of_a_killed_process_are_sent_by_the_next_before_its_own(tmp_path):
    with Peer() as gone:
        port = gone.port
    names = ["first", "second", "third"]
    killed_after_recording(names, f"http://127.0.0.1:{port}", tmp_path)
    with Peer(port) as peer:
        handler = handler_of(peer.url, tmp_path)
        record(handler, "of the next")
        assert handler.flush()
        sent = [run["name"] for request in peer.accepted for run in request.runs]
    assert sent == [*names, "of the next"]
    assert written(tmp_path) == []


def test_a_process_that_ends_while_the_server_is_away_is_quick_and_leaves_its_runs(tmp_path):
    process = started("run('kept')\nprint('end', flush=True)", dead_endpoint(), tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    ended = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - ended < 2
    (path,) = written(tmp_path)
    assert json.loads(path.read_text())["run"]["name"] == "kept"


def test_an_outage_under_load_loses_nothing_and_keeps_the_order(tmp_path):
    with Peer() as before:
        port = before.port
    handler = handler_of(f"http://127.0.0.1:{port}", tmp_path, max_queue_items=200)
    names = [f"run {number}" for number in range(2_000)]
    for at in range(0, len(names), 100):
        record(handler, *names[at : at + 100])
        assert wait_for(lambda: not len(handler._sender._waiting.items), 10)  # it goes to the disk
    assert len(written(tmp_path)) >= 20
    with Peer(port) as peer:
        assert handler.flush(60)
        sent = [run["name"] for request in peer.accepted for run in request.runs]
    assert list(dict.fromkeys(sent)) == names
    assert all("dropped" not in request.body["client"] for request in peer.accepted)


def test_processes_share_a_folder_and_send_only_their_own(peer, tmp_path):
    script = "run('alive')\nprint('up', flush=True)\nsys.stdin.read()"
    living = started(script, dead_endpoint(), tmp_path)
    assert living.stdout is not None
    living.stdout.readline()
    assert wait_for(lambda: len(written(tmp_path)) == 1, 10)
    handler = handler_of(peer.url, tmp_path)
    record(handler, "mine")
    assert handler.flush()
    assert [run["name"] for run in peer.runs.values()] == ["mine"]
    assert len(written(tmp_path)) == 1
    living.communicate()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_its_parents_folder_alone(peer, tmp_path):
    script = """
    run("parent")
    handler.flush(0.5)
    if os.fork() == 0:
        run("child")
        sys.exit()
    os.wait()
    print("up", flush=True)
    time.sleep(60)
    """
    with Peer() as gone:
        port = gone.port
    process = started(script, f"http://127.0.0.1:{port}", tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    with Peer(port) as back:
        handler = handler_of(back.url, tmp_path)
        record(handler, "other")
        assert handler.flush()
        assert wait_for(lambda: len(back.runs) == 3, 45)  # the living parent sends its own
        counts = [run["name"] for request in back.accepted for run in request.runs]
    assert sorted(counts) == ["child", "other", "parent"]
    process.kill()
    process.communicate()


@pytest.mark.parametrize("changed", [{"api_key": "rw_other"}, {"endpoint": "other"}])
def test_what_waits_for_one_server_and_key_is_sent_to_no_other(peer, tmp_path, changed):
    with Peer() as gone:
        url = gone.url
    killed_after_recording(["private"], url, tmp_path)
    settings = {"endpoint": url, "api_key": "rw_secret", **changed}
    if settings["endpoint"] == "other":
        settings["endpoint"] = peer.url
    handler = RunwoodCallbackHandler(**settings, spool_dir=tmp_path)
    record(handler, "mine")
    handler.close(1.0)
    assert "private" not in {run["name"] for run in peer.runs.values()}
    assert any("private" in path.read_text() for path in written(tmp_path))


def test_no_key_is_on_the_disk(tmp_path):
    handler = handler_of(dead_endpoint(), tmp_path)
    record(handler, "kept")
    assert wait_for(lambda: len(written(tmp_path)) == 1, 10)
    for path in tmp_path.rglob("*"):
        assert "rw_secret" not in str(path)
        assert path.is_dir() or b"rw_secret" not in path.read_bytes()


def test_the_spool_is_for_its_owner_alone(tmp_path):
    handler = handler_of(dead_endpoint(), tmp_path / "spool")
    record(handler, "kept")
    assert wait_for(lambda: len(written(tmp_path)) == 1, 10)
    (path,) = written(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_runs_wait_on_the_disk_while_the_key_is_refused(peer, tmp_path):
    peer.judge = lambda _: FORBIDDEN
    handler = handler_of(peer.url, tmp_path)
    record(handler, "kept")
    assert not handler.flush(0.5)
    peer.judge = None
    assert handler.flush()
    assert [run["name"] for run in peer.runs.values()] == ["kept"]


def test_a_run_that_the_server_refuses_does_not_stop_those_behind_it(peer, tmp_path):
    peer.judge = lambda request: (
        (422, {}, b"{}") if any(run["name"] == "bad" for run in request.runs) else None
    )
    handler = handler_of(peer.url, tmp_path)
    record(handler, "good", "bad", "also good")
    assert not handler.flush()
    assert {run["name"] for run in peer.runs.values()} == {"good", "also good"}
    assert written(tmp_path) == []
    assert peer.accepted[-1].body["client"]["dropped"] == {"tests": {"runs": 1}}


def test_a_file_with_unreadable_lines_gives_its_good_ones_and_is_kept(peer, tmp_path):
    with Peer() as gone:
        port = gone.port
    killed_after_recording(["good"], f"http://127.0.0.1:{port}", tmp_path)
    (path,) = written(tmp_path)
    path.write_bytes(b'{"operation":"po\n' + path.read_bytes() + b"\xff\xfe")
    with Peer(port) as back:
        handler = handler_of(back.url, tmp_path)
        record(handler, "own")
        assert handler.flush()
        assert {run["name"] for run in back.runs.values()} == {"good", "own"}
    assert written(tmp_path) == []
    assert path.with_suffix(".bad").exists()


def test_what_a_full_spool_has_no_room_for_waits_in_memory(tmp_path):
    with Peer() as gone:
        port = gone.port
    handler = handler_of(f"http://127.0.0.1:{port}", tmp_path, max_spool_bytes=20_000)
    names = [f"run {number}" for number in range(50)]
    for name in names:
        record(handler, name)
        time.sleep(0.005)
    assert wait_for(lambda: written(tmp_path) != [], 5)
    time.sleep(0.3)
    assert sum(path.stat().st_size for path in written(tmp_path)) <= 20_000
    assert len(handler._sender._waiting.items) > 0
    with Peer(port) as peer:
        assert handler.flush(30)
        assert {run["name"] for run in peer.runs.values()} == set(names)


def test_a_full_disk_costs_nothing_while_the_server_is_there(peer, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    handler = handler_of(peer.url, tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        record(handler, "large", value="x" * 10_000)
        record(handler, "small")
        assert handler.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, earlier)
    assert {run["name"] for run in peer.runs.values()} == {"large", "small"}


def test_a_folder_that_cannot_be_written_costs_only_the_spool(peer, tmp_path):
    (tmp_path / "file").write_text("")
    handler = handler_of(peer.url, tmp_path / "file")
    record(handler, "sent")
    assert handler.flush()
    assert [run["name"] for run in peer.runs.values()] == ["sent"]


def test_an_empty_folder_that_a_killed_process_left_is_cleared_away(peer, tmp_path):
    process = started(
        "run('x')\nhandler.flush()\nprint('up', flush=True)\ntime.sleep(60)", peer.url, tmp_path
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert len(list(tmp_path.rglob(spool.LOCK))) == 1
    handler = handler_of(peer.url, tmp_path)
    record(handler, "own")
    assert handler.flush()
    assert handler.close()
    assert list(tmp_path.rglob(spool.LOCK)) == []


def test_a_spool_that_is_cleared_away_goes_on_in_a_new_folder_and_tells_what_is_gone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(spool_delivery, "MAX_REMEMBERED_BYTES", 0)
    with Peer() as gone:
        port = gone.port
    handler = handler_of(f"http://127.0.0.1:{port}", tmp_path / "spool")
    for number, name in enumerate(["being sent", "cleared away"], start=1):
        record(handler, name)
        assert wait_for(lambda number=number: len(written(tmp_path)) == number, 10)
    shutil.rmtree(tmp_path / "spool")
    record(handler, "after")
    assert wait_for(lambda: len(written(tmp_path)) == 1, 10)
    with Peer(port) as back:
        assert not handler.flush()
        assert [run["name"] for run in back.runs.values()] == ["being sent", "after"]
        assert back.requests[-1].body["client"]["dropped"] == {"tests": {"runs": 1}}


SERVER = """
import sys, threading
from peer import Peer
log = open(sys.argv[2], "a", buffering=1)
def note(request):
    for run in request.runs:
        log.write(f"{run['name']} {'ended' if 'end_time' in run else 'open'}\\n")
    if "dropped" in request.body["client"]:
        log.write("dropped\\n")
with Peer(int(sys.argv[1])) as peer:
    peer.judge = note
    print("up", flush=True)
    threading.Event().wait()
"""


def started_server(port: int, log: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(log)],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_a_server_that_is_killed_and_away_while_the_app_works_loses_nothing(tmp_path):
    """OUTAGE_SECONDS=120 makes it the outage that a team may have; docs/performance.md says how that went."""
    outage = float(os.environ.get("OUTAGE_SECONDS", "2"))
    with Peer() as gone:
        port = gone.port
    log = tmp_path / "log"
    server = started_server(port, log)
    script = f"""
    began, number = time.monotonic(), 0
    while time.monotonic() - began < {outage} + 2:
        run(f"run-{{number}}")
        number += 1
        time.sleep(0.002)
    print(number, flush=True)
    print(handler.flush(120), flush=True)
    """
    app = started(script, f"http://127.0.0.1:{port}", tmp_path / "spool")
    assert wait_for(lambda: log.exists() and "run-10 " in log.read_text(), 30)
    server.kill()
    server.communicate()
    time.sleep(outage)
    server = started_server(port, log)
    said, _ = app.communicate(timeout=outage + 180)
    server.kill()
    server.communicate()
    made, is_sent = said.split()
    assert is_sent == "True"
    lines = log.read_text().splitlines()
    assert "dropped" not in lines
    ended = {line.removesuffix(" ended") for line in lines if line.endswith(" ended")}
    assert ended == {f"run-{number}" for number in range(int(made))}
    assert written(tmp_path) == []
