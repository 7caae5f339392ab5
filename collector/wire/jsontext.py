"""JSON as text: checks that cost little, and the repair of what a strict parser refuses.

Payloads are stored as the client wrote them, so what is judged and mended here is text, not values.
A text that msgspec accepts is valid but for two things that it does not look at: UTF-8 and depth.

The repair mends what clients really send and what only their parsers read: NaN and infinities (Python),
lone surrogates (JavaScript, and Python's `surrogateescape`), bytes that are no UTF-8, raw control
characters in strings, and nesting that no reader can follow. Everything else stays malformed.

A sender may put a defect into every byte: nothing here runs Python for each of them, only for each
token (a string or bracket), whose number `has_more_values_than` has bounded.
"""

from __future__ import annotations

import codecs
import re
from array import array
from collections.abc import Sequence
from itertools import accumulate

import msgspec

# Possessive, and content with an unterminated end: no text makes these matchers start over.
_STRING = rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
_STRINGS_BETWEEN = re.compile(b"(" + _STRING + b")", re.DOTALL)
_TOKENS = re.compile(_STRING + rb"|[\[{]|[\]}]", re.DOTALL)

_IS_NAME = re.compile(rb"[ \t\r\n]*+:")
_CONTROL = re.compile(rb"[\x00-\x1f]")
_ESCAPED_CONTROL = tuple((bytes((code,)), b"\\u%04x" % code) for code in range(0x20))
# Where no escaped backslash is left: halves of a surrogate pair that miss the other one.
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_ONLY_BRACKETS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")  # read as signed: +1 and -1
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_NO_OPENERS = bytes(sorted(set(range(256)) - set(b"[{")))
_NO_CLOSERS = bytes(sorted(set(range(256)) - set(b"]}")))
_NOT_SEPARATORS = bytes(sorted(set(range(256)) - set(b",:[{")))

NO_UTF8 = b"\xff"  # stands for what must not be found, in text that is UTF-8
UTF8_CHUNK_BYTES = 1 << 20  # a text decoded at once would take up to four times its size

# Splitting at quotes is 2 to 4 times as quick as matching strings, but may make a piece of every byte.
SPLIT_MAX_BYTES = 1 << 20

