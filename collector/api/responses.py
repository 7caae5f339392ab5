"""JSON answers that hold stored JSON text as it is, unparsed."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse


def json_response(value: Any, status: int = 200) -> HttpResponse:
    """Return a JSON response; `value` may hold UUIDs and `orjson.Fragment`s."""
    return HttpResponse(orjson.dumps(value), content_type="application/json", status=status)
