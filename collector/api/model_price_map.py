"""The price table in the words of LangSmith's `/model-price-map`: USD per token, patterns by `match_pattern`.

Only the workspace's own rows are listed; the bundled prices have no rows. `match_path` is accepted and
ignored: the model's name is the one that the run is shown with.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.api import price_shapes as shapes
from collector.api.parsing import AnyJSONParser, parse_text
from collector.api.prices import (
    PAGES,
    add,
    body_of,
    draft,
    no_such_price,
    page_of,
    parse_day,
    replace,
    workspace_of,
)
from collector.api.responses import json_response
from collector.models import ModelPrice, Workspace
from collector.prices.price import Rate, rates_from_json
from collector.prices.table import PriceDraft, list_prices, retire_price

MATCH_PATH = ("model", "model_name", "model_id", "model_path", "endpoint_name")
MILLION = 1_000_000


class SamePrice(APIException):
    """The workspace has such a row already."""

    status_code = 409
    default_detail = "The workspace has a price of this name, pattern, provider and start already."
    default_code = "conflict"


class PriceMapView(APIView):
    """The rows in force."""

    required_scope = "read"

    @extend_schema(
        operation_id="list_model_price_map",
        tags=["prices"],
        parameters=[OpenApiParameter("q", str, description="In name, pattern or provider"), *PAGES],
        responses=shapes.PriceMapEntry(many=True),
    )
    def get(self, request: Request) -> HttpResponse:
        wanted = (parse_text("q", request.query_params.get("q")) or "").lower()
        rows = [
            row
            for row in list_prices(workspace_of(request))
            if wanted in f"{row.name}\n{row.model_pattern}\n{row.provider}".lower()
        ]
        response = json_response([_entry(row) for row in page_of(request, rows)])
        response["X-Pagination-Total"] = str(len(rows))
        return response


class PriceMapAddView(APIView):
    """Add a row."""

    parser_classes = [AnyJSONParser]
    required_scope = "admin"

    @extend_schema(
        operation_id="create_model_price_map_entry",
        tags=["prices"],
        request=shapes.PriceMapDraft,
        responses=shapes.PriceMapEntry,
    )
    def post(self, request: Request) -> HttpResponse:
        made = _draft(body_of(request))
        _refuse_same(workspace_of(request), made)
        return json_response(_entry(add(request, made)))


class PriceMapChangeView(APIView):
    """Put another row in the place of one, or retire it."""

    parser_classes = [AnyJSONParser]
    required_scope = "admin"

    @extend_schema(
        operation_id="replace_model_price_map_entry",
        tags=["prices"],
        request=shapes.PriceMapDraft,
        responses=shapes.PriceMapEntry,
    )
    def put(self, request: Request, price_id: UUID) -> HttpResponse:
        made = _draft(body_of(request))
        _refuse_same(workspace_of(request), made, besides=price_id)
        return json_response(_entry(replace(request, price_id, made)))

    @extend_schema(
        operation_id="delete_model_price_map_entry", tags=["prices"], responses={204: None}
    )
    def delete(self, request: Request, price_id: UUID) -> HttpResponse:
        if retire_price(workspace_of(request), price_id) is None:
            raise no_such_price(price_id)
        return HttpResponse(status=204)


def _draft(fields: dict[str, Any]) -> PriceDraft:
    prices: dict[str, Decimal] = {}
    for side, field in (("input", "prompt_cost"), ("output", "completion_cost")):
        prices[side] = _per_million(field, fields.get(field))
        details = fields.get(f"{field}_details") or {}
        if not isinstance(details, dict):
            raise ParseError(f"{field}_details: an object is needed.")
        for key, cost in details.items():
            prices[f"{side}.{key}"] = _per_million(f"{field}_details.{key}", cost)
    return draft(
        model_pattern=fields.get("match_pattern"),
        prices=prices,
        provider=fields.get("provider"),
        start_date=parse_day("start_time", fields.get("start_time")),
        name=fields.get("name"),
    )


def _per_million(name: str, cost: Any) -> Decimal:
    if not isinstance(cost, (int, float, str)) or isinstance(cost, bool):
        raise ParseError(f"{name}: a number is needed, in USD per token.")
    try:
        return Decimal(str(cost).strip()[:64]) * MILLION
    except (InvalidOperation, ArithmeticError) as error:
        raise ParseError(f"{name}: a number is needed, in USD per token.") from error


def _refuse_same(workspace: Workspace, made: PriceDraft, *, besides: UUID | None = None) -> None:
    same = ModelPrice.objects.filter(
        workspace=workspace,
        retired_at=None,
        name=made.name,
        model_pattern=made.model_pattern,
        provider=made.provider,
        start_date=made.start_date,
    )
    if besides is not None:
        same = same.exclude(id=besides)
    if same.exists():
        raise SamePrice


def _entry(row: ModelPrice) -> dict[str, Any]:
    rates = rates_from_json(row.prices)
    return {
        "id": row.id,
        "tenant_id": row.workspace_id,
        "name": row.name or row.model_pattern,
        "start_time": f"{row.start_date}T00:00:00+00:00" if row.start_date else None,
        "match_path": MATCH_PATH,
        "match_pattern": row.model_pattern,
        "provider": row.provider or None,
        "prompt_cost": _per_token(rates.get("input")),
        "prompt_cost_details": _details(rates, "input."),
        "completion_cost": _per_token(rates.get("output")),
        "completion_cost_details": _details(rates, "output."),
    }


def _details(rates: dict[str, Rate], prefix: str) -> dict[str, str] | None:
    details = {
        unit.removeprefix(prefix): _per_token(rate)
        for unit, rate in rates.items()
        if unit.startswith(prefix)
    }
    return details or None


def _per_token(rate: Rate | None) -> str:
    return format((rate.base if rate is not None else Decimal(0)).scaleb(-6), "f")
