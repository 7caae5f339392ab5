"""Run every test, in lanes side by side: each is a pytest of its own, with its own Postgres and folders.

The lanes take about as long as one another on two cores. What a lane says is shown when it ends, whole, so that the
lanes' lines do not mix; words on the command line go to every pytest. A few tests that failed are run once more when
the machine has nothing else to do: one that passes then failed for want of time, and is named in the last lines.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
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
TESTS_FAILED = 1
MAX_AGAIN = 3  # failed tests of all lanes: more than a crowded machine explains


@dataclass
class Lane:
    """One pytest, and what it has said."""

    name: str
    paths: list[str]
    log: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        cache = f"cache_dir=.pytest_cache/{self.name}"  # of its own, for what failed in it
        command = [sys.executable, "-m", "pytest", "-o", cache, *self.paths, *words]
        return subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log)

    def show(self, seconds: float) -> None:
        print(f"===== {self.name}, after {seconds:.0f} s =====", flush=True)
        self.log.seek(0)
        sys.stdout.buffer.write(self.log.read())
        sys.stdout.flush()

    def failed_tests(self) -> list[str]:
        """Return the tests that pytest remembers as failed."""
        path = ROOT / ".pytest_cache" / self.name / "v" / "cache" / "lastfailed"
        return sorted(json.loads(path.read_text())) if path.exists() else []


def main() -> int:
    begun = time.monotonic()
    lanes = [Lane(name, paths) for name, paths in LANES.items()]
    running = {lane.name: lane.start("--cache-clear", *sys.argv[1:]) for lane in lanes}
    codes: dict[str, int] = {}
    try:
        while len(codes) < len(lanes):
            time.sleep(0.2)
            for lane in lanes:
                code = running[lane.name].poll()
                if code is not None and lane.name not in codes:
                    codes[lane.name] = code
                    lane.show(time.monotonic() - begun)
        bad = [lane for lane in lanes if codes[lane.name] not in (0, NOTHING_COLLECTED)]
        crowded = run_again(bad, codes) if bad else []
    except KeyboardInterrupt:
        for process in running.values():
            process.send_signal(signal.SIGINT)  # again, where the terminal has not told it
        for process in running.values():
            process.wait()
        return 130
    took = time.monotonic() - begun
    for test in crowded:
        print(f"PASSED ONLY ALONE: {test}")
    failed = [] if crowded else [lane.name for lane in bad]
    word = f"FAILED: {failed}" if failed else "all passed"
    print(
        f"{len(lanes)} lanes, {took:.0f} s: {word}{f', {len(crowded)} only alone' if crowded else ''}"
    )
    return 1 if failed else 0


def run_again(bad: list[Lane], codes: dict[str, int]) -> list[str]:
    """Return the tests that failed and pass now, or none if any of them fails again or they are too many."""
    tests = [(lane, test) for lane in bad for test in lane.failed_tests()]
    if len(tests) > MAX_AGAIN or any(codes[lane.name] != TESTS_FAILED for lane in bad):
        return []
    for lane in bad:
        again = Lane(lane.name, [test for owner, test in tests if owner is lane])
        print(
            f"===== {lane.name}: what failed, once more and alone =====",
            flush=True,
        )
        code = again.start().wait() if again.paths else TESTS_FAILED
        again.show(0)
        if code:
            return []
    return [test for _, test in tests]


if __name__ == "__main__":
    sys.exit(main())
