"""The API, under every prefix that LangSmith clients make of their endpoint setting."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
