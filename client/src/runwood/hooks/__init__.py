"""The app's own functions of finished runs: `RunwoodCallbackHandler(on_run_end=…)`."""

from __future__ import annotations

from runwood.hooks.finished import FinishedRun

__all__ = ["FinishedRun"]
