"""A trace that crosses services: `runwood.headers()` on the way out, `runwood.continue_trace(…)` on the way in.

The headers are those of LangSmith's SDKs, so a trace also goes on in a service that uses one of them, and comes
from one: `langsmith-trace` is the dotted_order of the calling run, and `baggage` says its project and thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import orjson
from langchain_core.runnables.config import var_child_runnable_config

from runwood.handler import RunwoodCallbackHandler
from runwood.log import warn
from runwood.recording.dotted_order import parse_dotted_order
from runwood.scope import RemoteParent, Scope, current_scope, in_scope, thread_of

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

TRACE, BAGGAGE = "langsmith-trace", "baggage"
MAX_BAGGAGE = 8192  # characters that are read of one that comes from outside
NOT_RECORDED = "runwood-recorded=false"

Text = str | bytes


def headers(config: RunnableConfig | None = None) -> dict[str, str]:
    """Return the HTTP headers that let another service's runs join the current run; none outside of a run.

    Args:
        config: what a node or tool was given, where LangChain cannot pass it by context: async on Python 3.10.

    A trace that is not recorded, by sampling or by a scope, says so: the other service leaves it out too.
    """
    callbacks: Any = (config or var_child_runnable_config.get() or {}).get("callbacks")
    run_id = getattr(callbacks, "parent_run_id", None)
    for handler in getattr(callbacks, "handlers", ()):
        if run_id is not None and isinstance(handler, RunwoodCallbackHandler):
            place = handler.place_of(run_id)
            if place is not None:
                if not place.is_recorded:
                    return {BAGGAGE: NOT_RECORDED}
                known = getattr(callbacks, "metadata", None) or {}
                metadata = {**handler.config.metadata, **current_scope().metadata, **known}
                baggage = _baggage(place.project, metadata)
                return {TRACE: place.dotted_order, BAGGAGE: baggage}
    return {}


@contextmanager
def continue_trace(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> Iterator[None]:
    """Let what starts inside join the trace whose headers came with a request; without any, change nothing.

    Args:
        headers: all of the request's, in any spelling, text or bytes, as a mapping or in pairs.

    Whoever sends headers chooses the trace, the project and the thread: use it for callers that you trust.
    Headers that make no sense are ignored, with a word in the log.
    """
    with in_scope(_scope_of(headers, current_scope())):
        yield


def _scope_of(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]], outer: Scope) -> Scope:
    try:
        # Not by `Mapping`: the headers of http.server and of some frameworks only look like one.
        pairs: Any = headers.items() if hasattr(headers, "items") else headers
        found = {_text(name).lower(): _text(value) for name, value in pairs}
        baggage = _read_baggage(found.get(BAGGAGE, ""))
        if baggage.get("runwood-recorded") == "false":
            return replace(outer, is_enabled=False)
        if TRACE not in found:
            return outer
        dotted_order = found[TRACE].strip()
        ids = parse_dotted_order(dotted_order)
        if ids is None:
            warn("headers", "the header %s is none of a trace: %.100r", TRACE, dotted_order)
            return outer
        return replace(
            outer,
            parent=RemoteParent(run_id=ids[1], trace_id=ids[0], dotted_order=dotted_order),
            project=baggage.get("langsmith-project") or outer.project,
            tags=tuple(dict.fromkeys((*outer.tags, *_tags(baggage)))),
            metadata={**outer.metadata, **_metadata(baggage)},
        )
    except Exception as error:  # noqa: BLE001  a request must not fail for its headers
        warn("headers", "the headers of a trace could not be read: %r", error)
        return outer


def _baggage(project: str, metadata: Mapping[str, Any]) -> str:
    """Return what the other service has to know; of the metadata only the thread: the rest is no business of its."""
    items = [f"langsmith-project={quote(project)}"]
    thread = {key: str(value) for key, value in thread_of(metadata).items()}
    if thread:
        items.append(f"langsmith-metadata={quote(orjson.dumps(thread))}")
    return ",".join(items)


def _read_baggage(text: str) -> dict[str, str]:
    items = (item.partition("=") for item in text[:MAX_BAGGAGE].split(","))
    return {name.strip(): unquote(value.partition(";")[0].strip()) for name, _, value in items}


def _tags(baggage: Mapping[str, str]) -> list[str]:
    return [tag for tag in baggage.get("langsmith-tags", "").split(",") if tag]


def _metadata(baggage: Mapping[str, str]) -> dict[str, Any]:
    try:
        metadata = orjson.loads(baggage.get("langsmith-metadata", "{}"))
    except orjson.JSONDecodeError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _text(value: Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
