"""Figures over runs that match a query: `POST /runs/stats` (LangSmith protocol 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.api import shapes
from collector.api.pagination import parse_limit
from collector.api.parsing import AnyJSONParser, parse_object, parse_text
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.api.runs import QueryTooBroad, RunQuery, parse_run_query
from collector.api.serializers import serialize_statistics
from collector.reads.errors import ReadTimeout
from collector.reads.statistics import GroupBy, grouped_statistics, run_statistics

ATTRIBUTES: tuple[GroupBy, ...] = ("name", "run_type", "tag", "metadata")
DEFAULT_GROUPS = 5


class RunStatsView(APIView):
    """Figures over all runs that match, or over each group of them."""

    parser_classes = [AnyJSONParser]
    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="run_statistics",
        tags=["runs"],
        request=shapes.RunStatsQuery,
        responses=shapes.RunStats,
    )
    def post(self, request: Request) -> HttpResponse:
        """Return RunStats, or with `group_by` an object of them by group, the largest first."""
        query = parse_run_query(request)
        group_by = parse_object("group_by", cast("Mapping[str, Any]", request.data).get("group_by"))
        try:
            if group_by:
                return json_response(_grouped(query, group_by))
            statistics = run_statistics(query.project_ids, query.filter)
        except ReadTimeout as error:
            raise QueryTooBroad from error
        return json_response(serialize_statistics(statistics))


def _grouped(query: RunQuery, group_by: Mapping[str, Any]) -> dict[str, Any]:
    attribute = parse_text("group_by.attribute", group_by.get("attribute"))
    path = parse_text("group_by.path", group_by.get("path")) or ""
    if attribute not in ATTRIBUTES:
        raise ParseError(f"group_by: attribute is one of {', '.join(ATTRIBUTES)}.")
    if attribute == "metadata" and not path:
        raise ParseError("group_by: path names the value in the metadata.")
    groups = grouped_statistics(
        query.project_ids,
        query.filter,
        attribute,
        path=path,
        max_groups=parse_limit(group_by.get("max_groups"), default=DEFAULT_GROUPS),
    )
    return {value: serialize_statistics(statistics) for value, statistics in groups.items()}
