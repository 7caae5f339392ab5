"""The collector app."""

from __future__ import annotations

from django.apps import AppConfig


class CollectorConfig(AppConfig):
    """Ingest, storage and the read side."""

    name = "collector"

    def ready(self) -> None:
        from collector import checks  # noqa: F401 (registers itself, once apps are loaded)
