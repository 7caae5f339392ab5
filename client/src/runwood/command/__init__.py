"""The `runwood` command."""

from __future__ import annotations
