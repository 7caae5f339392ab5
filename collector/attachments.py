"""The addresses of attachments: signed, and good for an hour. Whoever has one needs no key.

The SDKs fetch attachments without their key, and so does a browser that shows one in a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.core import signing

from collector.reads.types import RunSummary

MAX_AGE_SECONDS = 3600
MAX_CHARACTERS = 5_000  # of an address; a name has 255 at most, each up to 16 characters of it
_SALT = "runwood.attachment"


@dataclass(frozen=True, slots=True)
class AttachmentPlace:
    """What an address stands for. With a `share_token` it is good for as long as that is."""

    project_id: UUID
    run_id: UUID
    day: date
    name: str
    share_token: UUID | None = None


def attachment_path(run: RunSummary, name: str, share_token: UUID | None = None) -> str:
    """Return the path of an attachment, below any of the API's prefixes."""
    share = share_token.hex if share_token is not None else ""
    signed = signing.dumps(
        [run.project_id.hex, run.id.hex, run.day.isoformat(), name, share], salt=_SALT
    )
    return f"/attachments/{signed}"


def open_signature(signed: str) -> AttachmentPlace | None:
    """Return what an address stands for, or None where it is too old or was not made here."""
    if len(signed) > MAX_CHARACTERS:
        return None
    try:
        project, run, day, name, share = signing.loads(signed, salt=_SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:  # SignatureExpired among them
        return None
    return AttachmentPlace(
        UUID(project),
        UUID(run),
        date.fromisoformat(day),
        name,
        UUID(share) if share else None,
    )
