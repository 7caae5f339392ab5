"""A server of one's own, for tests and benchmarks: `manage.py up` in a temporary folder, and what its parts use."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from config.postgres import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("web", "worker", "postgres")
FOREIGN = ("RUNWOOD_", "DATABASE_", "CELERY_", "LANGSMITH_", "LANGCHAIN_", "DJANGO_")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server(NamedTuple):
    """A running server."""

    url: str
    port: int
    data_dir: Path
    environment: dict[str, str]
    pid: int

    def manage(self, *args: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *args]
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    @property
    def dsn(self) -> str:
        """The embedded Postgres, for a look at the tables."""
        code = "from config import paths; print(paths.socket_dir())"
        command = [sys.executable, "-c", code]
        folder = subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout.strip()
        return f"host={folder} user=postgres dbname=runwood"

    def api_key(self, *scopes: str) -> str:
        """Return a new key of the first workspace; with no scopes it may send and read."""
        chosen = [word for scope in scopes for word in ("--scope", scope)]
        return self.manage("create_api_key", "test", *chosen)

    def sign_in_url(self) -> str:
        """Return a one-time link for the administrator."""
        return self.manage("login_url")

    def pids(self) -> dict[str, list[int]]:
        """Return the process ids of web, worker, postgres and supervisor."""
        return {
            part: [process.pid for process in found] for part, found in self.processes().items()
        }

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the live processes of each part, and the supervisor's own."""
        supervisor = psutil.Process(self.pid)
        found: dict[str, list[psutil.Process]] = {part: [] for part in PARTS} | {
            "supervisor": [supervisor]
        }
        for child in supervisor.children():
            with suppress(psutil.NoSuchProcess):  # it ended while we looked
                words = " ".join(child.cmdline())
                part = (
                    "web" if "granian" in words else "worker" if "celery" in words else "postgres"
                )
                found[part] += [child, *child.children(recursive=True)]
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds that each part has used, ended children included."""
        return {part: sum(map(_cpu, processes)) for part, processes in self.processes().items()}

    def memory_bytes(self) -> dict[str, int]:
        """Return the proportional set size (PSS) of each part."""
        return {
            part: sum(process.memory_full_info().pss for process in processes)
            for part, processes in self.processes().items()
        }


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # a parent's counters hold its ended children; what lives is counted by itself
    return times.user + times.system + times.children_user + times.children_system


def environment_for(folder: Path, port: int, **settings: str) -> dict[str, str]:
    """Return our environment without what belongs to another installation, and with this one's place."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"RUNWOOD_PORT": str(port), "RUNWOOD_DATA_DIR": str(folder)} | settings


def launch(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `manage.py up`. It ends when the thread that calls this ends, however that happens."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [*die_with_parent("TERM"), sys.executable, str(ROOT / "manage.py"), "up"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def wait_until_ready(process: subprocess.Popen[bytes], log: Path, seconds: float = 90) -> None:
    """Wait for the line `ready: …`; a RuntimeError carries all that was printed instead."""
    end = time.monotonic() + seconds
    while not any(line.startswith("ready: ") for line in log.read_text().splitlines()):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"manage.py up did not become ready:\n{log.read_text()}")
        time.sleep(0.05)


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """Start a server on a free port with fsync on, as users run it, and stop it at the end."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="runwood-bench-"))
    environment = environment_for(folder, port, **settings)
    log = folder / "up.log"
    process = launch(environment, log)
    try:
        wait_until_ready(process, log)
        yield Server(f"http://127.0.0.1:{port}", port, folder, environment, process.pid)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
