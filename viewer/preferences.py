"""What a reader's browser tells in cookies: theme and time zone. Both only change how a page looks."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from django.http import HttpRequest

THEME_COOKIE = "runwood_theme"
ZONE_COOKIE = "runwood_zone"  # written by js/zone.js
THEMES = ("light", "dark")
COOKIE_SECONDS = 400 * 86_400  # browsers keep no cookie longer


def reader_theme(request: HttpRequest | None) -> str:
    """Return "light", "dark", or "" where the system decides."""
    theme = request.COOKIES.get(THEME_COOKIE, "") if request else ""
    return theme if theme in THEMES else ""


def reader_zone(request: HttpRequest | None) -> ZoneInfo:
    """Return the zone that the browser named, else UTC."""
    return _zone(request.COOKIES.get(ZONE_COOKIE, "UTC")[:64] if request else "UTC")


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such name, a path, a folder
        return ZoneInfo("UTC")
