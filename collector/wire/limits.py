"""What one request may hold. Peers' figures and reasons: docs/protocol.md, "Limits"."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The caps of decoding. The first four are settings; the rest nobody has asked to move."""

    max_body_bytes: int = 32 * MiB  # as sent
    max_decoded_bytes: int = 100 * MiB  # after decompression
    max_run_bytes: int = 20 * MiB
    max_runs: int = 5_000

    max_json_values: int = 2_000_000  # of a request: what parsing it may cost in memory
    max_depth: int = 200  # of a payload; every JSON reader there is can follow
    max_mended_bytes: int = 32 * MiB  # of a request's items that are no strict JSON: 40 ms a MiB
    max_string_bytes: int = 10 * MiB
    max_events: int = 10_000
    max_parts: int = 10_000
    max_part_header_bytes: int = 16 << 10
    max_attachment_bytes: int = 20 * MiB
    max_attachments: int = 20  # of a run
    max_feedback_bytes: int = 1 * MiB

    max_name_chars: int = 1024
    max_project_chars: int = 512  # the column's width
    max_run_type_chars: int = 64
    max_tags: int = 100
    max_tag_chars: int = 256
    max_key_chars: int = 180  # of feedback, as LangSmith has it


DEFAULT_LIMITS = Limits()
