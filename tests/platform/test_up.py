from __future__ import annotations

import http.client
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.conf import settings

from config.paths import BASE_DIR
from config.supervisor import EXIT_UNUSABLE
from tests.platform.conftest import Installation, kill

pytestmark = [pytest.mark.live, pytest.mark.faults]
Wait = Callable[[Callable[[], object]], None]


def is_ready(installation: Installation) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_it_prints_its_address_and_a_sign_in_link(running: Installation) -> None:
    lines = running.log.read_text().splitlines()
    assert f"ready: http://127.0.0.1:{running.port}" in lines
    assert any(re.search(r"http://127\.0\.0\.1:\d+/sign-in/[\w-]{43}$", line) for line in lines)


def test_another_terminal_reaches_the_same_database(running: Installation) -> None:
    key = running.server.api_key("ingest")
    with psycopg.connect(running.server.dsn) as database:
        prefixes = [row[0] for row in database.execute("SELECT prefix FROM collector_apikey")]
    assert any(prefix in key for prefix in prefixes)


def test_the_data_folder_is_closed_to_others(running: Installation) -> None:
    modes = {
        name: stat.S_IMODE((running.data_dir / name).stat().st_mode)
        for name in (".", "secret_key", "postgres", "postgres/data")
    }
    assert modes == {".": 0o700, "secret_key": 0o600, "postgres": 0o700, "postgres/data": 0o700}


def test_a_second_one_on_the_data_folder_is_refused(running: Installation) -> None:
    code, output = running.refused(RUNWOOD_PORT="1")
    assert (code, "Runwood is running on" in output) == (EXIT_UNUSABLE, True)
    assert is_ready(running)


def test_one_that_is_about_to_stop_is_waited_for(running: Installation) -> None:
    previous = running.process
    assert previous is not None
    previous.terminate()
    running.start()
    assert previous.poll() == 0


def test_a_taken_port_is_refused_before_anything_starts(
    running: Installation, installation: Installation
) -> None:
    code, output = installation.refused(RUNWOOD_PORT=str(running.port))
    assert (code, f"port {running.port}" in output) == (EXIT_UNUSABLE, True)
    assert not (installation.data_dir / "postgres").exists()


def test_a_wrong_setting_is_named_without_a_traceback(installation: Installation) -> None:
    code, output = installation.refused(RUNWOOD_PORT="eight thousand")
    assert (code, output.strip()) == (
        1,
        "runwood: RUNWOOD_PORT is 'eight thousand': use a whole number",
    )


@pytest.mark.parametrize("part", ["worker", "web", "postgres"])
def test_what_dies_is_started_again(running: Installation, wait_until: Wait, part: str) -> None:
    before = set(running.server.pids()[part])
    kill(sorted(before))
    wait_until(lambda: not before & set(running.server.pids()[part]))
    wait_until(lambda: running.server.pids()[part] and is_ready(running))


def test_dead_connections_cost_each_web_process_one_request(running: Installation) -> None:
    with ThreadPoolExecutor(16) as callers:  # so that the pools hold many connections
        list(callers.map(lambda _: is_ready(running), range(64)))
    with psycopg.connect(running.server.dsn) as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'runwood' AND pid <> pg_backend_pid()"
        )
    answers = [is_ready(running) for _ in range(60)]
    # one in each process, and what was asked before the pool had looked
    assert answers.count(False) <= 2 * settings.WEB_WORKERS
    assert all(answers[-30:])


def test_killing_only_the_leader_leaves_no_orphan(running: Installation, wait_until: Wait) -> None:
    leader, *workers = running.server.pids()["web"]
    kill([leader])
    # for a moment they still answer, which says nothing: none may be there when the next one is
    wait_until(lambda: leader not in (web := running.server.pids()["web"]) and web)
    alive = {process.pid for process in running.processes()}
    assert not alive & set(workers)
    wait_until(lambda: is_ready(running))


def test_sigterm_stops_everything(running: Installation) -> None:
    assert running.stop(signal.SIGTERM) == 0
    assert running.processes() == []
    assert not (running.data_dir / "postgres" / "data" / "postmaster.pid").exists()


def test_kill_9_of_make_stops_everything(installation: Installation, wait_until: Wait) -> None:
    make = subprocess.Popen(
        ["make", "--no-print-directory", "-o", "install", "up"],
        cwd=BASE_DIR,
        env=installation.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: (installation.data_dir / "postgres" / "data" / "postmaster.pid").exists())
    make.kill()
    make.wait()
    wait_until(lambda: installation.processes() == [])


def test_ctrl_c_stops_a_start_half_way(installation: Installation, wait_until: Wait) -> None:
    installation.launch()
    wait_until(lambda: (installation.data_dir / "postgres" / "data" / "postmaster.pid").exists())
    assert installation.stop(signal.SIGINT) == 0
    assert installation.processes() == []


def test_kill_9_of_the_supervisor_takes_everything_along(
    running: Installation, wait_until: Wait
) -> None:
    kill([running.server.pid])
    wait_until(lambda: running.processes() == [])


def test_after_kill_9_the_next_start_works_and_data_survive(running: Installation) -> None:
    server = running.server
    with psycopg.connect(server.dsn) as database:
        database.execute("INSERT INTO worker_heartbeat VALUES ('kept', now())")
    # what is stopped cannot obey the signal that comes with its parent's end
    frozen = [pid for part in ("web", "worker") for pid in server.pids()[part]]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    kill([server.pid])
    again = running.start()
    with psycopg.connect(again.dsn) as database:
        kept = database.execute("SELECT 1 FROM worker_heartbeat WHERE name = 'kept'").fetchone()
    alive = {process.pid for process in running.processes()}
    assert (kept, alive & set(frozen)) == ((1,), set())
