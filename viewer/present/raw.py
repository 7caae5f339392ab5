"""A run as it was sent: for the raw tab, for downloads and for the clipboard."""

from __future__ import annotations

import json
from typing import Any

import orjson

from collector.reads.types import RunDetail
from viewer.present.content import Text
from viewer.present.payload import Conversation, Prose, read_payload

FIELDS = ("inputs", "outputs", "events", "extra", "serialized", "error")


def raw_run(detail: RunDetail) -> dict[str, Any]:
    """Return the whole run as one JSON object, in the words of the wire."""
    run = detail.run
    return {
        "id": str(run.id),
        "trace_id": str(run.trace_id),
        "parent_run_id": None if run.parent_run_id is None else str(run.parent_run_id),
        "dotted_order": detail.dotted_order,
        "name": run.name,
        "run_type": run.run_type,
        "status": run.status,
        "start_time": run.start_time.isoformat(),
        "end_time": None if run.end_time is None else run.end_time.isoformat(),
        "tags": list(run.tags),
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "total_tokens": run.total_tokens,
        "total_cost": None if run.total_cost is None else str(run.total_cost),
        "error": detail.error,
        "inputs": detail.inputs,
        "outputs": detail.outputs,
        "events": detail.events,
        "extra": detail.extra,
        "serialized": detail.serialized,
        **(
            {"reference_example_id": str(detail.reference_example_id)}
            if detail.reference_example_id
            else {}
        ),
        **detail.other,
    }


def raw_field(detail: RunDetail, field: str) -> Any:
    """Return one field, or the whole run for "". Raises KeyError for a field that none has."""
    return raw_run(detail) if not field else {name: getattr(detail, name) for name in FIELDS}[field]


def to_json(value: Any) -> bytes:
    """Return indented JSON. Whatever a client sent can be written, big integers and lone surrogates too."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return json.dumps(value, indent=2, default=str).encode()


def to_line(value: Any) -> bytes:
    """Return JSON in one line, with its end."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return json.dumps(value, default=str).encode() + b"\n"


def to_text(value: Any) -> str | None:
    """Return the words of inputs or outputs: a lone text, or what the last message says. Else None."""
    payload = read_payload(value)
    if isinstance(payload, Prose):
        return "\n\n".join(payload.texts)
    if isinstance(payload, Conversation):
        texts = [part.text for part in payload.messages[-1].parts if isinstance(part, Text)]
        return "\n\n".join(texts) or None
    return None
