"""The commands of docs/operating.md, run as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from benchmarks.server import ROOT
from tests.platform.conftest import Installation

pytestmark = pytest.mark.live


def run_block(heading: str, installation: Installation, folder: Path) -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    block = re.search(rf"^## {heading}\n.*?^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    script = block[1].replace("runwood.dump", str(folder / "runwood.dump"))
    subprocess.run(
        ["bash", "-euc", script],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **installation.environment},
        check=True,
        timeout=60,
    )


def test_a_backup_can_be_restored(running: Installation, tmp_path: Path) -> None:
    dsn = running.server.dsn
    with psycopg.connect(dsn) as database:
        database.execute("INSERT INTO worker_heartbeat VALUES ('in the backup', now())")
    run_block("Backup", running, tmp_path)
    with psycopg.connect(dsn) as database:
        database.execute("DELETE FROM worker_heartbeat WHERE name = 'in the backup'")
    run_block("Restore", running, tmp_path)
    with psycopg.connect(dsn) as database:
        kept = database.execute("SELECT 1 FROM worker_heartbeat WHERE name = 'in the backup'")
        assert kept.fetchone() == (1,)
