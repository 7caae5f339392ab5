"""JSON text, as clients sent it, to a value. Payloads are stored unparsed, so this meets everything."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson


def parse(text: bytes) -> Any:
    """Return the value, or None where the text is empty or nothing can read it.

    orjson refuses NaN and more than 1,024 levels, both of which a raw payload may hold.
    """
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the value where it is an object, else {}."""
    value = parse(text)
    return value if isinstance(value, dict) else {}


def parse_exact(text: bytes) -> Any:
    """Return the value with its fractions as Decimal, every digit kept; None as in `parse`."""
    if not text:
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None
