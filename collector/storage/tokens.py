"""Text → tokens, the same for what is stored and for what is looked for.

Case is folded. Letters, digits and the marks on them make tokens, all else parts them, and each character of a
script that is written without spaces is a token of its own. So `INV-2024-00991` is three tokens that stand in a row,
and can be found whole or by a part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

MAX_TOKEN_BYTES = 128


class TokenPhrase(NamedTuple):
    """Tokens that stand in a row; of the last one this may be only the beginning."""

    tokens: tuple[str, ...]
    is_prefix: bool = False


# Thai, Lao, Burmese, Khmer, Hangul, kana, Bopomofo, Han.
_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x2FDF),
    (0x3005, 0x3007), (0x3040, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F),
    (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC),
    (0x1B000, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip


def _ranges(codes: Iterable[int]) -> str:
    """Return the inside of a character class."""
    parts: list[list[int]] = []
    for code in codes:
        if parts and parts[-1][1] == code - 1:
            parts[-1][1] = code
        else:
            parts.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in parts)


_MARKS = _ranges(
    code
    for code in (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))  # there are none elsewhere
    if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me")
)
_SINGLE = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _WITHOUT_SPACES)

# Classes for patterns over folded text: a character of a token that may be longer, and one that is a token alone.
JOINED = rf"(?:(?![{_SINGLE}])[^\W_]|(?![{_SINGLE}])[{_MARKS}])"
SINGLE = rf"(?![\W_])[{_SINGLE}]|(?=[{_MARKS}])[{_SINGLE}]"

_TOKEN = re.compile(f"{JOINED}+|{SINGLE}")
_ASCII = bytes(
    code if code > 127 or chr(code).isalnum() else 32 for code in bytes(range(256)).lower()
)
_MANY_BYTES = MAX_TOKEN_BYTES // 4 + 1  # characters that may be more bytes than a token has
# What no one writes and no one looks for by its middle: base64, hex dumps.
_BLOB = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{1024,}")
_BLOB_CHARACTERS = 1024


def tokens(text: str) -> list[str]:
    """Return the tokens of a text in their order."""
    if len(text) >= _BLOB_CHARACTERS:
        text = _BLOB.sub(_beginning, text)
    # ASCII at once: most of all text is, and a table is ten times as quick as a pattern
    plain = text.encode("utf-8", "replace").translate(_ASCII).decode()
    words = plain.split()
    if not plain.isascii():
        words = [part for word in words for part in ((word,) if word.isascii() else _of_word(word))]
    if max(map(len, words), default=0) >= _MANY_BYTES:
        words = [word if len(word) < _MANY_BYTES else _cut(word) for word in words]
    return words


def _beginning(found: re.Match[str]) -> str:
    return found[0][:MAX_TOKEN_BYTES]


def _of_word(word: str) -> Sequence[str]:
    return _of_short_word(word) if len(word) < 100 else _TOKEN.findall(word.casefold())


@lru_cache(maxsize=16_384)
def _of_short_word(word: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(word.casefold()))


def _cut(token: str) -> str:
    return token.encode()[:MAX_TOKEN_BYTES].decode("utf-8", "ignore")
