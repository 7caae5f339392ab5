from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.wire.errors import MalformedMultipart, TooLarge
from collector.wire.limits import DEFAULT_LIMITS
from collector.wire.parts import Part, find_boundary, split_parts
from tests.unit.wire.support import BOUNDARY, frame

SEPARATOR = b"\r\n--" + BOUNDARY

# How each client tells the length of a part, and how it names its type.
FRAMINGS = {
    "a Content-Length header": lambda size: {"Content-Length": str(size)},
    "a length parameter": lambda size: {"Content-Type": f"application/json; length={size}"},
    "both": lambda size: {
        "Content-Type": f"application/json; length={size}",
        "Content-Length": str(size),
    },
    "no length": lambda size: {},
    "another order": lambda size: {"Content-Length": str(size), "X-Other": "a: b"},
}
framings = st.sampled_from(sorted(FRAMINGS))
names = st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n'), min_size=1, max_size=30)

# Content that is made of what the parser looks for.
contents = st.lists(
    st.sampled_from(
        [b"\r\n", b"--", BOUNDARY, SEPARATOR[:-1], b"\r\n\r\n", b"x", b"{}", b"\r", b"-"]
    ),
    max_size=12,
).map(b"".join)


def split(body: bytes, boundary: bytes = BOUNDARY) -> list[Part]:
    return list(split_parts(body, boundary, DEFAULT_LIMITS))


@given(st.lists(st.tuples(names, contents, framings), max_size=6))
def test_parts_come_out_as_they_went_in(parts: list[tuple[str, bytes, str]]) -> None:
    parts = [  # without a length, nothing tells a boundary line in the content from the real one
        (name, content.replace(SEPARATOR, b"") if framing == "no length" else content, framing)
        for name, content, framing in parts
    ]
    if any(SEPARATOR in content for _, content, framing in parts if framing == "no length"):
        return
    body = frame(
        *((name, content, FRAMINGS[framing](len(content))) for name, content, framing in parts)
    )
    assert split(body) == [
        (name.encode(), b"application/json", content) for name, content, _ in parts
    ]


@given(st.lists(contents, min_size=1, max_size=4), framings, st.data())
def test_a_body_cut_anywhere_is_refused(
    pieces: list[bytes], framing: str, data: st.DataObject
) -> None:
    pieces = [piece.replace(SEPARATOR, b"") for piece in pieces]
    body = frame(*(("post.x", piece, FRAMINGS[framing](len(piece))) for piece in pieces))
    end = data.draw(st.integers(min_value=0, max_value=len(body) - len(b"--\r\n")))
    if SEPARATOR + b"--" in body[:end]:
        return
    with pytest.raises(MalformedMultipart):
        split(body[:end])


def test_a_boundary_line_within_a_part_of_known_length_is_content() -> None:
    content = b"before" + SEPARATOR + b"\r\n\r\nafter"
    body = frame(("a", content, {"Content-Length": str(len(content))}), ("b", b"{}"))
    assert [part[2] for part in split(body)] == [content, b"{}"]


@pytest.mark.parametrize("length", [0, 1, 3, 5_000, 10**11])
def test_a_wrong_length_is_not_believed(length: int) -> None:
    body = frame(("a", b"{}", {"Content-Length": str(length)}), ("b", b"[]"))
    assert [part[2] for part in split(body)] == [b"{}", b"[]"]


