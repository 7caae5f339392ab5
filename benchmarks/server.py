"""A server of one's own, for tests and benchmarks: `manage.py up` in a temporary folder, and what its parts use."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

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
            try:
                words = " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            part = "web" if "granian" in words else "worker" if "celery" in words else "postgres"
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


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """Start a server on a free port with fsync on, as users run it, and stop it at the end."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="runwood-bench-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)
    }
    environment |= {"RUNWOOD_PORT": str(port), "RUNWOOD_DATA_DIR": str(folder)} | settings
    log = (folder / "bench.log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "up"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready: "):
                break
        else:
            raise RuntimeError((folder / "bench.log").read_text())
        yield Server(f"http://127.0.0.1:{port}", port, folder, environment, process.pid)
    finally:
        process.terminate()
        process.wait(60)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)
