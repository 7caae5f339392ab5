"""How many bytes of request bodies a process holds at once: past the limit it says "later", not "killed"."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


class TooManyInFlight(Exception):
    """Too many bodies are being read at the moment."""


class Account:
    """The bytes that one request holds. `take` may be told of more while it is decoded."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.held = 0

    def take(self, size: int) -> None:
        """Raises TooManyInFlight where the process would hold more than its limit."""
        self.budget.take(size)
        self.held += size


class Budget:
    """The bytes that all requests of this process hold."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held = 0

    def take(self, size: int) -> None:
        with self.lock:
            # one request alone may always go on: its own caps bound it
            if self.held and self.held + size > settings.INGEST_MAX_IN_FLIGHT_BYTES:
                raise TooManyInFlight
            self.held += size

    def give_back(self, size: int) -> None:
        with self.lock:
            self.held -= size

    @contextmanager
    def account(self) -> Iterator[Account]:
        """Keep account of one request; what it took is given back at the end."""
        account = Account(self)
        try:
            yield account
        finally:
            self.give_back(account.held)


in_flight = Budget()
