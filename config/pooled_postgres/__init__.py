"""Django's Postgres backend, whose pool drops all dead connections as soon as one is met."""

from __future__ import annotations
