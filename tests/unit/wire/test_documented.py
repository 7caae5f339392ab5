"""docs/protocol.md says what the code does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.wire.errors import BodyError
from collector.wire.limits import DEFAULT_LIMITS, MiB
from collector.wire.operations import RunOperation
from collector.wire.wirerun import WireRun

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()


def leaves(kind: type[BodyError]) -> Iterator[type[BodyError]]:
    for sub in kind.__subclasses__():
        yield from leaves(sub)
        yield sub


@pytest.mark.parametrize("code", sorted(error.code for error in leaves(BodyError)))
def test_every_code_is_explained(code: str) -> None:
    assert f"`{code}`" in TEXT


@pytest.mark.parametrize(
    "field", [name for name in WireRun.__struct_fields__ if name not in ("name", "run_type")]
)
def test_every_field_is_explained(field: str) -> None:
    assert f"`{field}`" in TEXT


@pytest.mark.parametrize(
    "row",
    [
        f"| body as sent | {DEFAULT_LIMITS.max_body_bytes // MiB} MiB |",
        f"| body decompressed | {DEFAULT_LIMITS.max_decoded_bytes // MiB} MiB |",
        f"| runs a request | {DEFAULT_LIMITS.max_runs:,} |",
        f"| one run | {DEFAULT_LIMITS.max_run_bytes // MiB} MiB |",
        f"| one string | {DEFAULT_LIMITS.max_string_bytes // MiB} MiB |",
        f"| JSON values a request | {DEFAULT_LIMITS.max_json_values // 10**6} million |",
        f"| JSON depth of a payload | {DEFAULT_LIMITS.max_depth} |",
        f"| events a run | {DEFAULT_LIMITS.max_events:,} |",
        f"{DEFAULT_LIMITS.max_name_chars:,}, {DEFAULT_LIMITS.max_project_chars}, "
        f"{DEFAULT_LIMITS.max_run_type_chars} characters",
        f"| tags | {DEFAULT_LIMITS.max_tags} of {DEFAULT_LIMITS.max_tag_chars} characters |",
        f"{DEFAULT_LIMITS.max_attachment_bytes // MiB} MiB each, "
        f"{DEFAULT_LIMITS.max_attachments} a run",
        f"| parts, headers of a part | {DEFAULT_LIMITS.max_parts:,}, "
        f"{DEFAULT_LIMITS.max_part_header_bytes >> 10} KiB |",
        f"key of {DEFAULT_LIMITS.max_key_chars} characters",
    ],
)
def test_every_limit_is_told(row: str) -> None:
    assert row in TEXT


def test_an_operation_has_a_place_for_every_payload_of_the_wire() -> None:
    payloads = {"inputs", "outputs", "events", "extra", "serialized"}
    assert payloads <= set(RunOperation.__struct_fields__) & set(WireRun.__struct_fields__)
