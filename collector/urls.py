"""The API, under every prefix that LangSmith clients make of their endpoint setting."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from collector.api import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
