"""The viewer app."""

from __future__ import annotations

from django.apps import AppConfig


class ViewerConfig(AppConfig):
    """Server-rendered pages over `collector.reads`."""

    name = "viewer"
