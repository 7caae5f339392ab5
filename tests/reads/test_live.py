"""News of stored traces: through a real NOTIFY, and what a slow or greedy stream cannot do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from collector.models import Project
from collector.reads import live
from collector.reads.errors import TooManyStreams
from collector.reads.live import Subscription, TraceChanged, subscribe
from tests.factories import make_run, store_runs

PROJECT, OTHER = UUID(int=1), UUID(int=2)
TRACE = UUID(int=3)


@pytest.fixture(autouse=True)
def _own_listener() -> Iterator[None]:
    live.stop_listener()
    yield
    live.stop_listener()


def notify(text: str) -> None:
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as database:
        database.execute("SELECT pg_notify('runwood', %s)", [text])


def hear(subscription: Subscription, *expected: TraceChanged) -> bool:
    """Return whether all the news comes within twenty seconds: a loaded machine takes its time."""
    missing = set(expected)
    deadline = time.monotonic() + 20
    while missing and time.monotonic() < deadline:
        missing -= set(subscription.take(0.1))
    return not missing


def wait_until_listening(subscription: Subscription) -> None:
    """A new listener says "look again" as soon as it hears everything."""
    assert hear(subscription, TraceChanged(next(iter(subscription.project_ids)), None))


def test_a_stored_trace_is_news_for_its_project(store: None, project: Project) -> None:
    with subscribe([project.id]) as news:
        wait_until_listening(news)
        root = make_run()
        store_runs(project.id, root)
        assert hear(news, TraceChanged(project.id, root.id))


@pytest.mark.django_db
def test_other_projects_are_no_news() -> None:
    with subscribe([PROJECT]) as news:
        wait_until_listening(news)
        notify(f"{OTHER} {TRACE}")
        notify(f"{PROJECT} {TRACE}")
        assert news.take(5) == [TraceChanged(PROJECT, TRACE)]


@pytest.mark.django_db
def test_a_stream_of_one_trace_hears_of_it_and_of_large_changes_only() -> None:
    with subscribe([PROJECT], TRACE) as news:
        wait_until_listening(news)
        for text in (f"{PROJECT} {uuid4()}", f"{PROJECT}", f"{PROJECT} {TRACE}"):
            notify(text)
        assert hear(news, TraceChanged(PROJECT, None), TraceChanged(PROJECT, TRACE))


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x", f"{PROJECT} x", f"{PROJECT}  {TRACE}", "é" * 100])
def test_a_message_that_is_none_of_ours_is_left_alone(text: str) -> None:
    with subscribe([PROJECT]) as news:
        wait_until_listening(news)
        notify(text)
        notify(f"{PROJECT} {TRACE}")
        assert hear(news, TraceChanged(PROJECT, TRACE))


@pytest.mark.django_db
def test_after_a_lost_connection_streams_are_told_to_look_again_and_hear_on() -> None:
    with subscribe([PROJECT]) as news:
        wait_until_listening(news)
        with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as database:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN runwood'"
            )
        assert hear(news, TraceChanged(PROJECT, None))
        notify(f"{PROJECT} {TRACE}")
        assert hear(news, TraceChanged(PROJECT, TRACE))


@pytest.mark.django_db
def test_many_streams_share_one_connection() -> None:
    with subscribe([PROJECT]) as one, subscribe([OTHER]), subscribe([PROJECT]) as three:
        wait_until_listening(one)
        notify(f"{PROJECT} {TRACE}")
        assert hear(one, TraceChanged(PROJECT, TRACE))
        assert hear(three, TraceChanged(PROJECT, TRACE))
        with psycopg.connect(settings.DATABASE_DIRECT_URL) as database:
            found = database.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN runwood'"
                " AND datname = current_database()"
            ).fetchone()
        assert found == (1,)


@pytest.mark.django_db
def test_a_process_serves_so_many_streams_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_PAGES", 2)
    with (
        subscribe([PROJECT]),
        subscribe([PROJECT]),
        pytest.raises(TooManyStreams),
        subscribe([PROJECT]),
    ):
        pass
    with subscribe([PROJECT]):
        pass


def test_a_waiting_stream_holds_no_database_connection(store: None) -> None:
    Project.objects.exists()
    assert connection.connection is not None
    Subscription([PROJECT], None).take(0)
    assert connection.connection is None


def test_the_same_news_waits_once() -> None:
    stream = Subscription([PROJECT], None)
    for _ in range(10):
        stream.put(TraceChanged(PROJECT, TRACE))
    assert stream.take(0) == [TraceChanged(PROJECT, TRACE)]
    assert stream.take(0) == []


def test_a_stream_that_does_not_listen_holds_little_and_is_told_to_look_again() -> None:
    stream = Subscription([PROJECT], None)
    for number in range(live.MAX_WAITING_TRACES * 3):
        stream.put(TraceChanged(PROJECT, UUID(int=number)))
    news = stream.take(0)
    assert len(news) <= live.MAX_WAITING_TRACES
    assert TraceChanged(PROJECT, None) in news


def test_news_wakes_a_waiting_stream_at_once() -> None:
    stream = Subscription([PROJECT], None)
    threading.Timer(0.05, stream.put, [TraceChanged(PROJECT, TRACE)]).start()
    start = time.monotonic()
    assert stream.take(5) == [TraceChanged(PROJECT, TRACE)]
    assert time.monotonic() - start < 1
