"""`import runwood.auto`: every LangChain run of the process is recorded, and the app says nothing more.

LangChain asks its configure hooks for handlers at every run. Ours gives one handler, made of the
environment, as the default of a context variable: in every thread and task, chain groups included. A
handler of this class that the app passes itself takes its place there, so nothing is recorded twice.

`RUNWOOD_TRACING=true` with `import runwood` does the same; `RUNWOOD_TRACING=false` switches both off.
"""

from __future__ import annotations

from contextvars import ContextVar

from langchain_core.tracers.context import register_configure_hook

from runwood.default import default_handler
from runwood.handler import RunwoodCallbackHandler

handler = default_handler()  # the one of this process, to flush or close; None: tracing is off

if handler is not None:
    _variable: ContextVar[RunwoodCallbackHandler | None] = ContextVar(
        "runwood_auto", default=handler
    )
    register_configure_hook(_variable, inheritable=True, handle_class=RunwoodCallbackHandler)
