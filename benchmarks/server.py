"""A server of one's own to measure: `manage.py up` in a temporary folder, and the CPU of its parts."""

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

    def dsn(self) -> str:
        code = "from config import paths; print(f'host={paths.socket_dir()} user=postgres dbname=runwood')"
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout.strip()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the live processes of each part, and the supervisor's own."""
        supervisor = psutil.Process(self.pid)
        found: dict[str, list[psutil.Process]] = {part: [] for part in PARTS} | {
            "supervisor": [supervisor]
        }
        for child in supervisor.children():
            words = " ".join(child.cmdline())
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
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUNWOOD_", "DATABASE_", "CELERY_"))
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
