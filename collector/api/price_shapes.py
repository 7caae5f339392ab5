"""What the objects of the price table look like, for `/api/schema/`. Nothing is serialized by these."""

from __future__ import annotations

from rest_framework import serializers


class ModelPriceDraft(serializers.Serializer[None]):
    """A price to be."""

    model_pattern = serializers.CharField(help_text="RE2, searched in the model's name")
    prices = serializers.DictField(
        child=serializers.CharField(),
        help_text="USD per million tokens by unit: input, output, input.cache_read, output.audio …",
    )
    provider = serializers.CharField(required=False, help_text="Empty: any")
    start_date = serializers.DateField(
        required=False, allow_null=True, help_text="Runs that started before are not priced by it"
    )
    name = serializers.CharField(required=False)


class ModelPrice(ModelPriceDraft):
    """A row of the price table."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)


class PriceMapDraft(serializers.Serializer[None]):
    """A price to be, as LangSmith's clients write it: in USD per token."""

    name = serializers.CharField()
    match_pattern = serializers.CharField()
    prompt_cost = serializers.CharField()
    completion_cost = serializers.CharField()
    prompt_cost_details = serializers.DictField(
        child=serializers.CharField(), required=False, allow_null=True
    )
    completion_cost_details = serializers.DictField(
        child=serializers.CharField(), required=False, allow_null=True
    )
    provider = serializers.CharField(required=False, allow_null=True)
    start_time = serializers.DateTimeField(required=False, allow_null=True)
    match_path = serializers.ListField(child=serializers.CharField(), required=False)


class PriceMapEntry(PriceMapDraft):
    """A row of the price table, as LangSmith's clients know it."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField()
