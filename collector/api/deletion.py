"""Deleting runs and traces. Deleting a project is DELETE `/sessions/{id}`: see sessions.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from collector import deletion
from collector.access import project_ids_for_key
from collector.api.parsing import AnyJSONParser, parse_uuid, parse_uuids
from collector.api.rendering import AlwaysJSON
from collector.api.responses import json_response
from collector.api.share_shapes import Deletion, DeletionAnswer
from collector.auth import key_auth

# Few runs are gone when the answer comes; of many, the worker deletes the rest.
SECONDS = 1.0


class DeleteRunsView(APIView):
    """Deletes runs with all below them, or whole traces, and frees what they took."""

    parser_classes = [AnyJSONParser]
    required_scope = "admin"
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="delete_runs", tags=["runs"], request=Deletion, responses={202: DeletionAnswer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Delete `ids` (runs, each with all below it) and `trace_ids`. It cannot be undone.

        202 says that it is durable; most often it is done by then. What arrives within the next hour for what was
        deleted is dropped.
        """
        body = cast("Mapping[str, Any]", request.data)
        run_ids = parse_uuids("ids", body.get("ids") or body.get("run_ids")) or ()
        trace_ids = parse_uuids("trace_ids", body.get("trace_ids")) or ()
        if not run_ids and not trace_ids:
            raise ParseError("ids or trace_ids: one is needed.")
        session_id = parse_uuid("session_id", body.get("session_id"))
        auth = key_auth(request)
        project_ids = project_ids_for_key(auth, None if session_id is None else [session_id])
        found = set()
        if run_ids:
            found |= deletion.delete_runs(auth.workspace_id, project_ids, run_ids)
        if trace_ids:
            found |= deletion.delete_traces(auth.workspace_id, project_ids, trace_ids)
        deletion.carry_out_due(SECONDS)
        missing = [id_ for id_ in (*run_ids, *trace_ids) if id_ not in found]
        return json_response(
            {"message": "The runs are deleted, or will be within moments.", "not_found": missing},
            status=202,
        )
