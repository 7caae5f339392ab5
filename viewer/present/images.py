"""Images that lie in a trace as base64. Nothing is ever loaded from elsewhere."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_IMAGE_CHARS = 4 << 20  # of base64: 3 MB of picture
# The first bytes say what a browser will see in it; what the client calls it does not count.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A picture that may be shown: `url` is a `data:` URL of a kind that was recognised."""

    url: str
    mime_type: str
    size_bytes: int


def parse_image(block: Mapping[str, Any]) -> InlineImage | None:
    """Return the picture in a content block of any provider, or None."""
    for candidate in _candidates(block):
        if isinstance(candidate, str):
            image = read_base64_image(candidate)
            if image is not None:
                return image
    return None


def read_base64_image(text: str) -> InlineImage | None:
    """Return the picture of a `data:` URL or of bare base64, or None."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            return None
    if not 16 <= len(text) <= MAX_IMAGE_CHARS:
        return None
    mime_type = _sniff(text)
    if mime_type is None or not text.isascii():
        return None
    try:
        size = len(binascii.a2b_base64(text, strict_mode=True))
    except binascii.Error:
        return None
    return InlineImage(f"data:{mime_type};base64,{text}", mime_type, size)


def _sniff(text: str) -> str | None:
    try:
        head = binascii.a2b_base64(text[:16].encode("ascii", "replace"))
    except binascii.Error:
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((mime_type for magic, mime_type in _MAGIC if head.startswith(magic)), None)


def _candidates(block: Mapping[str, Any]) -> list[Any]:
    """Where providers put the bytes: OpenAI, Anthropic, LangChain, Gemini, the AI SDK."""
    found = [block.get(key) for key in ("image_url", "data", "base64", "image", "url")]
    for key in ("image_url", "source", "inline_data", "inlineData"):
        holder = block.get(key)
        if isinstance(holder, dict):
            found += [holder.get("url"), holder.get("data")]
    return found
