"""Makes the database's password at the first start of the Compose set-up: `python -m config.compose_secrets FOLDER`.

Two files, made once and then left alone: `postgres_password` for Postgres, `database_url` for web and worker.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path


def make_secrets(folder: Path) -> None:
    """Write both files, readable by their owner only. The last one written says that all is there."""
    if (folder / "database_url").exists():
        return
    password = secrets.token_urlsafe(32)
    _write(folder / "postgres_password", password)
    _write(folder / "database_url", f"postgresql://runwood:{password}@postgres:5432/runwood")


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    temporary.replace(path)


if __name__ == "__main__":
    make_secrets(Path(sys.argv[1]))
