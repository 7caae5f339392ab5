"""What is sent to the ingest routes and what they answer, for `/api/schema/`. The wire decoders judge."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class RunToStore(serializers.Serializer[None]):
    """A create or an update of a run: an update holds what has changed. Other fields are kept too."""

    id = serializers.UUIDField(help_text="Uuid of version 4 or 7")
    trace_id = serializers.UUIDField(required=False)
    parent_run_id = serializers.UUIDField(required=False, allow_null=True)
    dotted_order = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    run_type = serializers.CharField(required=False)
    session_name = serializers.CharField(required=False, help_text="The project")
    session_id = serializers.UUIDField(required=False, help_text="The project, by id")
    start_time = serializers.DateTimeField(required=False, help_text="Or milliseconds since 1970")
    end_time = serializers.DateTimeField(required=False, help_text="Or milliseconds since 1970")
    error = serializers.CharField(required=False, allow_null=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    inputs = serializers.DictField(required=False)
    outputs = serializers.DictField(required=False)
    events = serializers.ListField(child=serializers.DictField(), required=False)
    extra = serializers.DictField(required=False, help_text="metadata, runtime and more")
    serialized = serializers.DictField(required=False, allow_null=True)
    reference_example_id = serializers.UUIDField(required=False, allow_null=True)
    status = serializers.ChoiceField(
        ["interrupted", "cancelled", "incomplete"],
        required=False,
        help_text="What end_time and error cannot tell",
    )


class ClientReport(serializers.Serializer[None]):
    """What a handler is, and what it had to drop since its process began."""

    process = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    dropped = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        required=False,
        help_text="By project: runs, ends, payloads",
    )


class RunBatch(serializers.Serializer[None]):
    """Creates and updates. Either list may be absent."""

    post = RunToStore(many=True, required=False)
    patch = RunToStore(many=True, required=False)
    client = ClientReport(required=False)


class Refusal(serializers.Serializer[None]):
    """One item that was not stored."""

    id = serializers.CharField()
    reason = serializers.CharField()
    code = serializers.CharField()


class IngestAnswer(serializers.Serializer[None]):
    """What became of the request."""

    accepted = serializers.IntegerField(help_text="Operations that are durable now")
    rejected = Refusal(many=True)
    ignored = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Names of unknown parts"
    )


class Problem(serializers.Serializer[None]):
    """An error."""

    detail = serializers.CharField()
    code = serializers.CharField()


MULTIPART = {
    "multipart/form-data": {
        "type": "object",
        "description": "post.<id>, patch.<id>, post.<id>.inputs …, feedback.<id>, attachment.<run id>.<name>",
        "additionalProperties": True,
    }
}


def answers() -> dict[Any, Any]:
    """Return the answers that the four routes share."""

    def problem(when: str) -> OpenApiResponse:
        return OpenApiResponse(Problem, description=when)

    return {
        202: OpenApiResponse(IngestAnswer, description="The accepted part is durable."),
        400: problem("The body is empty, truncated or malformed."),
        413: problem("Over a limit."),
        415: problem("An unknown Content-Encoding."),
        422: OpenApiResponse(IngestAnswer, description="Nothing of it could be stored."),
        503: problem("Send it again after Retry-After seconds."),
    }
