"""GET /info: what a client has to know before it sends. Public: clients ask without their key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

# The version of LangSmith's API that this speaks: clients compare it (protocol facts 2.2). At least 0.8.10
# makes them send feedback in batches.
API_VERSION = "0.12.0"
ADVISED_BATCH_BYTES = (
    8 << 20
)  # uncompressed; far below the cap, since a batch may exceed it by one run


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
        "runwood": {
            "max_body_bytes": settings.INGEST_MAX_BODY_BYTES,
            "max_decoded_bytes": settings.INGEST_MAX_DECODED_BYTES,
            "max_run_bytes": settings.INGEST_MAX_RUN_BYTES,
            "max_runs_per_request": settings.INGEST_MAX_RUNS,
        },
    }


@extend_schema(responses=OpenApiTypes.OBJECT, auth=[])
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def info(request: Request) -> Response:
    """Return the version, the batch sizes to use and the limits."""
    return Response(_info())
