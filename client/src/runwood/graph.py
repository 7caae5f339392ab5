"""LangGraph's own lifecycle events, which it gives only to handlers that subclass a class of its.

A graph that is told to stop before or after a node (`interrupt_before`, `interrupt_after`) fires no
error, and ends like any other: these events alone tell that it waits. LangGraph reads the handlers in
`config["callbacks"]` for them, so a handler that a configure hook adds gets none for a root graph.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runwood.handler import RunwoodCallbackHandler


def with_graph_events(kind: type[RunwoodCallbackHandler]) -> type[RunwoodCallbackHandler]:
    """Return the class as one of LangGraph's handlers too, where this process has imported LangGraph.

    Not imported for this: an app without graphs should not pay for them.
    """
    if "langgraph" not in sys.modules:
        return kind
    return _joined(kind)


@functools.cache
def _joined(kind: type[RunwoodCallbackHandler]) -> type[RunwoodCallbackHandler]:
    try:
        from langgraph.callbacks import GraphCallbackHandler
    except ImportError:  # an older LangGraph, which has no such events
        return kind
    if issubclass(kind, GraphCallbackHandler):
        return kind
    names: dict[str, Any] = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, GraphCallbackHandler), names)