UTF8_NOTE = "bytes that are not UTF-8 were replaced by U+FFFD"
SURROGATE_NOTE = "lone surrogates were replaced by U+FFFD"
NOT_FINITE_NOTE = "NaN and infinities were turned into strings"
DEPTH_NOTE = "what nested too deep was turned into strings of JSON"
CONTROL_NOTE = "raw control characters in strings were escaped"


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are UTF-8. Next to nothing for ASCII."""
    if text.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(text), UTF8_CHUNK_BYTES):
            decoder.decode(text[start : start + UTF8_CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def has_more_values_than(limit: int, texts: Sequence[bytes]) -> bool:
    """Whether the texts hold more than `limit` JSON values and keys.

    Counted by separators, and by what only malformed text has more of: strings and closing brackets.
    Costs nothing where the texts are shorter than that.
    """
    if sum(map(len, texts)) <= limit:
        return False
    if sum(map(_count_strings, texts)) > limit + len(texts):
        return True
    return any(
        sum(map(count, texts)) > limit
        and sum(count(_STRINGS.sub(b"", text)) for text in texts) > limit
        for count in (_count_separators, _count_closers)
    )


def is_deeper_than(text: bytes, limit: int) -> bool:
    """Whether valid JSON text nests deeper than `limit`. Exact.

    An ordinary payload costs one pass that counts its brackets, 0.4 us a KB; one with more brackets than
    `limit` costs 3 us a KB.
    """
    if len(text.translate(None, _NO_OPENERS)) <= limit:
        return False
    brackets = _without_strings(text).translate(_ONLY_BRACKETS, _NO_BRACKETS)
    return max(accumulate(array("b", brackets)), default=0) > limit


def repair(text: bytes, *, max_depth: int) -> tuple[bytes, list[str]]:
    """Return the text with every known defect mended, and a note for each kind that was found.

    The result may still be malformed: the caller parses it again.
    """
    notes: list[str] = []
    if not is_utf8(text):
        text = text.decode(errors="replace").encode()
        notes.append(UTF8_NOTE)
    if _SURROGATE.search(text):
        mended = _mend_surrogates(text)
        if mended != text:
            notes.append(SURROGATE_NOTE)
        text = mended
    text = _mend_tokens(text, notes)
    if is_deeper_than(text, max_depth):
        text = flatten(text, max_depth=max_depth, notes=notes)
    return text, notes


def flatten(text: bytes, *, max_depth: int, notes: list[str]) -> bytes:
    """Return the text with every subtree below `max_depth` turned into a string of its JSON."""
    pieces: list[bytes] = []
    depth = kept = start = 0
    for match in _TOKENS.finditer(text):
        token = text[match.start()]
        if token in b"[{":
            if depth == max_depth:
                start = match.start()
            depth += 1
        elif token in b"]}":
            depth -= 1
            if depth == max_depth:
                subtree = text[start : match.end()].decode(errors="replace")
                pieces += (text[kept:start], msgspec.json.encode(subtree))
                kept = match.end()
    if not pieces:
        return text
    notes.append(DEPTH_NOTE)
    return b"".join((*pieces, text[kept:]))


def find_items(text: bytes) -> tuple[bytes, list[bytes]]:
    """Take out the objects in the lists of a top-level object, without parsing anything.

    Returns the text with `{"item":N}` in the place of item N, and the items. One malformed item thus
    leaves the frame and its siblings readable, as long as its brackets and quotes close.
    """
    frame: list[bytes] = []
    items: list[bytes] = []
    in_list = False
    depth = kept = start = 0
    for match in _TOKENS.finditer(text):
        token = text[match.start()]
        if token in b"[{":
            if depth == 1:
                in_list = token == 0x5B
            elif depth == 2 and in_list and token == 0x7B:
                start = match.start()
            depth += 1
        elif token in b"]}":
            depth -= 1
            if depth == 2 and start > kept:
                frame += (text[kept:start], b'{"item":%d}' % len(items))
                items.append(text[start : match.end()])
                kept = match.end()
    frame.append(text[kept:])
    return b"".join(frame), items


def has_member_twice(text: bytes, name: bytes) -> bool:
    """Whether the top-level object has a member of that name, as it is usually written, twice."""
    quoted = b'"%s"' % name
    if text.count(quoted) < 2:
        return False
    count = depth = 0
    for match in _TOKENS.finditer(text):
        token = text[match.start()]
        if token in b"[{":
            depth += 1
        elif token in b"]}":
            depth -= 1
        elif depth == 1 and match[0] == quoted and _IS_NAME.match(text, match.end()):
            count += 1
    return count > 1


def _count_separators(text: bytes) -> int:
    return len(text.translate(None, _NOT_SEPARATORS))


def _count_closers(text: bytes) -> int:
    return len(text.translate(None, _NO_CLOSERS))


def _count_strings(text: bytes) -> int:
    quotes = text.count(b'"')
    if quotes and b"\\" in text:
        quotes = text.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"')
    return quotes // 2


def _without_strings(text: bytes) -> bytes:
    if len(text) > SPLIT_MAX_BYTES:
        return _STRINGS.sub(b"", text)
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(text.split(b'"')[::2])


def _mend_surrogates(text: bytes) -> bytes:
    """Replace lone surrogates in text that is UTF-8."""
    text = text.replace(rb"\\", NO_UTF8)
    return _LONE_SURROGATE.sub(rb"\\ufffd", text).replace(NO_UTF8, rb"\\")


def _mend_tokens(text: bytes, notes: list[str]) -> bytes:
    has_not_finite = b"NaN" in text or b"Infinity" in text
    controls = [pair for pair in _ESCAPED_CONTROL if pair[0] in text]
    if not has_not_finite and not controls:
        return text
    pieces = _STRINGS_BETWEEN.split(text)  # outside, string, outside, string, …
    if has_not_finite:
        outside = [
            _mend_not_finite(piece) if b"N" in piece or b"I" in piece else piece
            for piece in pieces[::2]
        ]
        if outside != pieces[::2]:
            notes.append(NOT_FINITE_NOTE)
        pieces[::2] = outside
    if controls:
        strings = [
            _escape_controls(piece, controls) if _CONTROL.search(piece) else piece
            for piece in pieces[1::2]
        ]
        if strings != pieces[1::2]:
            notes.append(CONTROL_NOTE)
        pieces[1::2] = strings
    return b"".join(pieces)


def _mend_not_finite(text: bytes) -> bytes:
    text = text.replace(b"NaN", b'"NaN"').replace(b"-Infinity", NO_UTF8)
    return text.replace(b"Infinity", b'"Infinity"').replace(NO_UTF8, b'"-Infinity"')


def _escape_controls(text: bytes, controls: list[tuple[bytes, bytes]]) -> bytes:
    for character, escape in controls:
        text = text.replace(character, escape)
    return text
