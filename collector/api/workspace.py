"""What clients ask about the workspace of their key, and what Runwood has nothing of yet."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector.api import shapes
from collector.api.rendering import AlwaysJSON
from collector.api.serializers import wire_time
from collector.auth import key_auth
from collector.models import Workspace


class NotSupportedYet(NotFound):
    """A part of LangSmith that Runwood has not."""

    default_detail = "Datasets and experiments are not part of Runwood yet."
    default_code = "not_supported_yet"


class WorkspaceView(APIView):
    """What depends on the workspace of the key alone."""

    required_scope = None
    content_negotiation_class = AlwaysJSON

    def workspace(self, request: Request) -> Workspace:
        return Workspace.objects.get(id=key_auth(request).workspace_id)


class SettingsView(WorkspaceView):
    """The workspace, as the SDKs want to know it for links."""

    @extend_schema(operation_id="settings", tags=["workspace"], responses=shapes.Settings)
    def get(self, request: Request) -> Response:
        workspace = self.workspace(request)
        return Response(
            {
                "id": workspace.id,
                "display_name": workspace.name,
                "created_at": wire_time(workspace.created_at),
                "tenant_handle": None,
            }
        )


class WorkspaceListView(WorkspaceView):
    """The one workspace that a key opens."""

    @extend_schema(
        operation_id="list_workspaces", tags=["workspace"], responses=shapes.Tenant(many=True)
    )
    def get(self, request: Request) -> Response:
        workspace = self.workspace(request)
        return Response(
            [
                {
                    "id": workspace.id,
                    "display_name": workspace.name,
                    "tenant_handle": None,
                    "created_at": wire_time(workspace.created_at),
                    "is_personal": False,
                    "is_deleted": False,
                    "organization_id": workspace.id,
                }
            ]
        )


class OrganizationView(WorkspaceView):
    """An organization is not told from its workspace here."""

    @extend_schema(operation_id="organization", tags=["workspace"], responses=shapes.Organization)
    def get(self, request: Request) -> Response:
        workspace = self.workspace(request)
        return Response(
            {
                "id": workspace.id,
                "display_name": workspace.name,
                "created_at": wire_time(workspace.created_at),
                "is_personal": False,
                "disabled": False,
            }
        )


class AnnotationQueueListView(WorkspaceView):
    """There are no annotation queues yet: an empty list."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response([])


@extend_schema(exclude=True)
class NotSupportedYetView(APIView):
    """Answers whoever has a key that what lies here is to come."""

    required_scope = None
    content_negotiation_class = AlwaysJSON

    def http_method_not_allowed(
        self, request: HttpRequest | Request, *args: Any, **kwargs: Any
    ) -> Response:
        raise NotSupportedYet
