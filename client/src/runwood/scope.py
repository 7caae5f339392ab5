"""What holds for the traces that start in a part of the app: `with runwood.tracing(project="checkout"):`.

A scope is a context variable, so it reaches awaited code, tasks and LangChain's own threads, and no other
request. It is looked at when a run starts; the runs below take the project of the trace they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

THREAD_KEYS = ("thread_id", "session_id", "conversation_id")  # of metadata, as LangSmith has them


def thread_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what metadata says of the thread."""
    return {key: metadata[key] for key in THREAD_KEYS if metadata.get(key)}


def texts(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return the texts, of which one may stand alone."""
    return (given,) if isinstance(given, str) else tuple(given)


@dataclass(frozen=True)
class RemoteParent:
    """A run of another process, below which traces go on here."""

    run_id: UUID
    trace_id: str
    dotted_order: str


@dataclass(frozen=True)
class Scope:
    """The settings that hold for traces that start here, beside those of the handler."""

    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_enabled: bool = True
    parent: RemoteParent | None = None


_scope: ContextVar[Scope] = ContextVar("runwood_scope", default=Scope())  # noqa: B039  it is frozen


def current_scope() -> Scope:
    """Return the scope of the running code."""
    return _scope.get()


@contextmanager
def tracing(
    project: str | None = None,
    *,
    tags: str | Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
) -> Iterator[None]:
    """Set the project of the traces that start inside, add tags and metadata, or record nothing there.

    Tags and metadata are put on the traces that start inside; of a trace that began outside, on the topmost of its
    runs that start inside. A trace stays in its project.

    Scopes nest: what an inner one does not say is as outside. What starts inside a scope with
    `enabled=False` is not recorded, also where it belongs to a trace that is.
    """
    outer = _scope.get()
    inner = replace(
        outer,
        project=project or outer.project,
        tags=tuple(dict.fromkeys((*outer.tags, *texts(tags)))),
        metadata={**outer.metadata, **(metadata or {})},
        is_enabled=outer.is_enabled if enabled is None else enabled,
    )
    with in_scope(inner):
        yield


@contextmanager
def in_scope(scope: Scope) -> Iterator[None]:
    """Let a scope hold for the running code."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
