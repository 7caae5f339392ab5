"""A project's name as one segment of a path.

A name may hold anything, and a percent-encoded slash does not survive WSGI (the server decodes it
before it routes), nor do `.` and `..` survive a browser. So ASCII that is not plainly safe is
written as `~` and two hex digits; all else stays readable.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9_. \u0080-\U0010ffff-]|^\.{1,2}$|^ | $")
_ESCAPE = re.compile(r"~([0-7][0-9A-F])")


def quote_project_name(name: str) -> str:
    return _UNSAFE.sub(lambda match: "".join(f"~{ord(char):02X}" for char in match[0]), name)


def unquote_project_name(segment: str) -> str:
    """Return the name of which `segment` is the only spelling. Raises ValueError for any other text."""
    name = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), segment)
    if quote_project_name(name) != segment:
        raise ValueError(segment)
    return name
