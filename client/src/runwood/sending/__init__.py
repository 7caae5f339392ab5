"""Operations on their way to the server: bounded, batched, retried."""

from __future__ import annotations
