"""Payload fields (inputs, outputs, events, extra, serialized): JSON text, made fit to be kept."""

from __future__ import annotations

import re

import msgspec

from collector.wire.errors import InvalidField
from collector.wire.jsontext import flatten, is_deeper_than, is_utf8
from collector.wire.limits import Limits

PAYLOAD_FIELDS = ("inputs", "outputs", "events", "extra", "serialized")

# What LangSmith's JS client writes where it could not write JSON: "[unable to serialize, circular reference
# is too complex to analyze]". Words alone: no JSON, whole or cut off or damaged, looks like that.
_PLACEHOLDER = re.compile(rb"\s*\[(?!(?:true|false|null|NaN|Infinity)\b)[a-zA-Z][^][{}\"\\:]*\]\s*")
MAX_PLACEHOLDER_BYTES = 4 << 10

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


def keep_payload(field: str, text: bytes, limits: Limits, notes: list[str]) -> bytes:
    """Return valid JSON text as it is to be stored; b"" for null, which means "not given".

    Raises:
        InvalidField: `events` is not a list, or `extra` not an object.
    """
    if text == b"null":
        return b""
    # the readers and the merge rely on these two
    if field == "extra" and not text.startswith(b"{"):
        raise InvalidField(field, "must be an object.")
    if field == "events" and not text.startswith(b"["):
        raise InvalidField(field, "must be a list.")
    size = len(text)
    if size <= 2 * limits.max_depth:  # too short for any of what follows
        return text
    if is_deeper_than(text, limits.max_depth):
        changes: list[str] = []
        text = flatten(text, max_depth=limits.max_depth, notes=changes)
        notes += [f"{field}: {change}" for change in changes]
    if size > limits.max_string_bytes:
        text = _cut_strings(field, text, limits.max_string_bytes, notes)
    if field == "events" and size > limits.max_events and text.count(b"{") > limits.max_events:
        text = _thin_events(text, limits.max_events, notes)
    return text


def is_placeholder(text: bytes) -> bool:
    """Whether text that is no JSON stands, on purpose, where JSON should: words in brackets."""
    return (
        len(text) <= MAX_PLACEHOLDER_BYTES
        and _PLACEHOLDER.fullmatch(text) is not None
        and is_utf8(text)
    )


def wrap_text(field: str, text: bytes) -> bytes:
    """Return JSON that holds a part which is no JSON, as LangSmith's JS client sends now and then."""
    wrapped = msgspec.json.encode({"__raw__": text.decode(errors="replace")})
    return b"[" + wrapped + b"]" if field == "events" else wrapped


def _cut_strings(field: str, text: bytes, limit: int, notes: list[str]) -> bytes:
    cut_count = 0

    def cut(match: re.Match[bytes]) -> bytes:
        nonlocal cut_count
        string = match[0]
        if len(string) <= limit + 2:
            return string
        cut_count += 1
        whole = msgspec.json.decode(string, type=str).encode()
        kept = whole[:limit].decode(errors="ignore")
        return msgspec.json.encode(f"{kept}… [cut: {len(whole):,} bytes in all]")

    text = _STRINGS.sub(cut, text)
    if cut_count:
        notes.append(f"{field}: {cut_count} strings were cut at {limit:,} bytes")
    return text


def _thin_events(text: bytes, limit: int, notes: list[str]) -> bytes:
    events = _raw_list.decode(text)
    if len(events) <= limit:
        return text
    step = -(-len(events) // (limit - 1))
    kept = events[:-1:step]
    kept.append(events[-1])  # the last one is the end
    notes.append(f"events: {len(events):,} were sent, every {step}th was kept")
    return msgspec.json.encode(kept)
