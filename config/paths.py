"""Where this installation keeps what it owns. One folder: `RUNWOOD_DATA_DIR`."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# A Unix socket's path holds at most 107 bytes; Postgres adds "/.s.PGSQL.5432" to the folder.
MAX_SOCKET_FOLDER_BYTES = 90


def data_dir() -> Path:
    return Path(os.environ.get("RUNWOOD_DATA_DIR", "data")).expanduser().absolute()


def postgres_dir() -> Path:
    return data_dir() / "postgres"


def socket_dir() -> Path:
    """Return the folder of the embedded Postgres' socket: the same for every process of one data folder."""
    folder = postgres_dir() / "run"
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"runwood-{name}"


def running_address() -> str | None:
    """Return the address that `manage.py up` on this data folder listens on, or did when it last ran."""
    try:
        words = (data_dir() / "lock").read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return None
    return words[-1] if words and words[-1].startswith("http://") else None


def secret_key() -> str:
    """Return the signing key of this data folder, made on first use and readable by its owner only."""
    path = data_dir() / "secret_key"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"secret_key.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(temporary, path)  # fails if another process was first: then its key holds
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text(encoding="ascii").strip()
