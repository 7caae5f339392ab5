"""How a run ended, read from the exception that reached its error callback.

Judged by the classes in the exception's MRO, never by its text, and without importing langgraph.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["success", "error", "interrupted", "cancelled", "incomplete"]

MAX_ERROR = 64_000  # characters of one error text: enough for any traceback that a human reads
MAX_FRAMES = 100  # a recursion error has a thousand


@dataclass(frozen=True)
class Outcome:
    """The end of a run. `status` is what children that never ended get too."""

    status: Status
    error: str | None = None
    event: str = "end"  # name of the closing entry in the run's events
    note: str | None = None  # its message
    details: dict[str, Any] = field(default_factory=dict)  # its kwargs
    outputs: Any = None  # what control flow of LangGraph carried instead of an output


SUCCESS = Outcome("success")
PAUSED = Outcome("interrupted", event="interrupt", note="a node of this graph waits for input")


def outcome_of(error: BaseException) -> Outcome:
    """Return how a run ended that got this error.

    Formats it at once: an exception kept alive keeps every frame and payload of its traceback.
    """
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    if "builtins.GeneratorExit" in names:
        return Outcome("cancelled", event="stop", note="the consumer stopped reading")
    if names & {
        "asyncio.CancelledError",
        "concurrent.CancelledError",
        "builtins.KeyboardInterrupt",
    }:
        return Outcome("cancelled", event="cancel", note=_line(error))
    if "langgraph.GraphBubbleUp" in names:
        return _control_flow(error, names)
    return Outcome("error", error=format_error(error), event="error")


def _control_flow(error: BaseException, names: set[str]) -> Outcome:
    carried = error.args[0] if error.args else None
    if "langgraph.ParentCommand" in names:  # a node that hands over to a node of an outer graph
        return Outcome("success", event="command", outputs={"output": carried})
    if "langgraph.GraphInterrupt" in names:
        return Outcome("interrupted", event="interrupt", outputs={"__interrupt__": carried})
    return Outcome("interrupted", event="interrupt", note=_line(error))


def format_error(error: BaseException) -> str:
    """Return the error in one line, then its traceback with causes, both bounded."""
    line = _line(error)
    try:
        report = traceback.TracebackException.from_exception(error, limit=-MAX_FRAMES, compact=True)
        text = "".join(report.format())
    except Exception:  # noqa: BLE001  a raising __str__ or __cause__ of the app
        return line
    text = f"{line}\n\n{text}".rstrip()
    if len(text) > MAX_ERROR:
        half = MAX_ERROR // 2
        text = f"{text[:half]}\n… [cut: {len(text) - MAX_ERROR:,} characters]\n{text[-half:]}"
    return text


def describe_retry(state: Any) -> dict[str, Any]:
    """Return what LangSmith's tracer tells of a tenacity retry, without the result itself."""
    details: dict[str, Any] = {"slept": state.idle_for, "attempt": state.attempt_number}
    outcome = state.outcome
    if outcome is None:
        details["outcome"] = "N/A"
    elif outcome.failed:
        error = outcome.exception()
        details |= {"outcome": "failed", "exception": _line(error)}
        details["exception_type"] = type(error).__name__
    else:
        details["outcome"] = "success"
    return details


def _line(error: BaseException) -> str:
    try:
        return repr(error)[:4000]
    except Exception:  # noqa: BLE001  the app's own repr
        return f"{type(error).__name__}(…)"
