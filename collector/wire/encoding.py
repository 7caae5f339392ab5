"""Content-Encoding: the bytes of a request, decompressed under a cap.

The cap holds for every codec, while decompressing: a 100 KB zstd body can stand for 2 GB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import zstandard

from collector.wire.errors import CorruptEncoding, TooLarge, TruncatedBody, UnsupportedEncoding

# RFC 9659: what a zstd decoder on the web must offer, and all that it should. The Python SDK uses
# 512 KB; JS can be told up to 128 MiB, which would be memory for each request in flight.
MAX_ZSTD_WINDOW_BYTES = 8 << 20

GZIP_CHUNK_BYTES = 1 << 20  # of output
# Of input. The worst block is 4 bytes for 128 KiB, so a chunk overshoots the cap by 32 MiB at most.
# Costs a fifth more than one call for the whole body, which would need the decoded size in advance
# (the SDKs' frames do not carry it) and says nothing where a second frame follows.
ZSTD_CHUNK_BYTES = 1 << 10

Take = Callable[[int], None]


def _take_nothing(size: int) -> None:
    """The caller keeps no account of memory."""


def decode_body(
    body: bytes, content_encoding: str, *, max_bytes: int, take: Take = _take_nothing
) -> bytes:
    """Return the body without its Content-Encoding.

    `take(n)` is told before n more bytes are held, and may raise to stop.

    Raises:
        UnsupportedEncoding: neither gzip, zstd nor identity, or several of them.
        TooLarge: more than `max_bytes`.
        TruncatedBody: the compressed data end early.
        CorruptEncoding: they are not what the header says.
    """
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    if encoding == "zstd":
        return _join(_unzstd(body), max_bytes, take)
    if encoding in ("gzip", "x-gzip"):
        return _join(_gunzip(body, max_bytes), max_bytes, take)
    raise UnsupportedEncoding


def _join(chunks: Iterator[bytes], max_bytes: int, take: Take) -> bytes:
    parts = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        take(len(chunk))
        parts.append(chunk)
    return b"".join(parts)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge("bytes after decompression", max_bytes, "RUNWOOD_MAX_DECODED_BYTES")


def _gunzip(body: bytes, max_bytes: int) -> Iterator[bytes]:
    rest = body
    while rest:  # a gzip file may be several members
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                chunk = member.decompress(rest, GZIP_CHUNK_BYTES)
            except zlib.error as exc:
                raise CorruptEncoding("The gzip body cannot be decompressed.") from exc
            rest = member.unconsumed_tail
            if not chunk and not rest and not member.eof:
                raise TruncatedBody("The gzip body ends early.")
            yield chunk
        rest = member.unused_data.lstrip(b"\0")  # padding is legal between and after members


def _unzstd(body: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES)
    rest = memoryview(body)
    while rest:  # frame after frame
        frame = decompressor.decompressobj()
        while not frame.eof:
            if not rest:
                raise TruncatedBody("The zstd body ends early.")
            piece, rest = rest[:ZSTD_CHUNK_BYTES], rest[ZSTD_CHUNK_BYTES:]
            try:
                yield frame.decompress(piece)
            except zstandard.ZstdError as exc:
                raise CorruptEncoding(_zstd_problem(exc)) from exc
        unused = len(frame.unused_data)
        if unused:
            rest = memoryview(body)[len(body) - len(rest) - unused :]


def _zstd_problem(error: zstandard.ZstdError) -> str:
    if "memory" in str(error) or "window" in str(error).lower():
        return f"The zstd window is larger than {MAX_ZSTD_WINDOW_BYTES >> 20} MiB."
    return "The zstd body cannot be decompressed."
