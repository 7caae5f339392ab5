"""Installations that a test starts, kills and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.server import Server, environment_for, free_port, launch, wait_until_ready


class Installation:
    """One data folder and the `manage.py up` that runs on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        self.port = free_port()
        self.environment = environment_for(data_dir, self.port)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> Server:
        assert self.process is not None
        url = f"http://127.0.0.1:{self.port}"
        return Server(url, self.port, self.data_dir, self.environment, self.process.pid)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self) -> subprocess.Popen[bytes]:
        self.process = launch(self.environment, self.log)
        return self.process

    def start(self) -> Server:
        wait_until_ready(self.launch(), self.log)
        return self.server

    def refused(self, **settings: str) -> tuple[int, str]:
        """Return exit code and output of one more `manage.py up` that is expected to give up."""
        log = self.log.with_suffix(".refused.log")
        process = launch({**self.environment, **settings}, log)
        try:
            return process.wait(60), log.read_text()
        finally:
            process.kill()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def processes(self) -> list[psutil.Process]:
        """Return every living process of the data folder but the supervisor, orphans included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            marked = process.environ().get("RUNWOOD_SUPERVISED") == str(self.data_dir.resolve())
            is_postgres = str(self.data_dir / "postgres" / "data") in process.cmdline()
            return (marked or is_postgres) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.is_running:
            self.stop()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation that has never been started."""
    installation = Installation(tmp_path / "data")
    yield installation
    installation.end()


@pytest.fixture(scope="module")
def _module_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("shared") / "data")
    yield installation
    installation.end()


@pytest.fixture
def running(_module_installation: Installation) -> Installation:
    """An installation that runs. The tests of a module share it, and may stop or kill it."""
    if not _module_installation.is_running:
        _module_installation.start()
    return _module_installation


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "gave up waiting"
            time.sleep(0.05)

    return wait


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a leader's end takes its group along
            os.kill(pid, signal.SIGKILL)
