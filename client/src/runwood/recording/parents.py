"""Finds the run that encloses the current code where the callbacks do not say it."""

from __future__ import annotations

import sys
from uuid import UUID

from langchain_core.runnables.config import var_child_runnable_config


def enclosing_run_id() -> UUID | None:
    """Return the run that LangChain's own context names.

    A list of callbacks in an inner `invoke`, and langchain-core's own `with_fallbacks`, start a run
    without a parent although there is one.
    """
    config = var_child_runnable_config.get()
    if not config:
        return None
    parent_id = getattr(config.get("callbacks"), "parent_run_id", None)
    return parent_id if isinstance(parent_id, UUID) else None


def langsmith_placement(parent_id: UUID) -> tuple[str, str] | None:
    """Return (trace_id, dotted_order) of a parent that is a langsmith `@traceable` run.

    Such a run never passes through callbacks; where langsmith sends to the same server, the two
    halves of the trace join.
    """
    run_helpers = sys.modules.get("langsmith.run_helpers")
    if run_helpers is None:
        return None
    tree = run_helpers.get_current_run_tree()
    if tree is None or tree.id != parent_id or not tree.dotted_order:
        return None
    return str(tree.trace_id), str(tree.dotted_order)
