"""Pages are compressed for browsers that ask for it, and nothing else is."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from django.test import Client

from collector.models import Project
from collector.reads.live import stop_listener
from tests.factories import make_run, store_runs

pytestmark = pytest.mark.django_db

ACCEPT = {"Accept-Encoding": "gzip, br"}


def test_a_large_page_is_sent_in_a_fifth_of_its_bytes(reader: Client, project: Project) -> None:
    root = make_run()
    store_runs(project.id, root, *(make_run(root, name=f"step {n}") for n in range(200)))
    url = f"/p/{project.name}/traces/{root.id}"
    plain, packed = reader.get(url), reader.get(url, headers=ACCEPT)
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert b"step 199" in gzip.decompress(packed.content)
    assert len(packed.content) < len(plain.content) / 5
    assert int(packed["Content-Length"]) == len(packed.content)


def test_a_browser_that_does_not_ask_gets_the_page_as_it_is(
    reader: Client, project: Project
) -> None:
    store_runs(project.id, make_run())
    response = reader.get(f"/p/{project.name}/traces")
    assert not response.has_header("Content-Encoding")
    assert "Accept-Encoding" in response["Vary"]


def test_the_same_page_has_another_length_every_time(client: Client) -> None:
    """So that what stands in it cannot be guessed from the length."""
    lengths = {len(client.get("/sign-in", headers=ACCEPT).content) for _ in range(20)}
    assert len(lengths) > 3


def test_a_live_stream_sends_each_piece_at_once(reader: Client, project: Project) -> None:
    store_runs(project.id, make_run())
    try:
        response = reader.get(f"/p/{project.name}/traces/stream", headers=ACCEPT)
        assert not response.has_header("Content-Encoding")
        assert next(iter(response.streaming_content)).startswith(b"retry: ")
        response.close()
    finally:
        stop_listener()


def test_the_api_answers_as_it_is(
    client: Client, project: Project, make_api_key: Callable[..., str]
) -> None:
    store_runs(project.id, make_run(inputs=b'{"a": "%s"}' % (b"x" * 1_000)))
    response = client.post(
        "/runs/query",
        f'{{"session": ["{project.id}"]}}',
        "application/json",
        headers={**ACCEPT, "X-API-Key": make_api_key("read")},
    )
    assert response.status_code == 200
    assert not response.has_header("Content-Encoding")
