"""What a reader's browser tells in cookies: theme, time zone, density, columns. They only change how a page looks."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from viewer.present.columns import parse_columns
from viewer.present.trace_list_query import TraceListQuery

THEME_COOKIE = "runwood_theme"
ZONE_COOKIE = "runwood_zone"  # written by js/zone.js
COLUMNS_COOKIE = "runwood_columns_"  # and which list
DENSITY_COOKIE = "runwood_density"
THEMES = ("light", "dark")
DENSITIES = ("comfortable", "compact")
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


def reader_density(request: HttpRequest | None) -> str:
    """Return "compact", or "" for the usual height of rows."""
    return "compact" if request and request.COOKIES.get(DENSITY_COOKIE) == "compact" else ""


def remembered_columns(request: HttpRequest, of: str) -> tuple[str, ...]:
    """Return the columns that were last chosen for a list; (): none were."""
    return parse_columns(request.COOKIES.get(COLUMNS_COOKIE + of, ""), of)


def remember_columns(response: HttpResponse, query: TraceListQuery) -> None:
    """Keep the columns that an address names for the next visit of the list."""
    if query.columns:
        keep(response, COLUMNS_COOKIE + query.of, ".".join(query.columns))


def keep(response: HttpResponse, cookie: str, value: str) -> None:
    """Set a cookie of this module, or delete it where there is nothing to keep."""
    if value:
        response.set_cookie(
            cookie,
            value,
            max_age=COOKIE_SECONDS,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    else:
        response.delete_cookie(cookie, samesite="Lax")
