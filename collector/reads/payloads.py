"""Payload fields of runs: their JSON text, and the values in it, with a bound on both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from collector.reads.types import RunSummary
from collector.storage.blocks import RunPayload
from collector.storage.payload import fetch_payloads_of_traces

FIELDS = ("inputs", "outputs", "events", "extra", "serialized", "other")

# Ingest accepts runs of 20 MiB; what is larger came by another way, and is shown as text, cut.
MAX_VALUE_BYTES = 32 << 20
CUT_BYTES = 1 << 20
# So that whoever stops early has not read the payloads of 100 large runs; of small ones more are read.
FIRST_RUNS_AT_ONCE = 20
MOST_RUNS_AT_ONCE = 160
SMALL_BYTES = 1 << 20  # of all that was read at once

_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_LONGEST_NUMBER = 4_000  # digits; Python refuses to read numbers past 4,300


def iterate_payloads(runs: Sequence[RunSummary]) -> Iterator[tuple[RunSummary, RunPayload]]:
    """Yield the runs in their order, each with its payload, read as they are asked for."""
    first, count = 0, FIRST_RUNS_AT_ONCE
    while first < len(runs):
        part = runs[first : first + count]
        wanted: dict[UUID, dict[tuple[date, UUID], set[UUID]]] = {}
        for run in part:
            traces = wanted.setdefault(run.project_id, {})
            traces.setdefault((run.day, run.trace_id), set()).add(run.id)
        payloads = {
            (project_id, *key): payload
            for project_id, traces in wanted.items()
            for key, payload in fetch_payloads_of_traces([project_id], traces).items()
        }
        for run in part:
            # by the whole of it: where a client lies, one id lies on two days, or in two traces
            key = (run.project_id, run.day, run.trace_id, run.id)
            yield run, payloads.get(key) or RunPayload()
        first += count
        if sum(map(payload_bytes, payloads.values())) < SMALL_BYTES:
            count = min(2 * count, MOST_RUNS_AT_ONCE)


def payload_texts(payload: RunPayload) -> dict[str, bytes]:
    """Return the JSON text of each field that has any."""
    return {field: text for field in FIELDS if (text := getattr(payload, field))}


def payload_bytes(payload: RunPayload) -> int:
    return sum(map(len, payload_texts(payload).values())) + len(payload.error or "")


def parse_value(text: bytes) -> Any:
    """Return the value of a payload field; where nothing can read it as JSON, the text itself.

    None for no text. Integers keep all their digits; NaN and infinities come through.
    """
    if not text:
        return None
    if len(text) > MAX_VALUE_BYTES:
        return f"{text[:CUT_BYTES].decode('utf-8', 'replace')}… ({len(text):,} bytes)"
    # orjson makes a float of an integer past 64 bits, and so changes it. Both readers refuse some texts.
    readers = (_parse_exactly,) if _LONG_NUMBER.search(text) else (orjson.loads, _parse_exactly)
    for read in readers:
        try:
            return read(text)
        except (ValueError, RecursionError):
            continue
    return text.decode("utf-8", "replace")


def _parse_exactly(text: bytes) -> Any:
    return json.loads(text.decode("utf-8", "replace"), parse_int=_parse_int)


def _parse_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def parse_object(text: bytes) -> dict[str, Any]:
    value = parse_value(text)
    return value if isinstance(value, dict) else {}


def parse_list(text: bytes) -> list[Any]:
    value = parse_value(text)
    return value if isinstance(value, list) else []
