"""`import runwood.auto`: every LangChain run of the process is recorded, and the app says nothing more.

LangChain asks its configure hooks for handlers at every run. Ours gives one handler, made of the
environment, as the default of a context variable: in every thread and task, chain groups included. A
handler of this class that the app passes itself takes its place there, so nothing is recorded twice.

`RUNWOOD_TRACING=true` with `import runwood` does the same; `RUNWOOD_TRACING=false` switches both off.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

from langchain_core.tracers.context import register_configure_hook

from runwood.config import is_on
from runwood.handler import RunwoodCallbackHandler
from runwood.log import warn

handler: RunwoodCallbackHandler | None = None  # the one of this process, to flush or close


def _install() -> RunwoodCallbackHandler | None:
    if os.environ.get("RUNWOOD_TRACING") and not is_on("RUNWOOD_TRACING"):
        return None
    try:
        made = RunwoodCallbackHandler()
    except ValueError as error:  # a wrong setting must not keep the app from starting
        warn("auto", "nothing is traced: %s", error)
        return None
    variable: ContextVar[RunwoodCallbackHandler | None] = ContextVar("runwood_auto", default=made)
    register_configure_hook(variable, inheritable=True, handle_class=RunwoodCallbackHandler)
    return made


handler = _install()
