"""Loaded before anything else (`-p tests.environment`): the tests' own data folder and environment.

Nothing of the developer's environment reaches a test, and no test reaches the developer's data:
`RUNWOOD_DATA_DIR` is a fresh folder, and what is named `LANGSMITH_…`, `LANGCHAIN_…` or `RUNWOOD_…`
is gone. Only `DATABASE_URL` is kept: the tests make a database `test_…` beside the one it names.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

FOREIGN = ("LANGSMITH_", "LANGCHAIN_", "RUNWOOD_", "CELERY_", "DATABASE_DIRECT_URL")


def clean_environment() -> dict[str, str]:
    """Return the environment for a process that a test starts: nothing of ours, nothing foreign."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def _set_up() -> Path:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="runwood-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["RUNWOOD_DATA_DIR"] = str(folder)
    return folder


DATA_DIR = _set_up()


def test_database_dsn(url: str) -> str:
    """Return the DSN of the database that Django makes for the tests beside the given one."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    return make_conninfo(url, dbname=f"test_{conninfo_to_dict(url).get('dbname') or 'runwood'}")


def _point_direct_url_at_test_database() -> None:
    """LISTEN and the broker connect by `DATABASE_DIRECT_URL`: in tests, to the test database too."""
    from config import paths

    embedded = f"host={paths.socket_dir()} user=postgres dbname=runwood"
    url = os.environ.get("DATABASE_URL", "").strip() or embedded
    os.environ["DATABASE_DIRECT_URL"] = test_database_dsn(url)


_point_direct_url_at_test_database()
