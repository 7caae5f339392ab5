"""Lists of projects, in the parameters of LangSmith's `GET /sessions`, and statistics on them (protocol 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from collector.access import projects_for_key
from collector.api.feedback_fields import feedback_stats
from collector.api.pagination import parse_limit, parse_offset
from collector.api.parsing import parse_bool, parse_object, parse_time, parse_uuids
from collector.api.serializers import serialize_project, serialize_statistics, wire_time
from collector.auth import key_auth
from collector.models import Project
from collector.projects import DEFAULT_PROJECT, get_or_create_project_id
from collector.reads.errors import ReadTimeout
from collector.reads.feedback import summarize_project_feedback
from collector.reads.projects import find_last_run_times
from collector.reads.statistics import RunStatistics, project_statistics
from collector.reads.types import TimeRange

STATISTICS_DAYS = 7  # of a project that is no experiment, unless the client says since when
AHEAD = timedelta(days=1)  # clocks of clients
MAX_MEASURED = 200  # projects that can be sorted by what their runs say

# What a list can be sorted by: a column, or a figure of the newest runs.
COLUMNS = {"name": "name", "start_time": "created_at"}
FIGURES: dict[str, Callable[[RunStatistics], float | None]] = {
    "latency_p50": lambda figures: figures.latency.p50,
    "latency_p99": lambda figures: figures.latency.p99,
    "error_rate": lambda figures: figures.error_rate,
}
SORTABLE = (*COLUMNS, "last_run_start_time", *FIGURES)

WITH_STATISTICS = [
    OpenApiParameter("include_stats", bool, description="Add figures, of the last 7 days"),
    OpenApiParameter("stats_start_time", datetime, description="Since when, in their place"),
]


def list_sessions(request: Request) -> list[Project]:
    """Return the page of projects that the query's parameters ask for.

    Raises:
        ParseError: a parameter is not what it must be, or asks for too much.
    """
    params = request.query_params
    if params.get("filter"):
        raise ParseError(
            "filter: projects are found by name, name_contains, id, metadata and reference_dataset.",
            "unsupported_filter",
        )
    sort_by = params.get("sort_by") or "start_time"
    offset, limit = parse_offset(params.get("offset")), parse_limit(params.get("limit"))
    is_descending = parse_bool("sort_by_desc", params.get("sort_by_desc")) is not False
    projects = _matching(request)
    column = COLUMNS.get(sort_by, "created_at")
    projects = projects.order_by(f"-{column}" if is_descending else column, "id")
    if sort_by == "last_run_start_time" or sort_by in FIGURES:
        by_figure = _by_figure(list(projects), sort_by, is_descending=is_descending)
        return by_figure[offset : offset + limit]
    return list(projects[offset : offset + limit])


def serialize_sessions(request: Request, projects: Sequence[Project]) -> list[dict[str, Any]]:
    """Return the TracerSession objects, with statistics where the query asks for them."""
    params = request.query_params
    projects = list(projects)
    if not projects or not parse_bool("include_stats", params.get("include_stats")):
        return [serialize_project(project) for project in projects]
    since = parse_time("stats_start_time", params.get("stats_start_time"))
    figures = _figures(projects, since)
    ids = [project.id for project in projects]
    judgements = summarize_project_feedback(ids, is_of_run=False)
    last_times = find_last_run_times(ids)
    nothing = dict.fromkeys(serialize_statistics(RunStatistics()))  # it would have taken too long
    return [
        {
            **serialize_project(project),
            **(serialize_statistics(figures[project.id]) if figures else nothing),
            "session_feedback_stats": feedback_stats(judgements.get(project.id, {})),
            "last_run_start_time": wire_time(last_times.get(project.id)),
        }
        for project in projects
    ]


def _matching(request: Request) -> QuerySet[Project]:
    params = request.query_params
    projects = projects_for_key(key_auth(request))
    wanted = _narrowing(params)
    narrowed = projects.filter(*wanted)
    # The SDKs learn the workspace's id from the first project that they get.
    if (not wanted or params.get("name") == DEFAULT_PROJECT) and not narrowed.exists():
        get_or_create_project_id(key_auth(request).workspace_id, DEFAULT_PROJECT)
    return narrowed


def _narrowing(params: Any) -> list[Q]:
    wanted: list[Q] = []
    ids = parse_uuids("id", params.getlist("id") or None)
    if ids is not None:
        wanted.append(Q(id__in=ids))
    datasets = parse_uuids("reference_dataset", params.getlist("reference_dataset") or None)
    if datasets is not None:
        wanted.append(Q(reference_dataset_id__in=datasets))
    for name, lookup in (("name", "name"), ("name_contains", "name__icontains")):
        value = params.get(name)
        if value:
            wanted.append(Q(pk__in=[]) if "\0" in value else Q(**{lookup: value}))
    is_free = parse_bool("reference_free", params.get("reference_free"))
    if is_free is not None:
        wanted.append(Q(reference_dataset_id__isnull=is_free))
    if params.get("metadata"):
        wanted.append(Q(extra__contains={"metadata": _metadata(params["metadata"])}))
    return wanted


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"metadata: it is no JSON: {error}") from error
    return parse_object("metadata", value) or {}


def _by_figure(projects: list[Project], sort_by: str, *, is_descending: bool) -> list[Project]:
    """Sort by what the newest runs say; projects of which that is unknown come last."""
    values: Mapping[UUID, Any]
    if sort_by == "last_run_start_time":
        values = find_last_run_times([project.id for project in projects])
    else:
        if len(projects) > MAX_MEASURED:
            raise ParseError(f"sort_by: of {len(projects):,} projects {sort_by} takes too long.")
        figures = _figures(projects, None)
        values = {id_: FIGURES[sort_by](measured) for id_, measured in figures.items()}
    known = [project for project in projects if values.get(project.id) is not None]
    unknown = [project for project in projects if values.get(project.id) is None]
    return sorted(known, key=lambda item: values[item.id], reverse=is_descending) + unknown


def _figures(projects: Sequence[Project], since: datetime | None) -> dict[UUID, RunStatistics]:
    """Return the statistics: of an experiment all, of others those of the last days. Nothing where it takes too long."""
    now = datetime.now(UTC)
    begin = since or now - timedelta(days=STATISTICS_DAYS)
    experiments = [project.id for project in projects if project.reference_dataset_id and not since]
    others = [project.id for project in projects if project.id not in set(experiments)]
    started = min((project.created_at for project in projects), default=now)
    try:
        return project_statistics(
            experiments, TimeRange(min(started - AHEAD, begin), now + AHEAD)
        ) | project_statistics(others, TimeRange(begin, now + AHEAD))
    except ReadTimeout:
        return {}
