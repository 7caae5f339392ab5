"""Projects, which the wire calls sessions (LangSmith protocol 5.3).

Whoever may send runs may also make and change projects: a run that names a new project makes it, and `evaluate()`
does both with one key. Deleting one takes its data with it, and needs a key with the scope `admin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector import deletion
from collector.access import projects_for_key
from collector.api import shapes
from collector.api.parsing import (
    AnyJSONParser,
    parse_bool,
    parse_object,
    parse_text,
    parse_time,
    parse_uuid,
)
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.api.serializers import serialize_project
from collector.api.session_query import (
    SORTABLE,
    WITH_STATISTICS,
    list_sessions,
    serialize_sessions,
)
from collector.auth import key_auth
from collector.models import Project
from collector.projects import (
    ProjectTaken,
    change_project,
    create_project,
)
from collector.wire.address import parse_address
from collector.wire.fields import storable

MAX_NAME_CHARACTERS = 512  # the column's width
EVALUATORS = "evaluators"  # where evaluators' own runs go


class NameTaken(APIException):
    """Another project has the name, or the id."""

    status_code = 409
    default_detail = "A project of this name, or of this id, exists already."
    default_code = "project_taken"


class SessionListView(APIView):
    """The projects of the key's workspace, newest first unless `sort_by` says otherwise."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="list_sessions",
        tags=["sessions"],
        responses=shapes.Session(many=True),
        parameters=[
            OpenApiParameter("name", str),
            OpenApiParameter("name_contains", str),
            OpenApiParameter("id", str, many=True),
            OpenApiParameter("metadata", str, description="JSON that the metadata contain"),
            OpenApiParameter("reference_free", bool, description="No experiments, or only those"),
            OpenApiParameter("reference_dataset", str, many=True),
            OpenApiParameter("sort_by", str, enum=SORTABLE),
            OpenApiParameter("sort_by_desc", bool),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
            *WITH_STATISTICS,
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return json_response(serialize_sessions(request, list_sessions(request)))


class SessionView(APIView):
    """One project."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="read_session",
        tags=["sessions"],
        responses=shapes.Session,
        parameters=WITH_STATISTICS,
    )
    def get(self, request: Request, session_id: UUID) -> HttpResponse:
        (serialized,) = serialize_sessions(request, [find_session(request, session_id)])
        return json_response(serialized)


class CreateSessionView(APIView):
    """Makes a project."""

    parser_classes = [AnyJSONParser]
    required_scope = "ingest"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="create_session",
        tags=["sessions"],
        request=shapes.SessionCreate,
        responses=shapes.Session,
        parameters=[
            OpenApiParameter("upsert", bool, description="Change the one of this name if there is")
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        body = cast("Mapping[str, Any]", request.data)
        workspace_id = key_auth(request).workspace_id
        name = _name(body)
        if name is None:
            raise ParseError("name: it is needed.")
        changes = _changes(body)
        given = changes | {
            "id": parse_uuid("id", body.get("id")),
            "created_at": parse_time("start_time", body.get("start_time")),
            "reference_dataset_id": parse_uuid(
                "reference_dataset_id", body.get("reference_dataset_id")
            ),
        }
        try:
            project = create_project(workspace_id, name, **given)
        except ProjectTaken as error:
            if not parse_bool("upsert", request.query_params.get("upsert")):
                raise NameTaken from error
            found = Project.objects.filter(workspace_id=workspace_id, name=name).first()
            if found is None:  # then it is the id that is taken
                raise NameTaken from error
            change_project(found, **changes)
            project = found
        return json_response(serialize_project(project))


class ChangeSessionView(APIView):
    """Changes a project."""

    parser_classes = [AnyJSONParser]
    required_scope = "ingest"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="update_session",
        tags=["sessions"],
        request=shapes.SessionUpdate,
        responses=shapes.Session,
    )
    def patch(self, request: Request, session_id: UUID) -> HttpResponse:
        """Change what is given; null leaves a field as it is. Keys of `extra` and of its objects are added."""
        body = cast("Mapping[str, Any]", request.data)
        project = find_session(request, session_id)
        try:
            change_project(project, name=_name(body), **_changes(body))
        except ProjectTaken as error:
            raise NameTaken from error
        return json_response(serialize_project(project))


class DeleteSessionView(APIView):
    """Deletes a project with all that is in it."""

    required_scope = "admin"
    content_negotiation_class = AlwaysJSON

    @extend_schema(operation_id="delete_session", tags=["sessions"], responses={202: None})
    def delete(self, request: Request, session_id: UUID) -> HttpResponse:
        """From now on nobody sees it, and its name is free; the worker frees what it took. It cannot be undone."""
        deletion.delete_project(find_session(request, session_id))
        return json_response(
            {"message": "The project is deleted; its data goes within moments."}, status=202
        )


class ResolveSessionView(APIView):
    """The project that an address names: of an agent in an environment, or of an experiment."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="resolve_session",
        tags=["sessions"],
        responses=shapes.ResolvedSession,
        parameters=[
            OpenApiParameter("kind", str, enum=["AGENT", "EXPERIMENT", "EVALUATOR"]),
            OpenApiParameter("id", str),
            OpenApiParameter("environment", str),
            OpenApiParameter("address", str, description="lrn:agents/ID/environments/ENVIRONMENT"),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        project = projects_for_key(key_auth(request)).filter(_addressed(request)).first()
        if project is None:
            raise NotFound("No project is named by this address, or nothing was sent to it yet.")
        return json_response({"session_id": project.id})


def find_session(request: Request, session_id: UUID) -> Project:
    """Return a project of the key's workspace.

    Raises:
        NotFound: there is none of this id.
    """
    project = projects_for_key(key_auth(request)).filter(id=session_id).first()
    if project is None:
        raise NotFound(f"There is no project {session_id}.")
    return project


def _addressed(request: Request) -> Q:
    """Return what names the project of an address.

    Raises:
        ParseError: it is no address.
    """
    params = request.query_params
    kind = (params.get("kind") or "AGENT").upper()
    id_, environment = params.get("id") or "", params.get("environment") or ""
    agent = parse_address(params.get("address") or "")
    if agent is not None:
        id_, environment = agent
    if kind == "EVALUATOR":
        return Q(name=EVALUATORS)
    if kind == "EXPERIMENT":
        return Q(id=parse_uuid("id", id_), reference_dataset_id__isnull=False)
    if kind != "AGENT" or not id_ or not environment or "\0" in id_ + environment:
        raise ParseError("kind, id and environment, or address: they name no project.")
    # as ingest names it; environments are matched whatever their case, ids are not
    return Q(name__startswith=f"{id_}/", name__iexact=f"{id_}/{environment}")


def _name(body: Mapping[str, Any]) -> str | None:
    name = parse_text("name", body.get("name"))
    if name is not None and len(name) > MAX_NAME_CHARACTERS:
        raise ParseError(f"name: longer than {MAX_NAME_CHARACTERS} characters.")
    return None if name is None else storable(name)


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    description = parse_text("description", body.get("description"))
    return {
        "description": None if description is None else storable(description),
        "extra": parse_object("extra", body.get("extra")),
        "end_time": parse_time("end_time", body.get("end_time")),
        "default_dataset_id": parse_uuid("default_dataset_id", body.get("default_dataset_id")),
    }
