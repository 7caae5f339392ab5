"""The workspace's price table. A row is never changed: PATCH retires it and answers the row in its place."""

from __future__ import annotations

from datetime import date
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.api import price_shapes as shapes
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import AnyJSONParser, parse_time
from collector.api.responses import json_response
from collector.api.serializers import wire_time
from collector.auth import ApiKeyAuth, key_auth
from collector.models import ApiKey, ModelPrice, Workspace
from collector.prices.price import InvalidPrice
from collector.prices.table import (
    PriceDraft,
    add_price,
    check_draft,
    list_prices,
    replace_price,
    retire_price,
)

PAGES = [OpenApiParameter("limit", int), OpenApiParameter("offset", int)]


class PriceListView(APIView):
    """The rows in force, newest first: of two that match a model the first one wins."""

    required_scope = "read"

    @extend_schema(
        operation_id="list_model_prices",
        tags=["prices"],
        parameters=PAGES,
        responses=shapes.ModelPrice(many=True),
    )
    def get(self, request: Request) -> HttpResponse:
        rows = page_of(request, list_prices(workspace_of(request)))
        return json_response([serialize_price(row) for row in rows])


class PriceAddView(APIView):
    """Add a row."""

    parser_classes = [AnyJSONParser]
    required_scope = "admin"

    @extend_schema(
        operation_id="create_model_price",
        tags=["prices"],
        request=shapes.ModelPriceDraft,
        responses={201: shapes.ModelPrice},
    )
    def post(self, request: Request) -> HttpResponse:
        row = add(request, _draft(body_of(request)))
        return json_response(serialize_price(row), status=201)


class PriceView(APIView):
    """One row, also one that was retired: runs that it priced still name it."""

    required_scope = "read"

    @extend_schema(operation_id="read_model_price", tags=["prices"], responses=shapes.ModelPrice)
    def get(self, request: Request, price_id: UUID) -> HttpResponse:
        return json_response(serialize_price(_find(request, price_id)))


class PriceChangeView(APIView):
    """Put another row in the place of one, or retire it."""

    parser_classes = [AnyJSONParser]
    required_scope = "admin"

    @extend_schema(
        operation_id="update_model_price",
        tags=["prices"],
        request=shapes.ModelPriceDraft,
        responses=shapes.ModelPrice,
    )
    def patch(self, request: Request, price_id: UUID) -> HttpResponse:
        old = serialize_price(_find(request, price_id))
        given = {key: value for key, value in body_of(request).items() if key in DRAFT_FIELDS}
        kept = {key: old[key] for key in DRAFT_FIELDS}
        return json_response(serialize_price(replace(request, price_id, _draft(kept | given))))

    @extend_schema(operation_id="delete_model_price", tags=["prices"], responses={204: None})
    def delete(self, request: Request, price_id: UUID) -> HttpResponse:
        if retire_price(workspace_of(request), price_id) is None:
            raise no_such_price(price_id)
        return HttpResponse(status=204)


DRAFT_FIELDS = ("name", "model_pattern", "provider", "prices", "start_date")


def serialize_price(row: ModelPrice) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "model_pattern": row.model_pattern,
        "provider": row.provider,
        "prices": row.prices,
        "start_date": row.start_date.isoformat() if row.start_date else None,
        "created_at": wire_time(row.created_at),
        "created_by": row.created_by,
        "retired_at": wire_time(row.retired_at),
    }


def _draft(fields: dict[str, Any]) -> PriceDraft:
    return draft(
        model_pattern=fields.get("model_pattern"),
        prices=fields.get("prices"),
        provider=fields.get("provider"),
        start_date=parse_day("start_date", fields.get("start_date")),
        name=fields.get("name"),
    )


def draft(**fields: Any) -> PriceDraft:
    """Return a checked draft; what cannot be is the client's error."""
    try:
        return check_draft(**fields)
    except InvalidPrice as error:
        raise ParseError(str(error)) from error


def add(request: Request, made: PriceDraft) -> ModelPrice:
    try:
        return add_price(workspace_of(request), made, by=_name_of(key_auth(request)))
    except InvalidPrice as error:
        raise ParseError(str(error)) from error


def replace(request: Request, price_id: UUID, made: PriceDraft) -> ModelPrice:
    row = replace_price(workspace_of(request), price_id, made, by=_name_of(key_auth(request)))
    if row is None:
        raise no_such_price(price_id)
    return row


def body_of(request: Request) -> dict[str, Any]:
    return cast("dict[str, Any]", request.data)  # AnyJSONParser refuses any other JSON


def page_of(request: Request, rows: list[ModelPrice]) -> list[ModelPrice]:
    offset = parse_offset(request.query_params.get("offset"))
    return rows[offset : offset + parse_limit(request.query_params.get("limit"))]


def workspace_of(request: Request) -> Workspace:
    return Workspace.objects.get(id=key_auth(request).workspace_id)


def no_such_price(price_id: UUID) -> NotFound:
    return NotFound(f"There is no model price {price_id} in force.")


def parse_day(name: str, value: Any) -> date | None:
    """Return the day (UTC) of an ISO date or time, or None for null."""
    time = parse_time(name, value)
    return time.date() if time is not None else None


def _find(request: Request, price_id: UUID) -> ModelPrice:
    row = ModelPrice.objects.filter(workspace=workspace_of(request), id=price_id).first()
    if row is None:
        raise NotFound(f"There is no model price {price_id}.")
    return row


def _name_of(auth: ApiKeyAuth) -> str:
    key = ApiKey.objects.filter(id=auth.key_id).first()
    return f"API key {key.name} (rw_{key.prefix}…)" if key is not None else "API key"
