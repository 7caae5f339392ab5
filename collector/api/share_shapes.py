"""What shares look like, for `/api/schema/`."""

from __future__ import annotations

from rest_framework import serializers


class Share(serializers.Serializer[None]):
    """A shared run."""

    run_id = serializers.UUIDField()
    share_token = serializers.UUIDField(help_text="Chosen by the client, or made here")


class SharedRunQuery(serializers.Serializer[None]):
    """Which of the open runs."""

    id = serializers.ListField(child=serializers.UUIDField(), required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100)
    cursor = serializers.CharField(required=False)


class Deletion(serializers.Serializer[None]):
    """What is to be deleted: runs with all below them, or whole traces."""

    ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    trace_ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    session_id = serializers.UUIDField(required=False, help_text="The project")


class DeletionAnswer(serializers.Serializer[None]):
    """What was taken on."""

    message = serializers.CharField()
    not_found = serializers.ListField(child=serializers.UUIDField())
