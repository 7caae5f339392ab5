from __future__ import annotations

import os

import pytest
from peer import Peer
from runwood import RunwoodCallbackHandler, log, process

OWN_SETTINGS = ("RUNWOOD_ENDPOINT", "RUNWOOD_API_KEY", "RUNWOOD_PROJECT")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Take away the settings of the developer's shell: LangSmith itself must stay silent here."""
    for name in list(os.environ):
        if name.startswith(("LANGSMITH_", "LANGCHAIN_")) or name in OWN_SETTINGS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")  # where a test does switch it on


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
    for sender in process._senders.values():
        sender.close(timeout=0.2)
    process._senders.clear()
    process._recorders.clear()
    log._last_said.clear()