def test_the_boundary_of_another_request_is_content() -> None:
    content = b"\r\n--" + BOUNDARY + b"0\r\n\r\n--" + BOUNDARY[:-1] + b"--\r\n"
    assert split(frame(("a", content))) == [(b"a", b"application/json", content)]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (b'Content-Disposition: form-data; name="a"; filename="blob"\r\nContent-Type: x/y', b"a"),
        (b'content-disposition: form-data; filename="name=b"; name="a"', b"a"),
        (b"CONTENT-DISPOSITION:form-data;name=a", b"a"),
        (b'Content-Type: x/y; length=2\r\nContent-Disposition: form-data; name="a\\"b"', b'a"b'),
    ],
)
def test_headers_are_read_in_any_form(headers: bytes, name: bytes) -> None:
    body = b"--%s\r\n%s\r\n\r\n{}%s--\r\n" % (BOUNDARY, headers, SEPARATOR)
    assert [(part[0], part[2]) for part in split(body)] == [(name, b"{}")]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (rb'"a\"b\\c"', b'a"b\\c'),  # RFC 2616
        (b'"a%22b%0D%0Ac"', b'a"b\r\nc'),  # browsers, urllib3, undici
        (b'"a"b"', b'a"b'),  # LangSmith's own writers
        (b'"a"b"; filename="x"', b'a"b'),
        (b'"a; b=c"', b"a; b=c"),
        (rb'"C:\dir\"', rb"C:\dir" + b"\\"),
        (b'"100%"', b"100%"),
        ('"Zeichnung – 図"'.encode(), "Zeichnung – 図".encode()),
    ],
)
@pytest.mark.parametrize("length", [b"", b"; length=2"])
def test_odd_names_are_read_as_each_client_writes_them(
    written: bytes, name: bytes, length: bytes
) -> None:
    body = (
        b"--%s\r\nContent-Disposition: form-data; name=%s\r\nContent-Type: x/y%s\r\n\r\n{}%s--\r\n"
        % (BOUNDARY, written, length, SEPARATOR)
    )
    assert split(body) == [(name, b"x/y", b"{}")]


@pytest.mark.parametrize(
    ("written", "content_type"),
    [
        (b"text/plain; charset=utf-8", b"text/plain; charset=utf-8"),
        (b"text/plain; charset=utf-8; length=2", b"text/plain; charset=utf-8"),
        (b'text/plain; length="2"; charset=utf-8', b"text/plain; charset=utf-8"),
        (b" text/plain ", b"text/plain"),
    ],
)
def test_a_type_keeps_all_parameters_but_the_length(written: bytes, content_type: bytes) -> None:
    body = b'--%s\r\nContent-Disposition: form-data; name="a"\r\nContent-Type:%s\r\n\r\n{}%s--' % (
        BOUNDARY,
        written,
        SEPARATOR,
    )
    assert split(body) == [(b"a", content_type, b"{}")]


def test_a_preamble_padding_and_an_epilogue_are_skipped() -> None:
    body = b"preamble\r\n--%s  \r\nContent-Disposition: form-data; name=a\r\n\r\n{}%s \t\r\n" % (
        BOUNDARY,
        SEPARATOR,
    )
    body += b"Content-Disposition: form-data; name=b\r\n\r\n[]%s--epilogue" % SEPARATOR
    assert [part[2] for part in split(body)] == [b"{}", b"[]"]


def test_no_parts_are_no_error() -> None:
    assert split(frame()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"--" + BOUNDARY,
        b"--" + BOUNDARY + b"\r\n\r\n\r\n{}" + SEPARATOR + b"--",
        b"--" + BOUNDARY + b"\r\nContent-Type: x\r\n\r\n{}" + SEPARATOR + b"--",
        b"--"
        + BOUNDARY
        + b'\r\nContent-Disposition: form-data; name=""\r\n\r\n{}'
        + SEPARATOR
        + b"--",
    ],
)
def test_what_is_no_multipart_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        split(body)


@given(st.binary(max_size=200).map(lambda tail: b"--" + BOUNDARY + tail) | contents)
def test_any_bytes_are_split_or_refused(body: bytes) -> None:
    with contextlib.suppress(MalformedMultipart):
        split(body)


def test_too_many_parts_are_refused() -> None:
    limits = replace(DEFAULT_LIMITS, max_parts=2)
    with pytest.raises(TooLarge, match="more than 2 parts"):
        list(split_parts(frame(*[("a", b"{}")] * 3), BOUNDARY, limits))


def test_long_headers_are_refused() -> None:
    with pytest.raises(TooLarge, match="more than 16,384 bytes in the headers"):
        split(frame(("a", b"{}", {"X-Long": "x" * 20_000})))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; boundary="a b"', b"a b"),
        ("Multipart/Form-Data;BOUNDARY=----LangSmithFormBoundary1", b"----LangSmithFormBoundary1"),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert find_boundary(content_type) == boundary


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data; boundary="])
def test_no_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedMultipart, match="boundary"):
        find_boundary(content_type)
