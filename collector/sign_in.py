"""One-time links that sign a user in: for first use, and for whoever has no password."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from collector.models import SignInLink, User

TOKEN_BYTES = 32
TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def make_sign_in_url(user: User) -> str:
    """Return a link that signs `user` in, once, within settings.SIGN_IN_LINK_SECONDS."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = timezone.now()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(
        digest=_digest(token),
        user=user,
        expires_at=now + timedelta(seconds=settings.SIGN_IN_LINK_SECONDS),
    )
    return f"{settings.PUBLIC_URL}/sign-in/{token}"


def consume_sign_in_token(token: str) -> User | None:
    """Return the user of a link and use it up, or None where it is unknown, used or too old.

    Of several calls at once with one token, one gets the user.
    """
    if not TOKEN_SHAPE.fullmatch(token):
        return None
    now = timezone.now()
    link = SignInLink.objects.filter(digest=_digest(token))
    if not link.filter(used_at=None, expires_at__gt=now).update(used_at=now):
        return None
    return User.objects.filter(sign_in_links__digest=_digest(token), is_active=True).first()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
