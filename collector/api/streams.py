"""`GET /projects/{id or name}/stream` and `/traces/{id}/stream`: what runs do, while they do it (docs/live.md)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from collector.access import project_ids_for_key, projects_for_key
from collector.api.parsing import parse_bool
from collector.api.stream_events import ended_event, resync_event, run_events, trace_event
from collector.auth import ApiKeyAuth, key_auth
from collector.models import Project
from collector.reads.live import HEARTBEAT_SECONDS, Subscription, TraceChanged, subscribe
from collector.reads.progress import ProjectFollower, TraceFollower
from collector.reads.traces import get_trace
from collector.reads.types import TraceSummary
from collector.sse import HEARTBEAT, event_stream, release_connection, until_too_old

PACE_SECONDS = 0.25  # between two looks: what changes in between is told once
# How soon a trace that is not stored yet is looked for again, at first; news of it comes at once, unless its project is new.
WAIT_SECONDS = 1.0
# A trace that has ended is still told of for so long: its sums are made when it has been quiet for ten seconds.
LINGER_SECONDS = 15.0

PIECE_CHARACTERS = 256_000

EVENTS = {(200, "text/event-stream"): OpenApiTypes.STR}
OUTPUTS = OpenApiParameter("outputs", bool, description="Send the outputs of each run, whole")


class ProjectStreamView(APIView):
    """What becomes of the traces of a project: its root runs, with the sums of their traces."""

    required_scope = "read"

    @extend_schema(
        operation_id="stream_project",
        responses=EVENTS,
        tags=["streams"],
        parameters=[
            OpenApiParameter(
                "project", str, OpenApiParameter.PATH, description="The project's id or name"
            )
        ],
    )
    def get(self, request: Request, project: str) -> HttpResponseBase:
        auth = key_auth(request)
        found = _find_project(auth, project)
        return event_stream(partial(_project_events, auth, found.id))


class TraceStreamView(APIView):
    """What the runs of a trace do. It may be asked for before the first of them is stored."""

    required_scope = "read"

    @extend_schema(
        operation_id="stream_trace", responses=EVENTS, tags=["streams"], parameters=[OUTPUTS]
    )
    def get(self, request: Request, trace_id: UUID) -> HttpResponseBase:
        has_outputs = bool(parse_bool("outputs", request.query_params.get("outputs")))
        auth = key_auth(request)
        return event_stream(partial(_trace_events, auth, trace_id, has_outputs=has_outputs))


def _find_project(auth: ApiKeyAuth, name: str) -> Project:
    """Return the project of this id or name.

    Raises:
        NotFound: the key may see no such project.
    """
    same = Q(name=name)
    with suppress(ValueError):
        same |= Q(id=UUID(name))
    found = list(projects_for_key(auth).filter(same)[:2]) if "\0" not in name else []
    if not found:
        raise NotFound("There is no project of that id or name.")
    return min(found, key=lambda project: project.name == name)  # an id before a name


def _project_events(auth: ApiKeyAuth, project_id: UUID) -> Iterator[str]:
    follower = ProjectFollower([project_id])
    with subscribe([project_id], key_id=auth.key_id) as subscription:
        yield resync_event("connected")
        for _ in until_too_old():
            news = subscription.take(HEARTBEAT_SECONDS)
            if not news:
                yield HEARTBEAT
                continue
            began = time.monotonic()
            if _is_missing_some(news):
                yield resync_event("missed")
            told = [item.trace_id for item in news if item.trace_id is not None]
            yield from _in_pieces([HEARTBEAT, *map(trace_event, follower.look(told))])
            _rest(began)


def _trace_events(auth: ApiKeyAuth, trace_id: UUID, *, has_outputs: bool) -> Iterator[str]:
    deadline = until_too_old()
    yield from _wait_for(auth, trace_id, deadline)
    project_ids = project_ids_for_key(auth)
    with subscribe(project_ids, trace_id, key_id=auth.key_id) as subscription:
        trace = get_trace(project_ids, trace_id)
        if trace is not None:
            follower = TraceFollower(project_ids, trace)
            yield from _follow(follower, subscription, deadline, has_outputs=has_outputs)


def _wait_for(auth: ApiKeyAuth, trace_id: UUID, deadline: Iterable[None]) -> Iterator[str]:
    """Yield heartbeats until the trace is stored, in a project that may be made only then."""
    with subscribe(project_ids_for_key(auth), trace_id, key_id=auth.key_id) as subscription:
        yield HEARTBEAT
        wait = WAIT_SECONDS
        for _ in deadline:
            if get_trace(project_ids_for_key(auth), trace_id) is not None:
                return
            subscription.take(wait)
            wait = min(wait * 1.5, HEARTBEAT_SECONDS)
            yield HEARTBEAT


def _follow(
    follower: TraceFollower,
    subscription: Subscription,
    deadline: Iterable[None],
    *,
    has_outputs: bool,
) -> Iterator[str]:
    """Tell how all runs are, then what changes, until the trace has ended and been quiet."""
    ended_at: float | None = None
    for _ in deadline:
        yield HEARTBEAT  # every time: a write is what tells that the reader has left
        began = time.monotonic()
        trace = follower.trace()  # first: its end must not be told before those of its runs
        yield from _in_pieces(run_events(follower.look(), has_outputs=has_outputs))
        if trace is None:  # deleted
            return
        if not _has_ended(trace):
            ended_at = None
        elif ended_at is None:
            ended_at = time.monotonic()
            yield ended_event(trace)
        elif time.monotonic() - ended_at > LINGER_SECONDS:
            return
        _rest(began)
        subscription.take(HEARTBEAT_SECONDS if ended_at is None else LINGER_SECONDS / 3)


def _in_pieces(events: Iterable[str]) -> Iterator[str]:
    """Join small events, and hold no database connection while a reader takes its time."""
    piece: list[str] = []
    size = 0
    for event in events:
        piece.append(event)
        size += len(event)
        if size > PIECE_CHARACTERS:
            release_connection()
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        release_connection()
        yield "".join(piece)


def _has_ended(trace: TraceSummary) -> bool:
    return trace.status != "running" and (
        trace.ended_count >= trace.run_count or trace.status == "incomplete"
    )


def _is_missing_some(news: Iterable[TraceChanged]) -> bool:
    return any(item.trace_id is None for item in news)


def _rest(began: float) -> None:
    """Let a stream use a fifth of a database connection at most."""
    time.sleep(max(PACE_SECONDS, 4 * (time.monotonic() - began)))
