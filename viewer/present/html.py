"""Text made safe for HTML, for the pieces that are built here and not in a template.

A thousand tree rows or JSON lines are built in Python because a template takes ten times as long.
Whatever comes from a trace passes through `escape` on its way; nothing else makes `Html` of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# Control characters, noncharacters and lone surrogates are no valid HTML, and surrogates cannot be
# encoded. Bidirectional overrides make text read as what it is not.
_UNSHOWABLE = re.compile(
    "[\u202d\u202e\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)


class Html(str):
    """Markup. Templates of Django write it as it is, by the `__html__` protocol."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


EMPTY = Html()


def join(pieces: Iterable[str]) -> Html:
    """Return one piece of markup of many: the pieces must be markup already."""
    return Html("".join(pieces))


def showable(text: str) -> str:
    r"""Return the text with a visible stand-in for what no page can hold: `␀` for NUL, else `\ufffd`."""
    return _UNSHOWABLE.sub(_stand_in, text) if _UNSHOWABLE.search(text) else text


def escape(text: str) -> str:
    """Return the text as HTML that shows just that text, in an element or in a quoted attribute."""
    return html.escape(showable(text))


def _stand_in(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
