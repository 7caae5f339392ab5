"""GET /info, as the SDKs read it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from collector.api.rendering import dump_json


@pytest.fixture
def info(client: Client) -> dict[str, Any]:
    response = client.get("/info")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_all_six_batch_settings_are_there(info: dict[str, Any]) -> None:
    # With some of them missing the Python SDK's sender thread dies, and no run is ever sent.
    assert info["batch_ingest_config"] == {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 8 << 20,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    }


def test_compression_is_offered(info: dict[str, Any]) -> None:
    flags = info["instance_flags"]
    assert (flags["zstd_compression_enabled"], flags["gzip_body_enabled"]) == (True, True)


def test_the_version_is_one_that_clients_can_compare(info: dict[str, Any]) -> None:
    major, minor, patch = (int(number) for number in info["version"].split("."))
    assert (major, minor, patch) >= (0, 8, 10)  # or feedback is never batched


def test_limits_are_told_as_they_are_set(client: Client, settings: Any) -> None:
    settings.INGEST_MAX_RUN_BYTES = 12345
    assert client.get("/info").json()["runwood"]["max_run_bytes"] == 12345


def test_our_own_version_stands_beside_the_protocols(info: dict[str, Any]) -> None:
    assert info["runwood"]["version"] == "0.1.0"


@pytest.mark.parametrize("headers", [{"X-API-Key": "bad"}, {"Accept": "text/html"}])
def test_info_is_public_and_always_json(client: Client, headers: dict[str, str]) -> None:
    response = client.get("/info", headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan"), "b": 2**70}, b'{"a":null,"b":1180591620717411303424}'),
        (["\ud800", (1, None)], b'["?",[1,null]]'),
        ({1: 10**30}, b'{"1":1000000000000000000000000000000}'),
    ],
)
def test_answers_hold_what_orjson_refuses(value: Any, text: bytes) -> None:
    assert dump_json(value) == text
