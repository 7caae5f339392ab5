"""GET /info: what a client has to know before it sends. Public: clients ask without their key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collector.api.ingest import limits
from collector.api.rendering import AlwaysJSON

# The version of LangSmith's API that this speaks: clients compare it (protocol facts 2.2). At least 0.8.10
# makes them send feedback in batches, below 0.18.0 they warn of what v2 has.
API_VERSION = "0.18.0"
# Of uncompressed bytes, far below the cap: clients look after they have added a run to a batch.
ADVISED_BATCH_BYTES = 8 << 20


def _info() -> dict[str, Any]:
    return {
        "version": API_VERSION,
        "git_sha": None,
        "license_expiration_time": None,
        # All six keys or none: a partial object kills the Python SDK's sender thread.
        "batch_ingest_config": {
            "use_multipart_endpoint": True,
            "size_limit": 100,
            "size_limit_bytes": ADVISED_BATCH_BYTES,
            "scale_up_qsize_trigger": 1000,
            "scale_up_nthreads_limit": 16,
            "scale_down_nempty_trigger": 4,
        },
        "instance_flags": {
            "zstd_compression_enabled": True,
            "gzip_body_enabled": True,
            "dataset_examples_multipart_enabled": True,
            "examples_multipart_enabled": True,
            "ch_query_enabled": True,
            "sdb_query_enabled": False,
        },
        "runwood": {"version": settings.SPECTACULAR_SETTINGS["VERSION"], **_limits()},
    }


def _limits() -> dict[str, int]:
    """Return the limits that a client may want to keep to, as they are set."""
    caps = limits()
    return {
        "max_body_bytes": caps.max_body_bytes,
        "max_decoded_bytes": caps.max_decoded_bytes,
        "max_run_bytes": caps.max_run_bytes,
        "max_runs_per_request": caps.max_runs,
        "max_string_bytes": caps.max_string_bytes,
        "max_attachment_bytes": caps.max_attachment_bytes,
        "max_attachments_per_run": caps.max_attachments,
        "max_events_per_run": caps.max_events,
        "max_json_depth": caps.max_depth,
    }


class InfoView(APIView):
    """GET /info."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = AlwaysJSON

    @extend_schema(responses=OpenApiTypes.OBJECT, auth=[])
    def get(self, request: Request) -> Response:
        """Return the version, the batch sizes to use and the limits."""
        return Response(_info())


info = InfoView.as_view()
