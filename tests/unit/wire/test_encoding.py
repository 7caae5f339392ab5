from __future__ import annotations

import gzip
import os
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.encoding import decode_body
from collector.wire.errors import CorruptEncoding, TooLarge, TruncatedBody, UnsupportedEncoding

LIMIT = 4 << 20
TEXT = b'{"post":[]}' * 5_000
INCOMPRESSIBLE = os.urandom(20_000)


def zstd(content: bytes, *, with_size: bool = False, window_log: int | None = None) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1,
        write_content_size=with_size,
        **({} if window_log is None else {"window_log": window_log}),
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(
        size=len(content) if with_size else -1
    )
    return compressor.compress(content) + compressor.flush()


def decoded(body: bytes, encoding: str) -> bytes:
    return decode_body(body, encoding, max_bytes=LIMIT)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_is_passed_on(encoding: str) -> None:
    assert decoded(TEXT, encoding) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_is_read(encoding: str) -> None:
    assert decoded(gzip.compress(TEXT), encoding) == TEXT


@pytest.mark.parametrize("with_size", [True, False])
def test_zstd_is_read_with_and_without_its_content_size(with_size: bool) -> None:
    assert decoded(zstd(TEXT, with_size=with_size), "zstd") == TEXT


def test_several_zstd_frames_are_one_body() -> None:
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"
    body = zstd(b"one ") + skippable + zstd(b"two ", with_size=True) + zstd(b"three")
    assert decoded(body, "zstd") == b"one two three"


def test_several_gzip_members_are_one_body() -> None:
    assert decoded(gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0", "gzip") == b"one two"


@given(content=st.binary(max_size=3000), cut=st.integers(min_value=1))
def test_a_truncated_body_is_never_taken_for_whole(content: bytes, cut: int) -> None:
    for encoding, body in (("gzip", gzip.compress(content)), ("zstd", zstd(content))):
        with pytest.raises(TruncatedBody):
            decoded(body[: -(cut % (len(body) - 1) or 1)], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("body", [b"not compressed at all", INCOMPRESSIBLE], ids=["text", "noise"])
def test_what_is_not_compressed_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(CorruptEncoding):
        decoded(body, encoding)


@pytest.mark.parametrize("compress", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_bytes_after_the_end_are_refused(compress: object) -> None:
    encoding = "gzip" if compress is gzip.compress else "zstd"
    with pytest.raises(CorruptEncoding):
        decoded(compress(TEXT) + b"something else", encoding)  # type: ignore[operator]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "nonsense"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        decoded(TEXT, encoding)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", bytes(LIMIT + 1)),
        ("gzip", gzip.compress(bytes(LIMIT + 1))),
        ("zstd", zstd(bytes(LIMIT + 1))),
        ("zstd", zstd(bytes(100 << 20), with_size=True)),
    ],
    ids=["identity", "gzip", "zstd", "zstd that tells its size"],
)
def test_more_than_the_cap_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(TooLarge, match="RUNWOOD_MAX_DECODED_BYTES"):
        decoded(body, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_exactly_the_cap_is_taken(encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstd
    assert len(decoded(compress(bytes(LIMIT)), encoding)) == LIMIT


def test_a_frame_that_claims_to_be_enormous_reserves_nothing() -> None:
    claim = b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", 1 << 40) + b"\x01\0\0"
    with pytest.raises(CorruptEncoding, match="window"):
        decoded(claim, "zstd")


def test_a_window_past_8_mib_is_refused_by_name() -> None:
    with pytest.raises(CorruptEncoding, match="window is larger than 8 MiB"):
        decoded(zstd(INCOMPRESSIBLE, window_log=27), "zstd")


def test_memory_is_told_of_every_decoded_byte() -> None:
    taken: list[int] = []
    decode_body(zstd(TEXT), "zstd", max_bytes=LIMIT, take=taken.append)
    assert sum(taken) == len(TEXT)


def test_a_refusal_of_memory_stops_the_decoding() -> None:
    def refuse(size: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        decode_body(gzip.compress(TEXT), "gzip", max_bytes=LIMIT, take=refuse)
