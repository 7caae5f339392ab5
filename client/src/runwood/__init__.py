"""Runwood's LangChain callback handler: `from runwood import RunwoodCallbackHandler`."""

from __future__ import annotations

from runwood.config import is_on
from runwood.decorator import trace
from runwood.distributed import continue_trace, headers
from runwood.file_handler import RunwoodFileHandler
from runwood.handler import RunwoodCallbackHandler
from runwood.hooks import FinishedRun
from runwood.scope import tracing
from runwood.version import __version__

__all__ = [
    "FinishedRun",
    "RunwoodCallbackHandler",
    "RunwoodFileHandler",
    "__version__",
    "continue_trace",
    "headers",
    "trace",
    "tracing",
]

if is_on("RUNWOOD_TRACING"):
    import runwood.auto  # noqa: F401  it switches itself on
