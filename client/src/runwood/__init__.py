"""Runwood's LangChain callback handler: `from runwood import RunwoodCallbackHandler`."""

from __future__ import annotations

from runwood.handler import RunwoodCallbackHandler
from runwood.version import __version__

__all__ = ["RunwoodCallbackHandler", "__version__"]
