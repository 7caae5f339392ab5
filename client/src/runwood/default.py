"""The handler that the environment describes: one per process, for what names none itself."""

from __future__ import annotations

import functools
import os
import sys

from runwood.config import is_on
from runwood.handler import RunwoodCallbackHandler
from runwood.log import warn


@functools.cache
def default_handler() -> RunwoodCallbackHandler | None:
    """Return the handler, or None where `RUNWOOD_TRACING=false` says so or a setting is wrong."""
    if os.environ.get("RUNWOOD_TRACING") and not is_on("RUNWOOD_TRACING"):
        return None
    try:
        return RunwoodCallbackHandler()
    except ValueError as error:  # a wrong setting must not keep the app from starting
        warn("default", "nothing is traced: %s", error)
        return None


def wanted_handler() -> RunwoodCallbackHandler | None:
    """Return the handler of the environment where anything says that the app is to be traced, else None.

    A library that uses `@runwood.trace` must not send anything from the apps that know nothing of it.
    """
    is_wanted = "runwood.auto" in sys.modules or any(map(os.environ.get, _SIGNS))
    return default_handler() if is_wanted else None


_SIGNS = ("RUNWOOD_TRACING", "RUNWOOD_ENDPOINT", "RUNWOOD_API_KEY")
