"""Reading projects, which the wire calls sessions (LangSmith protocol 5.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.access import projects_for_key
from collector.api import shapes
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import parse_bool, parse_time, parse_uuids
from collector.api.responses import json_response
from collector.api.serializers import serialize_project
from collector.auth import key_auth
from collector.models import Project
from collector.reads.projects import list_projects
from collector.reads.types import ProjectSummary, TimeRange

STATISTICS_DAYS = 7  # unless the client says since when

INCLUDE_STATS = OpenApiParameter(
    "include_stats", bool, description="Add figures of the last 7 days"
)


class SessionListView(APIView):
    """The projects of the key's workspace, newest first."""

    required_scope = "read"

    @extend_schema(
        operation_id="list_sessions",
        tags=["sessions"],
        responses=shapes.Session(many=True),
        parameters=[
            OpenApiParameter("name", str),
            OpenApiParameter("name_contains", str),
            OpenApiParameter("id", str, many=True),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
            INCLUDE_STATS,
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        offset = parse_offset(request.query_params.get("offset"))
        limit = parse_limit(request.query_params.get("limit"))
        projects = list(_matching(request)[offset : offset + limit])
        figures = _figures(request, projects)
        return json_response(
            [serialize_project(project, figures.get(project.id)) for project in projects]
        )


class SessionView(APIView):
    """One project."""

    required_scope = "read"

    @extend_schema(
        operation_id="read_session",
        tags=["sessions"],
        responses=shapes.Session,
        parameters=[INCLUDE_STATS],
    )
    def get(self, request: Request, session_id: UUID) -> HttpResponse:
        project = projects_for_key(key_auth(request)).filter(id=session_id).first()
        if project is None:
            raise NotFound(f"There is no project {session_id}.")
        figures = _figures(request, [project])
        return json_response(serialize_project(project, figures.get(project.id)))


def _matching(request: Request) -> QuerySet[Project]:
    params = request.query_params
    projects = projects_for_key(key_auth(request)).order_by("-created_at", "id")
    ids = parse_uuids("id", params.getlist("id") or None)
    if ids is not None:
        projects = projects.filter(id__in=ids)
    for name, lookup in (("name", "name"), ("name_contains", "name__icontains")):
        value = params.get(name)
        if value:
            projects = projects.none() if "\0" in value else projects.filter(**{lookup: value})
    if params.get("reference_dataset"):
        return projects.none()  # no project is an experiment yet
    return projects


def _figures(request: Request, projects: list[Project]) -> dict[UUID, ProjectSummary]:
    if not projects or not parse_bool("include_stats", request.query_params.get("include_stats")):
        return {}
    now = datetime.now(UTC)
    since = parse_time("stats_start_time", request.query_params.get("stats_start_time"))
    time_range = TimeRange(since or now - timedelta(days=STATISTICS_DAYS), now)
    found = list_projects([project.id for project in projects], time_range)
    return {summary.id: summary for summary in found}
