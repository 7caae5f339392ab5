"""Child processes of the supervisor: start, restart with patience, stop with all they have started.

Every child leads a process group of its own and carries a mark in its environment. The group takes
the children's children along (Celery's beat and granian's workers outlive a killed parent); the mark
finds what a killed supervisor of the same data folder has left.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from config.postgres import die_with_parent

logger = logging.getLogger("runwood.supervisor")

HAS_PROC = Path("/proc/self/environ").exists()
MARK = "RUNWOOD_SUPERVISED"
FIRST_PAUSE_SECONDS = 0.25
LAST_PAUSE_SECONDS = 15.0
HEALTHY_SECONDS = 30.0  # a child that lived this long starts with a short pause again


class Child:
    """One supervised process. `stop_signal` asks it to end; after `patience` seconds it is killed."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], subprocess.Popen[bytes]],
        stop_signal: signal.Signals,
        patience: float,
    ) -> None:
        self.name = name
        self.launch = launch
        self.stop_signal = stop_signal
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None
        self.failures = 0
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._must_end_by: float | None = None

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.process = self.launch()

    def adopt(self, process: subprocess.Popen[bytes] | None) -> None:
        """Take over a process that was started by other means."""
        self._started_at = time.monotonic()
        self.process = process

    def watch(self) -> float:
        """Restart the process if it has ended and its pause is over; return seconds to wait at most."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            return LAST_PAUSE_SECONDS
        if self.process is not None:
            self._note_end(self.process, now)
        if now >= self._start_again_at:
            self.start()
            return LAST_PAUSE_SECONDS
        return self._start_again_at - now

    def _note_end(self, process: subprocess.Popen[bytes], now: float) -> None:
        _signal_group(process.pid, signal.SIGKILL)
        if now - self._started_at > HEALTHY_SECONDS:
            self.failures = 0
        pause = min(FIRST_PAUSE_SECONDS * 2**self.failures, LAST_PAUSE_SECONDS)
        self.failures += 1
        self._start_again_at = now + pause
        self.process = None
        logger.warning(
            "%s ended (%s), starts again in %.1f s", self.name, _reason(process.returncode), pause
        )

    def ask_to_stop(self) -> None:
        """Let it begin to end; `stop` waits for it."""
        if self.process is None or self._must_end_by is not None:
            return
        self._must_end_by = time.monotonic() + self.patience
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def stop(self, *, in_a_hurry: Callable[[], bool]) -> None:
        """Wait as long as it may take to end, then kill what is left of its group."""
        self.ask_to_stop()
        if self.process is None or self._must_end_by is None:
            return
        while self.process.poll() is None and not in_a_hurry():
            if time.monotonic() > self._must_end_by:
                logger.warning("%s does not stop: killed", self.name)
                break
            time.sleep(0.02)
        _signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def launch_marked(
    command: list[str], environment: Mapping[str, str], mark: str, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start the command in a group of its own, marked, and bound to our life."""
    return subprocess.Popen(
        [*die_with_parent("TERM"), *command],
        env={**environment, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        start_new_session=True,
    )


def end_marked_processes(mark: str, patience: float = 5.0) -> int:
    """End every process that carries the mark; return how many there were.

    Only the mark decides, never a recorded pid: pids are used again.
    """
    found = _marked(mark)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _marked(mark):
            _signal_process(pid, number)
        end = time.monotonic() + patience
        # one that is ending shows no mark any more, and still holds its port for a moment
        while any(map(_is_alive, found)) and time.monotonic() < end:
            time.sleep(0.02)
    return len(found)


def _is_alive(pid: int) -> bool:
    """Whether the process has not ended. A zombie has: it holds nothing any more."""
    try:
        if HAS_PROC:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            return status.rpartition(")")[2].split()[0] != "Z"
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    if HAS_PROC:
        folders = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [int(entry.name) for entry in folders if wanted in _environment_of(entry)]
    shown = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True)
    lines = (line.split(None, 1) for line in shown.stdout.splitlines())
    return [int(pid) for pid, rest in lines if wanted in rest.split() and int(pid) != os.getpid()]


def _environment_of(process: Path) -> list[bytes]:
    """Return the process's environment as it was started; none of other users' processes."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _signal_process(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_group(group: int, number: signal.Signals) -> None:
    # a group's number is not given out again while a member lives, so this cannot hit a stranger
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
