"""The Run object of v2: each field under the name that selects it, and what of v1's it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings
from rest_framework.request import Request

from collector.api.feedback_fields import feedback_stats
from collector.api.serializers import (
    COUNTED_TYPES,
    RUN_FIELDS,
    RunParts,
    total_of,
    wire_status,
    wire_time,
)
from collector.reads.payloads import parse_object
from collector.reads.types import RunSummary


@dataclass(frozen=True, slots=True)
class Writer:
    """How runs are written: for whom, and whether with what the runs below them took."""

    request: Request
    with_below: bool = False

    def run(self, parts: RunParts, selects: frozenset[str]) -> dict[str, Any]:
        """Return the selected fields; `id` is always among them."""
        wanted = selects | {"ID"}
        return {
            name.lower(): field.value(self, parts)
            for name, field in FIELDS.items()
            if name in wanted
        }

    def amount(self, parts: RunParts, name: str) -> Any:
        """Return tokens or a cost: the run's own, unless those below it are asked for too."""
        if self.with_below:
            return total_of(parts, name)
        return getattr(parts.run, name) if parts.run.run_type in COUNTED_TYPES else None


Value = Callable[[Writer, RunParts], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """How a field is made, and the field of v1 that has to be read for it ("": none)."""

    value: Value
    needs: str = ""


def needed_fields(selects: frozenset[str]) -> frozenset[str]:
    """Return the fields of v1 that `fill_page` has to read for these of v2."""
    return frozenset({"id"} | {FIELDS[name].needs for name in selects & FIELDS.keys()} - {""})


def exact(number: Decimal | float | None) -> orjson.Fragment | None:
    """Return a JSON number with all digits of a cost."""
    return None if number is None else orjson.Fragment(format(Decimal(str(number)), "f").encode())


def is_root(run: RunSummary) -> bool:
    return run.parent_run_id is None or run.id == run.trace_id


def public_url(path: str) -> str:
    """Return the address of a page, as a browser reaches it."""
    return f"{settings.PUBLIC_URL}{path}"


def _same(name: str, *, is_read: bool = False) -> Field:
    """A field that v1 has too, under that name."""
    write = RUN_FIELDS[name]
    return Field(lambda writer, parts: write(parts), name if is_read else "")


def _tokens(name: str) -> Field:
    return Field(lambda writer, parts: writer.amount(parts, name) or 0)


def _cost(name: str) -> Field:
    return Field(lambda writer, parts: exact(writer.amount(parts, name)))


def _token_details(name: str) -> Field:
    return Field(lambda writer, parts: {"raw": parts.usage.get(name) or {}}, name)


def _cost_details(name: str) -> Field:
    def value(writer: Writer, parts: RunParts) -> dict[str, Any]:
        costs: Mapping[str, str] = parts.usage.get(name) or {}
        return {"raw": {key: exact(Decimal(cost)) for key, cost in costs.items()}}

    return Field(value, name)


def _metadata(writer: Writer, parts: RunParts) -> dict[str, Any]:
    metadata = parse_object(parts.payload.extra).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _attachments(writer: Writer, parts: RunParts) -> dict[str, str]:
    """Return whole addresses: the SDK joins them to nothing. The client's own way here is sure to lead here."""
    return {
        name.removeprefix("attachment."): writer.request.build_absolute_uri(file["presigned_url"])
        for name, file in (parts.files or {}).items()
    }


def _share_url(writer: Writer, parts: RunParts) -> str | None:
    return public_url(f"/public/{parts.share_token}/r") if parts.share_token else None


def _nothing(writer: Writer, parts: RunParts) -> None:
    """Stand for what LangSmith has and Runwood has not."""


FIELDS: dict[str, Field] = {
    "ID": _same("id"),
    "NAME": _same("name"),
    "RUN_TYPE": Field(lambda writer, parts: parts.run.run_type.upper()),
    "STATUS": Field(lambda writer, parts: wire_status(parts.run).upper()),
    "START_TIME": _same("start_time"),
    "END_TIME": _same("end_time"),
    "LATENCY_SECONDS": Field(lambda writer, parts: parts.run.latency_seconds),
    "FIRST_TOKEN_TIME": _same("first_token_time"),
    "ERROR": _same("error", is_read=True),
    "ERROR_PREVIEW": Field(lambda writer, parts: parts.run.error or None),
    "EXTRA": _same("extra", is_read=True),
    "METADATA": Field(_metadata, "extra"),
    "EVENTS": _same("events", is_read=True),
    "INPUTS": _same("inputs", is_read=True),
    "INPUTS_PREVIEW": _same("inputs_preview"),
    "OUTPUTS": _same("outputs", is_read=True),
    "OUTPUTS_PREVIEW": _same("outputs_preview"),
    "MANIFEST": Field(lambda writer, parts: RUN_FIELDS["serialized"](parts), "serialized"),
    "PARENT_RUN_ID": _same("parent_run_id"),
    "PARENT_RUN_IDS": _same("parent_run_ids", is_read=True),
    "PROJECT_ID": Field(lambda writer, parts: parts.run.project_id),
    "TRACE_ID": _same("trace_id"),
    "THREAD_ID": _same("thread_id"),
    "DOTTED_ORDER": _same("dotted_order"),
    "IS_ROOT": Field(lambda writer, parts: is_root(parts.run)),
    "REFERENCE_EXAMPLE_ID": _same("reference_example_id"),
    "REFERENCE_DATASET_ID": Field(_nothing),
    "TOTAL_TOKENS": _tokens("total_tokens"),
    "PROMPT_TOKENS": _tokens("prompt_tokens"),
    "COMPLETION_TOKENS": _tokens("completion_tokens"),
    "TOTAL_COST": _cost("total_cost"),
    "PROMPT_COST": _cost("prompt_cost"),
    "COMPLETION_COST": _cost("completion_cost"),
    "PROMPT_TOKEN_DETAILS": _token_details("prompt_token_details"),
    "COMPLETION_TOKEN_DETAILS": _token_details("completion_token_details"),
    "PROMPT_COST_DETAILS": _cost_details("prompt_cost_details"),
    "COMPLETION_COST_DETAILS": _cost_details("completion_cost_details"),
    "PRICE_MODEL_ID": _same("price_model_id", is_read=True),
    "TAGS": _same("tags"),
    "APP_PATH": _same("app_path"),
    "ATTACHMENTS": Field(_attachments, "s3_urls"),
    "THREAD_EVALUATION_TIME": Field(_nothing),
    "IS_IN_DATASET": Field(lambda writer, parts: False),
    "LAST_QUEUED_AT": Field(_nothing),
    "SHARE_URL": Field(_share_url, "share_token"),
    "FEEDBACK_STATS": Field(lambda writer, parts: feedback_stats(parts.feedback), "feedback_stats"),
    "LS_USER_ID": Field(_nothing),
}

# Of a trace: what its runs come to.
AGGREGATES: dict[str, Callable[[RunParts], Any]] = {
    "TOTAL_TOKENS": lambda parts: total_of(parts, "total_tokens") or 0,
    "TOTAL_COST": lambda parts: exact(total_of(parts, "total_cost")),
    "FIRST_TOKEN_TIME": lambda parts: wire_time((parts.trace or parts.run).first_token_time),
}
