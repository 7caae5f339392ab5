"""Files of runs: the addresses that a Run object carries, and what answers at them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.api.rendering import AlwaysJSON
from collector.attachments import MAX_AGE_SECONDS, attachment_path, open_signature
from collector.models import Project
from collector.reads.attachments import attachments_of_runs, read_attachment
from collector.reads.types import RunSummary
from collector.sharing import find_shared

# Shown by the browser itself, without a script of theirs. Not SVG, which may hold one.
SHOWN_TYPES = frozenset(
    {
        *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"),
        *("audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/x-wav", "audio/webm", "audio/flac"),
        *("video/mp4", "video/webm", "video/ogg", "application/pdf"),
    }
)  # fmt: skip
NO_SUCH_FILE = "There is no such attachment, or its address has expired."


def attachment_urls(
    runs: Sequence[RunSummary], share_token: UUID | None = None
) -> dict[tuple[UUID, UUID], dict[str, dict[str, str]]]:
    """Return the Run object's `s3_urls` by (project id, run id); runs without files are absent.

    The addresses are paths, which the SDKs join to the address at which they reach the API: no other
    is sure to lead here from where they are.
    """
    files = attachments_of_runs(runs)
    return {
        key: {
            f"attachment.{file.name}": {
                "presigned_url": attachment_path(run, file.name, share_token),
                "mime_type": file.mime_type,
            }
            for file in files[key]
        }
        for run in runs
        if (key := (run.project_id, run.id)) in files
    }


class AttachmentView(APIView):
    """One file, for whoever has its signed address."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = AlwaysJSON

    @extend_schema(
        operation_id="read_attachment",
        tags=["runs"],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, signed: str) -> HttpResponse:
        """Send the file as it was received, as a download unless a browser can show it safely."""
        place = open_signature(signed)
        if place is None or not _is_open(place.project_id, place.run_id, place.share_token):
            raise NotFound(NO_SUCH_FILE)
        found = read_attachment([place.project_id], place.run_id, place.day, place.name)
        if found is None:
            raise NotFound(NO_SUCH_FILE)
        mime_type, data = found
        return HttpResponse(data, headers=_headers(place.name, mime_type))


def _is_open(project_id: UUID, run_id: UUID, share_token: UUID | None) -> bool:
    """Return whether the project still exists, and the share by which the address was given out."""
    if share_token is None:
        return Project.objects.filter(id=project_id).exists()
    shared = find_shared(share_token)
    return shared is not None and shared.project_id == project_id


def _headers(name: str, mime_type: str) -> dict[str, str]:
    media_type = mime_type.partition(";")[0].strip().lower()
    is_shown = media_type in SHOWN_TYPES
    return {
        "Content-Type": media_type if is_shown else "application/octet-stream",
        "Content-Disposition": content_disposition_header(not is_shown, name) or "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
        "Cache-Control": f"private, max-age={MAX_AGE_SECONDS}",
    }
