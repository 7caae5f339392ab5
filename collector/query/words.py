"""Texts on their way into SQL and into patterns."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace what Postgres refuses, so that a reader who asks for it gets an answer."""
    return _UNSTORABLE.sub("\ufffd", text)


def escape_like(text: str) -> str:
    """Return text as a LIKE pattern that matches it literally."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def whole_pattern(pattern: str) -> str:
    """Return a LIKE pattern with a last backslash made literal: Postgres refuses one that escapes nothing."""
    trailing = len(pattern) - len(pattern.rstrip("\\"))
    return pattern + "\\" if trailing % 2 else pattern
