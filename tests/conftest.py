"""Fixtures of all tests: the database, and rows to start from.

Which one to ask for:

- `db` (pytest-django): the test runs in a transaction that is rolled back. Quickest.
- `store`: real commits, seen by other connections, threads and NOTIFY; every table is emptied.
- `runwood`: a whole installation, started once a session by `manage.py up` on a free port with a data
  folder of its own. Tests share it: use a project of your own. `benchmarks.server.Server` says what
  it offers; whoever kills its processes waits until it is ready again.

Tests marked `browser` are skipped, with a loud word at the end, where there is no Chromium.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from benchmarks.server import Server, running_server
from collector.auth import create_api_key, forget_api_keys
from collector.models import Project, User, Workspace
from collector.prices.table import forget_price_tables
from collector.storage.cost import forget_applied_prices
from config import paths
from config.postgres import SERVER_SETTINGS, EmbeddedPostgres, install_broker

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]

# A loaded machine is slow, and that says nothing about the code.
hypothesis_settings.register_profile(
    "runwood", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("runwood")

# A lost test cluster is no loss: without fsync a commit costs a tenth.
TEST_SETTINGS = {**SERVER_SETTINGS, "fsync": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Start the embedded Postgres before Django makes the test database (unless DATABASE_URL is set)."""
    if not settings.EMBEDDED_POSTGRES:
        yield
        return
    server = EmbeddedPostgres(paths.postgres_dir(), paths.socket_dir(), TEST_SETTINGS)
    server.start(timeout=60)
    yield
    server.stop(timeout=10)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """Make the test database, the broker's schema in it, and end every session before it is dropped."""
    install_broker(settings.DATABASE_DIRECT_URL)
    yield
    name = psycopg.conninfo.conninfo_to_dict(settings.DATABASE_DIRECT_URL)["dbname"]
    with psycopg.connect(
        settings.DATABASE_DIRECT_URL, dbname="postgres", autocommit=True
    ) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


def empty_tables() -> None:
    """Empty every table of ours, hot ones (which are no Django models) and small ones alike.

    A page that a browser still asks for may hold one of them and wait for another: then it is done again.
    """
    for tries_left in range(4, -1, -1):
        try:
            _empty_tables()
        except OperationalError as error:
            is_deadlock = isinstance(error.__cause__, psycopg.errors.DeadlockDetected)
            if not is_deadlock or not tries_left:
                raise
        else:
            break


def _empty_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition"
            " AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        )
        tables = [sql.Identifier(name) for (name,) in cursor.fetchall()]
        cursor.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(tables)))


@pytest.fixture
def store(transactional_db: None) -> Iterator[None]:
    """Real commits into tables that start empty and are left empty."""
    empty_tables()
    yield
    empty_tables()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Let pytest-playwright start the system's Chromium: its own is no part of the lock."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": CHROMIUM_ARGUMENTS}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the marks on: `live` with the fixture, `browser` only where there is one."""
    for item in items:
        if "runwood" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.live)
        if CHROMIUM is None and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="there is no Chromium"))
    # Playwright leaves a running event loop behind, in which the client's asyncio.run would refuse
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if CHROMIUM is None:
        terminalreporter.section("NO BROWSER", sep="!", red=True, bold=True)
        terminalreporter.line("Every browser test was skipped: install chromium to run them.")


@pytest.fixture
def workspace(request: pytest.FixtureRequest, db: None) -> Workspace:
    if "store" in request.fixturenames:
        request.getfixturevalue(
            "store"
        )  # it empties the tables: first, whatever the order asked for
    return Workspace.objects.create(name="Test workspace")


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return Project.objects.create(workspace=workspace, name="test-project")


@pytest.fixture
def user(workspace: Workspace) -> User:
    """A member of `workspace` who may do everything in it."""
    user = User.objects.create_user("alice", password=None)
    workspace.memberships.create(user=user, role="admin")
    return user


@pytest.fixture
def make_api_key(workspace: Workspace) -> Callable[..., str]:
    """Return a function (*scopes, workspace=) that makes a key and returns its text."""

    def make(*scopes: str, workspace: Workspace = workspace) -> str:
        _, text = create_api_key(workspace, "test", scopes or ("ingest", "read"))
        return text

    return make


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """Keys and prices are remembered per process; rows of the last test must not be."""
    forget_api_keys()
    forget_price_tables()
    forget_applied_prices()


@pytest.fixture(scope="session")
def runwood() -> Iterator[Server]:
    """Start a whole installation; see `benchmarks.server.Server` for what it can tell."""
    with running_server() as server:
        yield server
