"""Where runs stand: their ancestors and dotted_order, rebuilt from each run's own segment and parent.

The text is not stored: it would be 190 bytes of each run's row (docs/decisions/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from collector.reads.sql import Row, fetch_all
from collector.reads.types import RunSummary
from collector.wire.dotted_order import format_segment

# UNION, not UNION ALL: in a circle of parents nothing new is found any more, and the query ends.
# IS NOT DISTINCT FROM, which no index serves: on a young partition, whose figures the planner lacks, it
# would walk the whole trace for each step (6.7 s in place of 25 ms for a chain of 10,000).
ANCESTORS = """
WITH RECURSIVE above (project_id, day, trace_id, id, parent_run_id, position) AS (
  SELECT project_id, day, trace_id, id, parent_run_id, coalesce(position, start_time) FROM run
   WHERE project_id = %(project_id)s AND day = ANY(%(days)s) AND id = ANY(%(ids)s::uuid[])
  UNION
  SELECT run.project_id, run.day, run.trace_id, run.id, run.parent_run_id,
         coalesce(run.position, run.start_time)
    FROM above JOIN run ON run.project_id = above.project_id AND run.day = above.day
     AND run.id = above.parent_run_id AND run.trace_id IS NOT DISTINCT FROM above.trace_id
   WHERE run.project_id = %(project_id)s AND run.day = ANY(%(days)s)
)
SELECT day, id, parent_run_id, position FROM above
"""


PROJECTS = """
SELECT DISTINCT project_id FROM run
 WHERE project_id = ANY(%(project_ids)s::uuid[]) AND day = ANY(%(days)s) AND id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The way from the root to a run, as far as it was received."""

    parent_run_ids: tuple[UUID, ...]  # root first
    dotted_order: str


@dataclass(slots=True, eq=False)
class _Link:
    """One run on the way. Compared and hashed by what it is, not by its id: a long way asks often."""

    id: UUID
    parent_id: UUID | None
    segment: str
    parent: _Link | None = None


Key = tuple[
    UUID, date, UUID
]  # project, day, run: one id may lie on two days, where a client says so


class Lineages:
    """Where each of some runs stands. Read at once, put together one by one: a deep run's is large."""

    def __init__(
        self,
        runs: Sequence[RunSummary],
        visible_project_ids: Callable[[], Sequence[UUID]] | None = None,
    ) -> None:
        """Read the ways: one query for each project among the runs.

        A service that traces to a project of its own has children there whose parents lie in another:
        where some are missing they are looked for in every project that the reader may see.
        """
        self._links: dict[Key, _Link] = {}
        self._elsewhere: dict[UUID, _Link] = {}
        for project_id in {run.project_id for run in runs}:
            self._read(project_id, [run for run in runs if run.project_id == project_id])
        if visible_project_ids is not None and self._missing(runs):
            self._read_elsewhere(runs, visible_project_ids())
        for (project_id, day, _), link in self._links.items():
            if link.parent_id is not None:
                link.parent = self._links.get((project_id, day, link.parent_id))
        for link in (*self._links.values(), *self._elsewhere.values()):
            if link.parent is None and link.parent_id is not None:
                link.parent = self._elsewhere.get(link.parent_id)

    def _read(self, project_id: UUID, runs: Sequence[RunSummary]) -> None:
        below_root = [run for run in runs if run.id != run.trace_id]
        wanted = {run.trace_id for run in below_root}
        wanted |= {run.parent_run_id for run in below_root if run.parent_run_id is not None}
        days = {run.day for run in below_root}
        for day, id_, parent_id, position in _find_above(project_id, days, wanted):
            self._links[project_id, day, id_] = _link(id_, parent_id, position)
        for run in runs:
            link = _link(run.id, run.parent_run_id, run.position)
            self._links[project_id, run.day, run.id] = link

    def _read_elsewhere(self, runs: Sequence[RunSummary], project_ids: Sequence[UUID]) -> None:
        """Read what is missing of the ways from the other projects; a trace may pass through several."""
        days = {run.day for run in runs}
        sought: set[UUID] = set()
        while missing := self._missing(runs) - sought:
            sought |= missing
            for project_id in _projects_of(project_ids, days, missing):
                for _, id_, parent_id, position in _find_above(project_id, days, missing):
                    self._elsewhere[id_] = _link(id_, parent_id, position)

    def _missing(self, runs: Sequence[RunSummary]) -> set[UUID]:
        known = {id_ for _, _, id_ in self._links} | self._elsewhere.keys()
        links = (*self._links.values(), *self._elsewhere.values())
        wanted = {link.parent_id for link in links if link.parent_id is not None}
        return (wanted | {run.trace_id for run in runs}) - known

    def of(self, run: RunSummary) -> Lineage:
        """Climb to the root. Where a parent is missing the rest hangs under the root, as in the tree."""
        root = self._links.get((run.project_id, run.day, run.trace_id)) or self._elsewhere.get(
            run.trace_id
        )
        link: _Link | None = self._links[run.project_id, run.day, run.id]
        way: dict[_Link, None] = {}  # a set in its order: a circle of parents ends where it closes
        while link is not None and link not in way:
            way[link] = None
            link = link.parent if link is not root else None
        if root is not None:
            way.setdefault(root)
        down = list(way)[::-1]
        return Lineage(
            tuple(link.id for link in down[:-1]), ".".join(link.segment for link in down)
        )


def _link(id_: UUID, parent_id: UUID | None, position: datetime) -> _Link:
    return _Link(id_, parent_id, format_segment(position, id_))


def _projects_of(
    project_ids: Sequence[UUID], days: Iterable[date], run_ids: Iterable[UUID]
) -> list[UUID]:
    rows = fetch_all(
        PROJECTS,
        {"project_ids": list(project_ids), "days": sorted(days), "ids": list(run_ids)},
    )
    return [project_id for (project_id,) in rows]


def _find_above(project_id: UUID, days: Iterable[date], run_ids: Iterable[UUID]) -> list[Row]:
    """Return (day, id, parent, position) of these runs and of all above them."""
    ids = list(run_ids)
    if not ids:
        return []
    return fetch_all(ANCESTORS, {"project_id": project_id, "days": sorted(days), "ids": ids})
