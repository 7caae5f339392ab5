"""API keys: making them, and what a request that bears one may do. The only module that looks at keys.

A key is `rw_` and 32 random bytes. Only its SHA-256 is stored: nobody guesses 256 random bits, so a slow
hash would protect nothing and cost every request. A presented key is looked up by that digest.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from collector.models import ApiKey, Workspace

if TYPE_CHECKING:
    # At run time rest_framework.views imports this module, by settings.REST_FRAMEWORK.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

KEY_MARK = "rw_"
KEY_BYTES = 32
PREFIX_CHARACTERS = 8  # of the random part, kept to tell keys apart in a list
KEY_SHAPE = re.compile(rf"{KEY_MARK}[A-Za-z0-9_-]{{43}}")

CACHE_SECONDS = 30  # a revoked key is refused after this at the latest, in every process
MAX_CACHED_KEYS = 10_000
MAX_CACHED_MISSES = 1_000
LAST_USED_AGE = timedelta(minutes=1)  # last_used_at is no finer: a write costs a commit


@dataclass(frozen=True, slots=True)
class ApiKeyAuth:
    """What `request.auth` is: the key's rights, without the key."""

    key_id: UUID
    workspace_id: UUID
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or ApiKey.Scope.ADMIN in self.scopes


def create_api_key(workspace: Workspace, name: str, scopes: Collection[str]) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which cannot be had again."""
    text = KEY_MARK + secrets.token_urlsafe(KEY_BYTES)
    key = ApiKey.objects.create(
        workspace=workspace,
        name=name,
        prefix=text[len(KEY_MARK) :][:PREFIX_CHARACTERS],
        digest=_digest(text),
        scopes=sorted(set(scopes)),
    )
    return key, text


def find_api_key(text: str) -> ApiKeyAuth | None:
    """Return the rights of a key, or None where the text is no key, is unknown or was revoked.

    Costs no query for text that cannot be a key, and one every CACHE_SECONDS for text that can.

    Raises:
        django.db.DatabaseError: the keys cannot be read. That is no verdict on the key.
    """
    if len(text) != len(KEY_MARK) + 43 or not KEY_SHAPE.fullmatch(text):
        return None
    digest = _digest(text)
    now = time.monotonic()
    known, auth = _cache.get(digest, now)
    if not known:
        auth = _look_up(digest)
        _cache.put(digest, auth, now)
    return auth


def forget_api_keys() -> None:
    """Empty this process's cache, so that a change to a key counts at once."""
    _cache.clear()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _look_up(digest: bytes) -> ApiKeyAuth | None:
    key = ApiKey.objects.filter(digest=digest, revoked_at=None).first()
    if key is None or not hmac.compare_digest(bytes(key.digest), digest):
        return None
    _note_use(key)
    return ApiKeyAuth(key.id, key.workspace_id, frozenset(key.scopes))


def _note_use(key: ApiKey) -> None:
    """Write last_used_at where it is old. A key is good whether or not this succeeds."""
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < LAST_USED_AGE:
        return
    try:
        ApiKey.objects.filter(pk=key.pk, last_used_at=key.last_used_at).update(last_used_at=now)
    except DatabaseError as error:
        logger.warning("last use of API key %s was not written: %s", key.prefix, error)


class _KeyCache:
    """Look-ups of the last CACHE_SECONDS. Misses lie apart, so that guesses cannot push keys out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[bytes, tuple[float, ApiKeyAuth | None]] = {}
        self._missed: dict[bytes, tuple[float, ApiKeyAuth | None]] = {}

    def get(self, digest: bytes, now: float) -> tuple[bool, ApiKeyAuth | None]:
        """Return whether the answer is known, and the answer."""
        expires_at, auth = self._found.get(digest) or self._missed.get(digest) or (0.0, None)
        return expires_at > now, auth

    def put(self, digest: bytes, auth: ApiKeyAuth | None, now: float) -> None:
        with self._lock:
            self._found.pop(digest, None)
            self._missed.pop(digest, None)
            entries = self._missed if auth is None else self._found
            if len(entries) >= (MAX_CACHED_MISSES if auth is None else MAX_CACHED_KEYS):
                entries.clear()
            entries[digest] = (now + CACHE_SECONDS, auth)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._missed.clear()


_cache = _KeyCache()


class ApiKeyAuthentication(BaseAuthentication):
    """`X-API-Key: <key>`, or `Authorization: Bearer <key>`. There is no user behind a key."""

    def authenticate(self, request: Request) -> tuple[None, ApiKeyAuth] | None:
        text = _presented_key(request)
        if not text:
            return None
        auth = find_api_key(text)
        if auth is None:
            raise AuthenticationFailed(
                "The API key is unknown or was revoked.", code="invalid_api_key"
            )
        return None, auth

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="runwood"'


def key_auth(request: Request) -> ApiKeyAuth:
    """Return `request.auth` of a view that needs a key."""
    assert isinstance(request.auth, ApiKeyAuth)
    return request.auth


def _presented_key(request: Request) -> str:
    headers: dict[str, Any] = request.META
    key = str(headers.get("HTTP_X_API_KEY", "")).strip()
    if key:
        return key
    scheme, _, token = str(headers.get("HTTP_AUTHORIZATION", "")).strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class HasScope(BasePermission):
    """Needs a key with the view's `required_scope`; None: any key. A view that names none needs admin."""

    message = "The API key lacks the scope that this needs."

    def has_permission(self, request: Request, view: APIView) -> bool:
        auth = request.auth
        if not isinstance(auth, ApiKeyAuth):
            return False
        scope: str | None = getattr(view, "required_scope", ApiKey.Scope.ADMIN)
        if scope is None or auth.allows(scope):
            return True
        self.message = f"This needs an API key with the scope {scope!r}."
        return False
