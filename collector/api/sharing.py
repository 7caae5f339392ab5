"""Sharing a run: PUT, GET and DELETE of `/runs/{id}/share` (LangSmith protocol 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.access import project_ids_for_key
from collector.api.parsing import AnyJSONParser, parse_uuid
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.api.share_shapes import Share
from collector.auth import key_auth
from collector.models import SharedRun
from collector.sharing import NoSuchRun, TokenTaken, find_share, share_run, unshare_run


class ShareTokenTaken(APIException):
    """The token that a client chose opens another run."""

    status_code = 409
    default_detail = "This share token opens another run already."
    default_code = "token_taken"


class ShareView(APIView):
    """Shares a run, and ends that."""

    parser_classes = [AnyJSONParser]
    required_scope = "ingest"
    content_negotiation_class = AlwaysJSON

    @extend_schema(operation_id="share_run", tags=["sharing"], request=Share, responses=Share)
    def put(self, request: Request, run_id: UUID) -> HttpResponse:
        """Let whoever has the token read the run and all below it. A shared run keeps its first token."""
        body = cast("Mapping[str, Any]", request.data)
        token = parse_uuid("share_token", body.get("share_token"))
        try:
            shared = share_run(project_ids_for_key(key_auth(request)), run_id, token)
        except NoSuchRun as error:
            raise NotFound(f"There is no run {run_id}, or it is not stored yet.") from error
        except TokenTaken as error:
            raise ShareTokenTaken from error
        return json_response(serialize_share(shared))

    @extend_schema(operation_id="unshare_run", tags=["sharing"], responses={200: None})
    def delete(self, request: Request, run_id: UUID) -> HttpResponse:
        """End the share at once."""
        unshare_run(project_ids_for_key(key_auth(request)), run_id)
        return json_response(None)


class ReadShareView(APIView):
    """Tells whether a run is shared."""

    required_scope = "read"
    content_negotiation_class = AlwaysJSON

    @extend_schema(operation_id="read_share", tags=["sharing"], responses=Share)
    def get(self, request: Request, run_id: UUID) -> HttpResponse:
        """Return the share, or null."""
        shared = find_share(project_ids_for_key(key_auth(request)), run_id)
        return json_response(None if shared is None else serialize_share(shared))


def serialize_share(shared: SharedRun) -> dict[str, Any]:
    return {"run_id": shared.run_id, "share_token": shared.token}


change_share = ShareView.as_view()
