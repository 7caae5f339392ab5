"""Run every test, in lanes side by side: each is a pytest of its own, with its own Postgres and folders.

The lanes take about as long as one another on two cores. What a lane says is shown when it ends, whole, so that the
lanes' lines do not mix; words on the command line go to every pytest.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
INSTALLATIONS = ("tests/contract", "tests/platform", "tests/faults")  # they start whole servers
LANES = {
    "server": ["tests", *(word for folder in INSTALLATIONS for word in ("--ignore", folder))],
    "installations": list(INSTALLATIONS),
    "client": ["client"],
}
NOTHING_COLLECTED = 5  # pytest's word, where a choice of tests has none in a lane


def main() -> int:
    begun = time.monotonic()
    running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
    for name, paths in LANES.items():
        log = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as its lane
        command = [sys.executable, "-m", "pytest", *paths, *sys.argv[1:]]
        running[name] = (subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log), log)
    failed = []
    try:
        while running:
            time.sleep(0.2)
            for name in [
                name for name, (process, _) in running.items() if process.poll() is not None
            ]:
                process, log = running.pop(name)
                show(name, log, time.monotonic() - begun)
                if process.returncode not in (0, NOTHING_COLLECTED):
                    failed.append(name)
    except KeyboardInterrupt:
        for process, _ in running.values():
            process.send_signal(signal.SIGINT)  # again, where the terminal has not told it
        for process, _ in running.values():
            process.wait()
        return 130
    took = time.monotonic() - begun
    print(f"{len(LANES)} lanes, {took:.0f} s: {f'FAILED: {failed}' if failed else 'all passed'}")
    return 1 if failed else 0


def show(name: str, log: IO[bytes], seconds: float) -> None:
    print(f"===== {name}, after {seconds:.0f} s =====", flush=True)
    log.seek(0)
    sys.stdout.buffer.write(log.read())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
