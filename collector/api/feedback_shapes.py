"""What feedback, its tokens and its configs look like, for `/api/schema/`. Nothing is serialized by these."""

from __future__ import annotations

from rest_framework import serializers


class FeedbackUpdate(serializers.Serializer[None]):
    """What can be changed."""

    score = serializers.FloatField(required=False, allow_null=True, help_text="Or a boolean")
    value = serializers.JSONField(required=False, allow_null=True)
    comment = serializers.CharField(required=False, allow_null=True)
    correction = serializers.JSONField(required=False, allow_null=True)
    feedback_config = serializers.DictField(required=False, allow_null=True)


class FeedbackToStore(FeedbackUpdate):
    """A judgement on a run, or, without a run, on a project. Other fields are kept too."""

    id = serializers.UUIDField(required=False)
    run_id = serializers.UUIDField(required=False, allow_null=True)
    trace_id = serializers.UUIDField(required=False, allow_null=True)
    session_id = serializers.UUIDField(required=False, allow_null=True, help_text="The project")
    key = serializers.CharField(max_length=180)
    feedback_source = serializers.DictField(required=False, allow_null=True)


class Feedback(FeedbackToStore):
    """A judgement."""

    created_at = serializers.DateTimeField()
    modified_at = serializers.DateTimeField()


class Span(serializers.Serializer[None]):
    """A length of time."""

    days = serializers.IntegerField(required=False)
    hours = serializers.IntegerField(required=False)
    minutes = serializers.IntegerField(required=False)


class FeedbackTokenToMake(serializers.Serializer[None]):
    """Asks for an address at which feedback on a run can be given without a key. A list makes several."""

    id = serializers.UUIDField(required=False)
    run_id = serializers.UUIDField()
    feedback_key = serializers.CharField(max_length=180)
    feedback_config = serializers.DictField(required=False, allow_null=True)
    expires_in = Span(required=False)
    expires_at = serializers.DateTimeField(required=False)


class FeedbackToken(serializers.Serializer[None]):
    """Such an address."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    feedback_key = serializers.CharField()
    expires_at = serializers.DateTimeField()


class TokenFeedback(serializers.Serializer[None]):
    """What is given by a token."""

    score = serializers.FloatField(required=False, allow_null=True, help_text="Or a boolean")
    value = serializers.JSONField(required=False, allow_null=True)
    comment = serializers.CharField(required=False, allow_null=True)
    correction = serializers.JSONField(required=False, allow_null=True)
    metadata = serializers.DictField(required=False, allow_null=True)


class FeedbackConfigToStore(serializers.Serializer[None]):
    """What scores of one key mean."""

    feedback_key = serializers.CharField(max_length=180)
    feedback_config = serializers.DictField(required=False)
    is_lower_score_better = serializers.BooleanField(required=False, allow_null=True)
    is_enforced = serializers.BooleanField(required=False)


class FeedbackConfigUpdate(serializers.Serializer[None]):
    """A change to what scores of one key mean, named by key or id."""

    id = serializers.UUIDField(required=False)
    feedback_key = serializers.CharField(required=False)
    feedback_config = serializers.DictField(required=False, allow_null=True)
    is_lower_score_better = serializers.BooleanField(required=False, allow_null=True)
    is_enforced = serializers.BooleanField(required=False)
    remove_categories = serializers.BooleanField(required=False)


class FeedbackConfig(FeedbackConfigToStore):
    """A stored one."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField(help_text="The workspace")
    modified_at = serializers.DateTimeField()
