"""Bad input: a clear JSON error with a 4xx code, the valid siblings stored, never a 5xx."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from django.test import Client

from collector.models import Project
from tests.api.ingesting import (
    MULTIPART,
    RUN_ID,
    SIBLING_ID,
    Sender,
    frame,
    inbox_count,
    run_fields,
    stored,
)

pytestmark = pytest.mark.django_db

GOOD = run_fields(SIBLING_ID, inputs={"kept": True})
ROUTES = [
    ("POST", "/runs"),
    ("PATCH", f"/runs/{RUN_ID}"),
    ("POST", "/runs/batch"),
    ("POST", "/runs/multipart"),
]
each_route = pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda text: text)


@pytest.fixture
def sender(client: Client, make_api_key: Callable[..., str]) -> Sender:
    return Sender(client, make_api_key("ingest"))


def bomb(encoding: str) -> bytes:
    """Return 100 MiB and a byte of spaces, compressed."""
    content = b" " * ((100 << 20) + 1)
    if encoding == "gzip":
        return gzip.compress(content)
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(content) + compressor.flush()


BOMBS = {encoding: bomb(encoding) for encoding in ("gzip", "zstd")}


def problem(response: Any) -> tuple[int, str]:
    """Return status and code of an error, which must be JSON, in words, and without effect."""
    assert response["Content-Type"] == "application/json"
    assert response.json()["detail"]
    assert inbox_count() == 0
    return response.status_code, response.json()["code"]


def send(sender: Sender, method: str, path: str, body: bytes, **headers: str) -> Any:
    content_type = MULTIPART if path.endswith("multipart") else "application/json"
    return sender.send(path, body, method=method, content_type=content_type, **headers)


# --- Bodies that cannot be used -----------------------------------------------------------------------


@each_route
def test_an_empty_body_is_never_acknowledged(sender: Sender, method: str, path: str) -> None:
    assert problem(send(sender, method, path, b"")) == (400, "empty_body")


@each_route
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_that_decompresses_to_nothing_is_empty(
    sender: Sender, method: str, path: str, encoding: str
) -> None:
    body = gzip.compress(b"") if encoding == "gzip" else zstandard.compress(b"")
    response = send(sender, method, path, body, Content_Encoding=encoding)
    assert problem(response) == (400, "empty_body")


@each_route
@pytest.mark.parametrize("body", [b"nonsense", b"{", b"\xff\xfe\0", b"\x1f\x8b\x08 junk"])
def test_a_malformed_body_is_refused(sender: Sender, method: str, path: str, body: bytes) -> None:
    code = "malformed_multipart" if path.endswith("multipart") else "malformed_json"
    assert problem(send(sender, method, path, body)) == (400, code)


@each_route
def test_a_body_shorter_than_its_length_is_refused(
    client: Client, sender: Sender, method: str, path: str
) -> None:
    body = json.dumps(run_fields()).encode()
    response = client.generic(
        method,
        path,
        body,
        "application/json",
        headers={"X-API-Key": sender.key},
        CONTENT_LENGTH=str(len(body) + 10),
        **{"wsgi.input": io.BytesIO(body)},
    )
    assert problem(response) == (400, "truncated_body")


@each_route
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_that_ends_early_is_refused(
    sender: Sender, method: str, path: str, encoding: str
) -> None:
    whole = json.dumps(run_fields()).encode()
    body = gzip.compress(whole) if encoding == "gzip" else zstandard.compress(whole)
    response = send(sender, method, path, body[:-4], Content_Encoding=encoding)
    assert problem(response) == (400, "truncated_body")


@each_route
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(
    sender: Sender, method: str, path: str, encoding: str
) -> None:
    response = send(sender, method, path, b"plain text" * 9, Content_Encoding=encoding)
    assert problem(response) == (400, "corrupt_encoding")


@each_route
def test_an_unknown_encoding_is_refused(sender: Sender, method: str, path: str) -> None:
    response = send(sender, method, path, b"x", Content_Encoding="br")
    assert problem(response) == (415, "unsupported_encoding")


@each_route
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_refused_for_good(sender: Sender, method: str, path: str, encoding: str) -> None:
    response = send(sender, method, path, BOMBS[encoding], Content_Encoding=encoding)
    assert problem(response) == (413, "too_large")
    assert "Retry-After" not in response.headers  # clients would upload it four times


def test_a_bomb_without_a_key_is_not_even_read(client: Client) -> None:
    response = client.generic(
        "POST", "/runs/batch", BOMBS["zstd"], headers={"Content-Encoding": "zstd"}
    )
    assert problem(response)[0] == 401


@each_route
def test_a_bad_key_is_refused(client: Client, method: str, path: str) -> None:
    response = send(Sender(client, "rw_" + "x" * 43), method, path, b"{}")
    assert problem(response) == (401, "invalid_api_key")


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"', b"{}", b'{"post":{}}', b'{"a":[]}'])
def test_json_of_another_shape_is_refused(sender: Sender, body: bytes) -> None:
    assert problem(sender.send("/runs/batch", body)) == (422, "wrong_shape")


@pytest.mark.parametrize("content_type", ["application/json", "", "multipart/form-data"])
def test_multipart_needs_its_boundary(sender: Sender, content_type: str) -> None:
    response = sender.send("/runs/multipart", frame({"a": b""}), content_type=content_type)
    assert problem(response) == (400, "malformed_multipart")


def test_a_multipart_body_cut_within_a_part_is_refused(sender: Sender) -> None:
    body = frame({f"post.{RUN_ID}": json.dumps(run_fields()).encode()})
    for end in range(0, len(body) - 4, 7):
        response = sender.send("/runs/multipart", body[:end], content_type=MULTIPART)
        assert response.status_code == 400
    assert inbox_count() == 0


def test_a_length_that_is_no_number_is_an_empty_body(client: Client, sender: Sender) -> None:
    response = client.generic(
        "POST", "/runs", b"{}", headers={"X-API-Key": sender.key}, CONTENT_LENGTH="many"
    )
    assert problem(response) == (400, "empty_body")


# --- Runs that cannot be stored, and runs that can once they are mended ----------------------------------

WRONG = {
    "id": 7,
    "trace_id": "x",
    "name": {},
    "run_type": 1,
    "start_time": "yesterday",
    "end_time": [],
    "tags": "one",
    "extra": [],
    "events": {},
    "session_name": 5,
}


@pytest.mark.parametrize("field", WRONG)
def test_a_run_of_wrong_types_is_refused_by_name(sender: Sender, field: str) -> None:
    response = sender.batch(run_fields(**{field: WRONG[field]}))
    assert problem(response) == (422, "nothing_storable")
    (rejection,) = response.json()["rejected"]
    assert rejection["code"] == "invalid_field"
    assert rejection["reason"].startswith(f"{field}: ")


@pytest.mark.parametrize("field", WRONG)
def test_the_sibling_of_a_refused_run_is_stored(
    sender: Sender, project: Project, field: str
) -> None:
    response = sender.batch(run_fields(**{field: WRONG[field]}), GOOD)
    assert (response.status_code, response.json()["accepted"]) == (202, 1)
    assert len(response.json()["rejected"]) == 1
    run = stored(project.id, SIBLING_ID)
    assert run is not None
    assert run.inputs == {"kept": True}


def with_inputs(text: bytes) -> bytes:
    return json.dumps(run_fields()).encode()[:-1] + b',"inputs":' + text + b"}"


ODD: dict[str, tuple[bytes, Any]] = {
    "NUL": (rb'{"a\u0000":"b\u0000"}', {"a\0": "b\0"}),
    "a lone surrogate": (rb'{"a":"\ud800"}', {"a": "\ufffd"}),
    "bytes that are no UTF-8": (b'{"a":"\xff"}', {"a": "\ufffd"}),
    "NaN": (b'{"a":[NaN,Infinity,-Infinity]}', {"a": ["NaN", "Infinity", "-Infinity"]}),
    "a huge integer": (b'{"a":%d}' % 2**70, {"a": 2**70}),
    "a raw line feed": (b'{"a":"x\ny"}', {"a": "x\ny"}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("route", ["batch", "multipart", "runs"])
def test_odd_payloads_are_stored_as_far_as_they_can_be(
    sender: Sender, project: Project, odd: str, route: str
) -> None:
    text, value = ODD[odd]
    if route == "batch":
        response = sender.batch(with_inputs(text), GOOD)
    elif route == "multipart":
        main = json.dumps(run_fields()).encode()
        response = sender.multipart({f"post.{RUN_ID}": main, f"post.{RUN_ID}.inputs": text})
    else:
        response = sender.send("/runs", with_inputs(text))
    assert (response.status_code, response.json()["rejected"]) == (202, [])
    run = stored(project.id)
    assert run is not None
    assert run.inputs == value


@pytest.mark.parametrize("depth", [5_000, 200_000])
@pytest.mark.parametrize("route", ["batch", "multipart", "runs"])
def test_deep_json_is_stored_with_a_note(
    sender: Sender, project: Project, route: str, depth: int
) -> None:
    text = b'{"a":' * depth + b"1" + b"}" * depth
    if route == "batch":
        response = sender.batch(with_inputs(text), GOOD)
        assert stored(project.id, SIBLING_ID) is not None
    elif route == "multipart":
        main = json.dumps(run_fields()).encode()
        response = sender.multipart({f"post.{RUN_ID}": main, f"post.{RUN_ID}.inputs": text})
    else:
        response = sender.send("/runs", with_inputs(text))
    assert (response.status_code, response.json()["rejected"]) == (202, [])
    run = stored(project.id)
    assert run is not None
    assert run.notes


def test_nul_and_surrogates_in_every_text_are_stored(sender: Sender, project: Project) -> None:
    odd = "a\0b\ud800"
    response = sender.batch(
        run_fields(name=odd, run_type=odd, error=odd, tags=[odd], extra={"metadata": {odd: odd}})
    )
    assert response.status_code == 202
    run = stored(project.id)
    assert run is not None
    assert (run.run.name, run.error) == ("a\ufffdb\ufffd", "a\ufffdb\ufffd")


@pytest.mark.parametrize(
    "broken", [b'{"id":"x" "name":1}', b"{oops}", b'{"id":1,}', b"[]", b"5", b'"x"', b"{}"]
)
def test_a_malformed_run_costs_no_sibling(sender: Sender, project: Project, broken: bytes) -> None:
    response = sender.batch(broken, GOOD, broken)
    assert (response.status_code, response.json()["accepted"]) == (202, 1)
    assert len(response.json()["rejected"]) == 2
    assert stored(project.id, SIBLING_ID) is not None


def test_a_part_that_is_no_json_is_kept_as_text(sender: Sender, project: Project) -> None:
    main = json.dumps(run_fields()).encode()
    sender.multipart({f"post.{RUN_ID}": main, f"post.{RUN_ID}.outputs": b"[unable to serialize"})
    run = stored(project.id)
    assert run is not None
    assert run.outputs == {"__raw__": "[unable to serialize"}


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 10**20, -1, 0, "2026-11-24T12:00:00"]
)
def test_any_time_is_stored(sender: Sender, project: Project, time: Any) -> None:
    response = sender.batch(run_fields(start_time=time, end_time=0))
    assert response.status_code == 202
    assert stored(project.id) is not None
