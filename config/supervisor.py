"""`manage.py up`: one process that starts Postgres, worker and web, and keeps them running.

It imports neither Django's apps nor Celery: whoever only waits should not hold 60 MB. What needs
Django runs in `manage.py prepare`, which ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import NoReturn, TextIO

from django.core.exceptions import ImproperlyConfigured

from config import paths
from config.commands import web_command, worker_command
from config.postgres import EmbeddedPostgres, PostgresError, private_folder
from config.processes import Child, end_marked_processes, launch_marked

logger = logging.getLogger("runwood.supervisor")

READY_SECONDS = 120
LOCK_SECONDS = (
    1.0  # for one that has not yet heard that it shall end, like a `make up` that was killed
)
STOPPING = "stopping"  # first word of the lock file of one that ends
PORT_SECONDS = 1.0  # what a process that is just ending may hold its port for
GIVE_UP_FAILURES = 4  # a child that fails so often before the first readiness has a reason to
WEB_PATIENCE_SECONDS = 12.0
WORKER_PATIENCE_SECONDS = 15.0
POSTGRES_PATIENCE_SECONDS = 60.0
# collectstatic is for the image only; a worker as root takes JSON alone, which is what Celery warns of
QUIET_WARNINGS = "ignore:No directory at,ignore:You're running the worker with superuser"
EXIT_UNUSABLE = 2  # port or data folder taken, settings wrong: trying again does not help


class CannotStart(Exception):
    """The message says why, and what to do."""


class Stopped(Exception):
    """A signal asked us to end."""


class Supervisor:
    """The running installation of one data folder."""

    def __init__(self) -> None:
        from config import settings

        self.settings = settings
        self.folder = paths.data_dir()
        self.mark = str(self.folder.resolve())
        self.signals_seen = 0
        self.wakeup = -1
        self.children: list[Child] = []  # in the order of starting; stopped the other way round

    @property
    def address(self) -> str:
        host = self.settings.HOST
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.PORT}"

    def run(self) -> NoReturn:
        """Start everything and keep it running until a signal raises `Stopped`; stop it, however this ends."""
        private_folder(self.folder)
        with self._signals(), self._lock():
            self._start()
            while True:
                self._wait(min(child.watch() for child in self.children))

    def _start(self) -> None:
        left = end_marked_processes(self.mark)
        if left:
            logger.warning("ended %d processes that a killed supervisor had left", left)
        self._check_port()
        if self.settings.EMBEDDED_POSTGRES:
            self._start_postgres()
        link = self._prepare()
        for number in range(1, self.settings.WORKERS + 1):
            beat_schedule = self.folder / "beat-schedule" if number == 1 else None
            command = worker_command(number, beat_schedule)
            self._start_child(f"worker {number}", command, WORKER_PATIENCE_SECONDS)
        self._start_child("web", web_command(), WEB_PATIENCE_SECONDS)
        self._wait_until_ready()
        sys.stdout.write(f"\nready: {self.address}\n")
        if link:
            sys.stdout.write(f"sign in (once, within 10 minutes): {link}\n\n")
        sys.stdout.flush()

    def _start_postgres(self) -> None:
        server = EmbeddedPostgres(paths.postgres_dir(), paths.socket_dir())
        child = Child("postgres", server.launch, signal.SIGINT, POSTGRES_PATIENCE_SECONDS)
        try:
            server.start(on_wait=self._check_signals)
        finally:
            child.adopt(server.process)
            self.children.append(child)

    def _prepare(self) -> str:
        """Migrate, and boot for the first time; return a one-time sign-in link."""
        command = [sys.executable, str(paths.BASE_DIR / "manage.py"), "prepare", "--sign-in-link"]
        prepare = launch_marked(command, self._environment(), self.mark, stdout=subprocess.PIPE)
        try:
            while True:
                try:
                    output, _ = prepare.communicate(timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    self._check_signals()
        finally:
            if prepare.poll() is None:
                prepare.kill()
        if prepare.returncode:
            raise CannotStart("The database could not be prepared: the reason stands above.")
        return output.decode().strip().rpartition("\n")[2]

    def _start_child(self, name: str, command: list[str], patience: float) -> None:
        launch = partial(launch_marked, command, self._environment(), self.mark)
        child = Child(name, launch, signal.SIGTERM, patience)
        self.children.append(child)
        child.start()

    def _environment(self) -> dict[str, str]:
        """Return what children see: the same data folder and code, wherever they were started from."""
        search_path = [str(paths.BASE_DIR), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            "RUNWOOD_DATA_DIR": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
            "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", QUIET_WARNINGS),
        }

    def _wait_until_ready(self) -> None:
        from config.probe import probe

        end = time.monotonic() + READY_SECONDS
        while (answer := probe()).status != 200:
            for child in self.children:
                child.watch()
                if child.failures >= GIVE_UP_FAILURES:
                    raise CannotStart(f"{child.name} does not stay up: the reason stands above.")
            if time.monotonic() > end:
                raise CannotStart(
                    f"Not ready after {READY_SECONDS} s. /readyz: {answer.status} {answer.text}"
                )
            self._wait(0.1)

    def _check_port(self) -> None:
        """Learn now, with words, whether the address can be had: granian would share a taken port."""
        host, port = self.settings.HOST, self.settings.PORT
        end = time.monotonic() + PORT_SECONDS
        while (error := _why_not_bind(host, port)) and time.monotonic() < end:
            self._wait(0.1)
        if error:
            raise CannotStart(
                f"Cannot listen on {host} port {port}: {error}. "
                "Choose another by RUNWOOD_HOST and RUNWOOD_PORT."
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the data folder. The kernel lets go of it however we end."""
        with (self.folder / "lock").open("a+") as lock:
            self._wait_for(lock)
            _write_over(lock, f"process {os.getpid()}, {self.address}")
            try:
                yield
            finally:
                logger.info("stopping")
                _write_over(lock, f"{STOPPING}: process {os.getpid()}")
                self._stop()

    def _wait_for(self, lock: TextIO) -> None:
        """Take the lock, after one that is about to end; refuse beside one that is not."""
        now = time.monotonic()
        end, last_end = now + LOCK_SECONDS, now + POSTGRES_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
            else:
                return
            if time.monotonic() > (last_end if owner.startswith(STOPPING) else end):
                raise CannotStart(
                    f"Runwood is running on {self.folder} already ({owner}). "
                    "Stop it first, or choose another folder by RUNWOOD_DATA_DIR."
                )
            self._wait(0.1)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let signals, and children that end, wake `_wait` up."""
        self.wakeup, write_end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals_seen += 1

    def _check_signals(self) -> None:
        if self.signals_seen:
            raise Stopped

    def _wait(self, seconds: float) -> None:
        if select.select([self.wakeup], [], [], seconds)[0]:
            os.read(self.wakeup, 1024)
        self._check_signals()

    def _stop(self) -> None:
        """Stop web and worker side by side, then Postgres; a second signal means at once."""
        for child in reversed(self.children):
            if child.name != "postgres":
                child.ask_to_stop()
        for child in reversed(self.children):
            child.stop(in_a_hurry=lambda: self.signals_seen > 1)


def _write_over(file: TextIO, text: str) -> None:
    file.truncate(0)
    file.write(f"{text}\n")
    file.flush()


def _why_not_bind(host: str, port: int) -> str:
    """Return why nothing can listen there, or "" where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            # connections in TIME_WAIT own no port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def main() -> int:
    """Run until a signal comes; return the exit code."""
    try:
        supervisor = Supervisor()
        logging.basicConfig(
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            level=supervisor.settings.LOGGING["root"]["level"],
        )
        supervisor.run()
    except Stopped:
        return 0
    except (CannotStart, PostgresError, ImproperlyConfigured) as error:
        sys.stderr.write(f"runwood: {error}\n")
        return EXIT_UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
