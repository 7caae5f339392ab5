"""Which project, trace and day an operation belongs to, where it does not say so itself.

A patch by run id alone, or a child that names its parent only, is *unplaced*. First the request it came
with is searched (pure), then the stored runs (the worker). What stays unplaced for PATIENCE is stored
as a trace of its own: shown is better than lost. That place is provisional: when the run that knows better
comes, the trace is moved (`storage/move.py`).

OpenTelemetry's spans say their trace, but not its day: they tell their own times only, come when they end,
children first, and a trace may come in several exports. They never wait: `place_spans`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, timedelta
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from collector.wire.fields import uuid7_time
from collector.wire.operations import AttachmentOperation, RunOperation

PATIENCE = timedelta(seconds=60)  # a create that is a minute behind its update is not coming
FILE_PATIENCE = timedelta(days=1)  # an attachment shows nothing without its run


RUNS = """
SELECT id, project_id, trace_id, day FROM run
 WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[]) ORDER BY day DESC, project_id
"""
TRACES = """
SELECT id, project_id, id, day FROM trace
 WHERE project_id = ANY(%s::uuid[]) AND id = ANY(%s::uuid[]) ORDER BY day DESC, project_id
"""


class Place(NamedTuple):
    """Where a run lies."""

    project_id: UUID
    trace_id: UUID
    day: date
    is_provisional: bool = False


def place_within_request(runs: Sequence[RunOperation]) -> None:
    """Give unplaced operations the place of a run (their own, or their parent) in the same request.

    A child may come before its parent, and that before its own: each run that is placed places those
    that wait for it. O(n).
    """
    waiting: dict[UUID, list[RunOperation]] = {}
    by_trace: list[tuple[UUID, Place]] = []
    placed: list[tuple[UUID, Place]] = []
    for run in runs:
        if run.trace_id is not None and run.day is not None and run.project_id is not None:
            place = Place(run.project_id, run.trace_id, run.day, run.is_provisional)
            placed.append((run.id, place))
            by_trace.append((run.trace_id, place))
        else:
            for key in {run.id, run.parent_run_id, run.trace_id} - {None}:
                assert key is not None
                waiting.setdefault(key, []).append(run)
    placed = by_trace + placed  # from its end: what is said of a run itself comes first
    while placed:
        key, place = placed.pop()
        for run in waiting.pop(key, ()):
            if not _is_settled(run) and not _is_wrongly_root(run, place):
                _settle(run, place)
                placed.append((run.id, place))


def place_by_stored_runs(
    project_ids: Collection[UUID], runs: Sequence[RunOperation]
) -> list[RunOperation]:
    """Place what the stored runs of these projects can place; return what is still unplaced."""
    everywhere = find_places(project_ids, _named(runs))
    left = []
    for run in runs:
        place = None
        if run.project_id is not None:  # the same run may lie in another project too: replicas do
            place = _find_place(run, find_places([run.project_id], _named([run])))
        place = place or _find_place(run, everywhere)
        if place is None:
            left.append(run)
        else:
            _settle(run, place)
    return left


def _named(runs: Iterable[RunOperation]) -> set[UUID]:
    return {
        key for run in runs for key in (run.id, run.parent_run_id, run.trace_id) if key is not None
    }


def _find_place(run: RunOperation, places: Mapping[UUID, Place]) -> Place | None:
    """Return the place of the run itself, else of its parent, else of its trace."""
    own = places.get(run.id)
    if own is not None and _is_wrongly_root(run, own):
        own = None
    return (
        own
        or (places.get(run.parent_run_id) if run.parent_run_id else None)
        or (places.get(run.trace_id) if run.trace_id else None)
    )


def find_places(project_ids: Collection[UUID], run_ids: Collection[UUID]) -> dict[UUID, Place]:
    """Return the places of the runs among `run_ids` that are stored in these projects.

    A root that has not come has a place too, where its trace has begun.
    """
    places = _places(RUNS, project_ids, run_ids)
    return _places(TRACES, project_ids, set(run_ids) - places.keys()) | places


def _places(
    query: str, project_ids: Collection[UUID], run_ids: Collection[UUID]
) -> dict[UUID, Place]:
    if not project_ids or not run_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(query, [list(project_ids), list(run_ids)])
        return {run_id: Place(*place) for run_id, *place in reversed(cursor.fetchall())}


def place_by_themselves(runs: Sequence[RunOperation], default_project_id: UUID) -> None:
    """Place operations that nothing else places: the topmost by a guess, the others with these."""
    ids = {run.id for run in runs}
    below = {run.id for run in runs if run.parent_run_id in ids and run.parent_run_id != run.id}
    _guess(_one_a_run(run for run in runs if run.id not in below), default_project_id)
    place_within_request(runs)
    in_circles = _one_a_run(run for run in runs if not _is_settled(run))
    for run in in_circles:
        run.trace_id = run.trace_id or run.id
    _guess(in_circles, default_project_id)
    place_within_request(runs)


def _one_a_run(runs: Iterable[RunOperation]) -> list[RunOperation]:
    """Return of each run the operation that tells most of where it belongs."""
    chosen: dict[UUID, RunOperation] = {}
    for run in runs:
        chosen[run.id] = max(chosen.get(run.id, run), run, key=_how_much_is_told)
    return list(chosen.values())


def _how_much_is_told(run: RunOperation) -> tuple[bool, bool]:
    return bool(run.trace_id or run.parent_run_id), run.start_time is not None


def _guess(runs: Iterable[RunOperation], default_project_id: UUID) -> None:
    """Place runs under their trace, their parent, or themselves."""
    for run in runs:
        run.project_id = run.project_id or default_project_id
        run.trace_id = run.trace_id or run.parent_run_id or run.id
        run.day = run.day or uuid7_day(run.trace_id) or _start_day(run)
        run.is_provisional = True


def place_guessed_anew(project_id: UUID, runs: Sequence[RunOperation]) -> None:
    """Guess again where guesses are among these, now that all that is written at once can be seen together."""
    guessed = [run for run in runs if run.is_provisional]
    if not guessed:
        return
    for run in guessed:
        if run.trace_id in (run.parent_run_id, run.id):  # that was the guess
            run.trace_id = None
        run.day, run.is_provisional = None, False
    left = place_by_stored_runs([project_id], guessed)
    place_within_request(runs)
    place_by_themselves([run for run in left if not run.is_placed], project_id)


def place_spans(project_id: UUID, runs: Sequence[RunOperation]) -> None:
    """Give spans without a day that of their trace: in these runs, or stored; for a new one, the best guess.

    The guess is the day of the root, of a LangSmith trace's id, or of the earliest span. Only where the
    first spans of a trace that goes over midnight are stored by two workers at once may they disagree:
    then readers see the trace in two parts.
    """
    waiting: dict[UUID, list[RunOperation]] = {}
    for run in runs:
        if run.day is None and run.is_span and run.trace_id is not None:
            waiting.setdefault(run.trace_id, []).append(run)
    if not waiting:
        return
    days = _stored_days(project_id, waiting)
    days |= {run.trace_id: run.day for run in runs if run.trace_id in waiting and run.day}
    for trace_id, spans in waiting.items():
        day = days.get(trace_id) or _guess_day(trace_id, spans)
        for span in spans:
            span.day = day


def _stored_days(
    project_id: UUID, spans: Mapping[UUID, Sequence[RunOperation]]
) -> dict[UUID, date]:
    """Return the days of those traces that are stored, looked for around the times of their spans."""
    around = {
        date.fromordinal(ordinal)
        for run in chain.from_iterable(spans.values())
        for ordinal in _ordinals_around(_start_day(run))
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, min(day) FROM trace WHERE project_id = ANY(%s::uuid[])"
            " AND id = ANY(%s::uuid[]) AND day = ANY(%s::date[]) GROUP BY id",
            [[project_id], list(spans), sorted(around)],
        )
        return dict(cursor.fetchall())


def _ordinals_around(day: date) -> Iterable[int]:
    ordinal = day.toordinal()
    return range(max(ordinal - 1, 1), min(ordinal + 1, date.max.toordinal()) + 1)


def _guess_day(trace_id: UUID, spans: Sequence[RunOperation]) -> date:
    first = min(_start_day(run) for run in spans)
    root = next((run for run in spans if run.id == trace_id), None)
    if root is not None:
        return _start_day(root)
    # an id at random looks like version 7 once in 64 times, but its time is that of any year
    made = uuid7_day(trace_id)
    return made if made is not None and abs(made - first) <= timedelta(days=1) else first


def _start_day(run: RunOperation) -> date:
    return (run.start_time or run.received_at).astimezone(UTC).date()


def place_attachments(
    attachments: Iterable[AttachmentOperation], runs: Iterable[RunOperation]
) -> list[AttachmentOperation]:
    """Give attachments the place of their run; return those whose run is not among `runs`."""
    places = {run.id: run for run in runs if _is_settled(run)}
    left = []
    for attachment in attachments:
        run = places.get(attachment.run_id)
        if run is None:
            left.append(attachment)
        else:
            attachment.project_id, attachment.trace_id, attachment.day = (
                run.project_id,
                run.trace_id,
                run.day,
            )
    return left


def uuid7_day(value: UUID) -> date | None:
    """Return the day in a version 7 UUID, or None for other versions and nonsense times."""
    time = uuid7_time(value)
    return None if time is None else time.date()


def _is_settled(run: RunOperation) -> bool:
    return run.is_placed and run.project_id is not None


def _is_wrongly_root(run: RunOperation, place: Place) -> bool:
    """Whether a place comes from taking the run for a root, before anybody said that it has a parent."""
    return place.trace_id == run.id and run.parent_run_id not in (None, run.id)


def _settle(run: RunOperation, place: Place) -> None:
    """Take the place; what the operation says itself stays, but a project only for a run that is new."""
    if run.is_update or run.project_id is None:
        run.project_id = place.project_id
    run.trace_id, run.day = place.trace_id, place.day
    run.is_provisional = place.is_provisional
