"""What a question has come to, in words that show no secret."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Verdict = Literal["ok", "note", "wrong", "skipped"]

_SHOWN_CHARACTERS = 4
_SHORTEST_KEY = 12  # of a shorter one its end would be too much
_KEY = re.compile(r"rw_[A-Za-z0-9_-]{8,}")
_PASSWORD = re.compile(r"(?<=//)[^/\s@]+@")  # and the user, in an address


class Finding(NamedTuple):
    """The answer to one question: `wrong` is what has to be mended, `note` what may be meant so."""

    verdict: Verdict
    about: str
    said: str


def show_key(key: str) -> str:
    """Return as much of a key as tells it from others."""
    return f"…{key[-_SHOWN_CHARACTERS:]}" if len(key) >= _SHORTEST_KEY else "…"


def hide_secrets(text: str, key: str = "") -> str:
    """Return the text without keys and passwords: people set variables to each other's values."""
    if len(key) > _SHOWN_CHARACTERS:
        text = text.replace(key, show_key(key))
    return _PASSWORD.sub("…@", _KEY.sub(lambda found: show_key(found[0]), text))
