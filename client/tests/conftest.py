from __future__ import annotations

import os

import pytest
from peer import Peer
from runwood import RunwoodCallbackHandler, log, process
from runwood.sending import sender

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # in the environment of the conformance suite alone
    pass
else:  # a loaded machine is slow, and that says nothing about the code
    settings.register_profile(
        "runwood", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("runwood")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Take away the settings of the developer's shell: LangSmith itself must stay silent here."""
    for name in list(os.environ):
        if name.startswith(("LANGSMITH_", "LANGCHAIN_", "RUNWOOD_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")  # where a test does switch it on


@pytest.fixture(autouse=True)
def _gather_until_flush(monkeypatch):
    """Let nothing leave before a flush, so that no slow machine splits a batch in two."""
    monkeypatch.setattr(sender, "GATHER_SECONDS", 30.0)


@pytest.fixture
def usual_pace(_gather_until_flush, monkeypatch):
    """Let batches leave by themselves, as in an app."""
    monkeypatch.setattr(sender, "GATHER_SECONDS", 0.1)


@pytest.fixture
def peer():
    """A collector on loopback that remembers what it got and answers as told."""
    with Peer() as started:
        yield started


@pytest.fixture
def handler(peer):
    made = RunwoodCallbackHandler(peer.url, "key", "tests")
    yield made
    made.close(timeout=2.0)


@pytest.fixture(autouse=True)
def _fresh_process():
    """Forget senders and recorders, so that no test sees another's queue."""
    yield
    for one in process._senders.values():
        one.close(timeout=0.2)
    process._senders.clear()
    process._recorders.clear()
    log._last_said.clear()
