"""The API keys of a workspace, for the people who manage them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from collector.auth import forget_api_keys
from collector.models import ApiKey, Workspace


@dataclass(frozen=True, slots=True)
class ApiKeySummary:
    """A key as it may be shown: never its text, which nobody has any more."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None


def list_api_keys(workspace: Workspace) -> tuple[ApiKeySummary, ...]:
    """Return the keys that still work, newest first."""
    keys = ApiKey.objects.filter(workspace=workspace, revoked_at=None).order_by("-created_at", "id")
    return tuple(
        ApiKeySummary(
            key.id, key.name, key.prefix, tuple(key.scopes), key.created_at, key.last_used_at
        )
        for key in keys
    )


def revoke_api_key(workspace: Workspace, key_id: UUID) -> str | None:
    """Stop a key from working and return its name, or None where the workspace has no such live key.

    Other processes may accept it for as long as they cache it (`collector.auth.CACHE_SECONDS`).
    """
    key = ApiKey.objects.filter(workspace=workspace, id=key_id, revoked_at=None).first()
    if key is None:
        return None
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    forget_api_keys()
    return key.name
