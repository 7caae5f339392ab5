"""What scores of one feedback key mean in a workspace. One config a key; it has no id in the path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.api import feedback_shapes as shapes
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import AnyJSONParser, parse_bool, parse_object, parse_text, parse_uuid
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.auth import key_auth
from collector.models import FeedbackConfig
from collector.wire.fields import storable

MAX_KEY_CHARACTERS = 180  # the column's width
MAX_KEYS = 200
MIN_CATEGORIES = 2


class UnusableCategories(APIException):
    """Categories cannot be added to, or taken from, this config."""

    status_code = 422
    default_code = "unusable_categories"


class FeedbackConfigList(APIView):
    """The configs of the workspace, by key."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="list_feedback_configs",
        tags=["feedback"],
        responses=shapes.FeedbackConfig(many=True),
        parameters=[
            OpenApiParameter("key", str, many=True),
            OpenApiParameter("name_contains", str),
            OpenApiParameter("is_enforced", bool),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        params = request.query_params
        configs = _configs(request)
        keys = params.getlist("key")[:MAX_KEYS]
        if keys:
            configs = configs.filter(feedback_key__in=[storable(key) for key in keys])
        if part := params.get("name_contains"):
            configs = configs.filter(feedback_key__icontains=storable(part))
        is_enforced = parse_bool("is_enforced", params.get("is_enforced"))
        if is_enforced is not None:
            configs = configs.filter(is_enforced=is_enforced)
        offset = parse_offset(params.get("offset"))
        page = configs.order_by("feedback_key")[offset : offset + parse_limit(params.get("limit"))]
        return json_response([serialize_config(config) for config in page])


class ChangeFeedbackConfigs(APIView):
    """Makes, changes and deletes configs."""

    parser_classes = [AnyJSONParser]
    required_scope = "ingest"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="create_feedback_config",
        tags=["feedback"],
        request=shapes.FeedbackConfigToStore,
        responses=shapes.FeedbackConfig,
    )
    def post(self, request: Request) -> HttpResponse:
        """Make one. An equal one again changes nothing; another one for the same key is refused."""
        body = _body(request)
        key, config = _key(body), _config(body)
        if key is None:
            raise ParseError("feedback_key: is needed.")
        lower = parse_bool("is_lower_score_better", body.get("is_lower_score_better"))
        stored, is_new = _configs(request).get_or_create(
            workspace_id=key_auth(request).workspace_id,
            feedback_key=key,
            defaults={
                "feedback_config": config or {},
                "is_lower_score_better": lower,
                "is_enforced": parse_bool("is_enforced", body.get("is_enforced")) or False,
            },
        )
        is_same = stored.feedback_config == (config or {})
        if not is_new and not (is_same and lower in (None, stored.is_lower_score_better)):
            raise ParseError("Feedback config already exists", "feedback_config_exists")
        return json_response(serialize_config(stored))

    @extend_schema(
        operation_id="update_feedback_config",
        tags=["feedback"],
        request=shapes.FeedbackConfigUpdate,
        responses=shapes.FeedbackConfig,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change what is given, of the config that `feedback_key` or `id` names."""
        body = _body(request)
        with transaction.atomic():
            stored = _find(request, _key(body), parse_uuid("id", body.get("id")))
            config = _config(body)
            if config is not None:
                stored.feedback_config = config
            stored.feedback_config = _with_categories(stored.feedback_config, body)
            lower = parse_bool("is_lower_score_better", body.get("is_lower_score_better"))
            if lower is not None:
                stored.is_lower_score_better = lower
            is_enforced = parse_bool("is_enforced", body.get("is_enforced"))
            if is_enforced is not None:
                stored.is_enforced = is_enforced
            stored.modified_at = timezone.now()
            stored.save()
        return json_response(serialize_config(stored))

    @extend_schema(
        operation_id="delete_feedback_config",
        tags=["feedback"],
        parameters=[OpenApiParameter("feedback_key", str), OpenApiParameter("id", str)],
        responses=OpenApiTypes.OBJECT,
    )
    def delete(self, request: Request) -> HttpResponse:
        """Delete the config that `feedback_key` or `id` names. Feedback with the key stays."""
        params = request.query_params
        with transaction.atomic():
            _find(request, _key(params), parse_uuid("id", params.get("id"))).delete()
        return json_response({})


def serialize_config(config: FeedbackConfig) -> dict[str, Any]:
    """Return the config object."""
    return {
        "id": config.id,
        "feedback_key": config.feedback_key,
        "feedback_config": config.feedback_config,
        "tenant_id": config.workspace_id,
        "modified_at": config.modified_at.isoformat(),
        "is_lower_score_better": config.is_lower_score_better,
        "is_enforced": config.is_enforced,
        "is_first": True,
        "is_deleted": False,
    }


def _configs(request: Request) -> QuerySet[FeedbackConfig]:
    return FeedbackConfig.objects.filter(workspace_id=key_auth(request).workspace_id)


def _find(request: Request, key: str | None, config_id: UUID | None) -> FeedbackConfig:
    """Return the config of a key or an id, locked.

    Raises:
        ParseError: neither is given.
        NotFound
    """
    found = _configs(request).select_for_update()
    if config_id is not None:
        found = found.filter(id=config_id)
    if key is not None:
        found = found.filter(feedback_key=key)
    if key is None and config_id is None:
        raise ParseError("feedback_key or id: one is needed.")
    config = found.first()
    if config is None:
        raise NotFound("There is no such feedback config.")
    return config


def _body(request: Request) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", request.data)


def _key(values: Mapping[str, Any]) -> str | None:
    key = parse_text("feedback_key", values.get("feedback_key"))
    return None if key is None else storable(key)[:MAX_KEY_CHARACTERS]


def _config(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the config of a body, without what is null in it; None where it has none."""
    config = parse_object("feedback_config", body.get("feedback_config"))
    if config is None:
        return None
    return {name: value for name, value in config.items() if value is not None}


def _with_categories(config: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with the categories that are to be added, and without those to be removed."""
    added, removed = body.get("add_categories"), body.get("remove_categories")
    if not added and not removed:
        return config
    categories = config.get("categories")
    if config.get("type") != "categorical" or not isinstance(categories, list):
        raise UnusableCategories("The feedback config is not categorical.")
    left = [*categories, *_list(added)]
    if not all(isinstance(item, dict) for item in left):
        raise UnusableCategories("A category must be an object.")
    left = [item for item in left if item.get("value") not in _list(removed)]
    for name in ("value", "label"):
        words = [orjson.dumps(item[name]) for item in left if item.get(name) is not None]
        if len(words) != len(set(words)):
            raise UnusableCategories(f"Two categories would have the same {name}.")
    if len(left) < MIN_CATEGORIES:
        raise UnusableCategories(f"At least {MIN_CATEGORIES} categories must be left.")
    return parse_object("feedback_config", {**config, "categories": left}) or {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


change_feedback_configs = ChangeFeedbackConfigs.as_view()
