"""Both apps' URLs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("collector.urls")),
    path("", include("viewer.urls")),
]
