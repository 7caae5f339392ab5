"""JSON out, by orjson: ids, times and dataclasses as they are, and whatever a trace may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONRenderer(BaseRenderer):
    """Writes every API answer; NaN becomes null, what orjson does not know becomes its text."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dump_json(data)


class AlwaysJSON(BaseContentNegotiation):
    """JSON, whatever `Accept` says: a run must not be lost to a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def dump_json(value: Any) -> bytes:
    """Return the value as JSON. Integers past 64 bits and lone surrogates go the slow way."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="replace")


def _plain(value: Any) -> Any:
    """Return what the standard library's json writes as orjson would."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return json.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
