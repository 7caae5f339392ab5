"""Where runs stand: their ancestors and dotted_order, rebuilt from each run's own segment and parent.

The text is not stored: it would be 190 bytes of each run's row (docs/decisions/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from collector.reads.sql import fetch_all
from collector.reads.types import RunSummary
from collector.wire.dotted_order import Segment, format_dotted_order

# UNION, not UNION ALL: in a circle of parents nothing new is found any more, and the query ends.
ANCESTORS = """
WITH RECURSIVE above (project_id, day, trace_id, id, parent_run_id, position) AS (
  SELECT project_id, day, trace_id, id, parent_run_id, coalesce(position, start_time) FROM run
   WHERE project_id = %(project_id)s AND day = ANY(%(days)s) AND id = ANY(%(ids)s::uuid[])
  UNION
  SELECT run.project_id, run.day, run.trace_id, run.id, run.parent_run_id,
         coalesce(run.position, run.start_time)
    FROM above JOIN run ON run.project_id = above.project_id AND run.day = above.day
     AND run.id = above.parent_run_id AND run.trace_id = above.trace_id
   WHERE run.project_id = %(project_id)s AND run.day = ANY(%(days)s)
)
SELECT day, id, parent_run_id, position FROM above
"""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The way from the root to a run, as far as it was received."""

    parent_run_ids: tuple[UUID, ...]  # root first
    dotted_order: str


@dataclass(frozen=True, slots=True)
class _Link:
    parent_run_id: UUID | None
    position: datetime


def find_lineages(runs: Sequence[RunSummary]) -> dict[tuple[UUID, UUID], Lineage]:
    """Return the lineage of each run by (project id, run id): one query for each project among them."""
    found: dict[tuple[UUID, UUID], Lineage] = {}
    for project_id in {run.project_id for run in runs}:
        members = [run for run in runs if run.project_id == project_id]
        links = _find_links(project_id, members)
        links |= {(run.day, run.id): _Link(run.parent_run_id, run.position) for run in members}
        for run in members:
            found[project_id, run.id] = _lineage(run, links)
    return found


def _find_links(project_id: UUID, runs: Iterable[RunSummary]) -> dict[tuple[date, UUID], _Link]:
    below_root = [run for run in runs if run.id != run.trace_id]
    wanted = {run.trace_id for run in below_root}
    wanted |= {run.parent_run_id for run in below_root if run.parent_run_id is not None}
    if not wanted:
        return {}
    rows = fetch_all(
        ANCESTORS,
        {
            "project_id": project_id,
            "days": sorted({run.day for run in below_root}),
            "ids": list(wanted),
        },
    )
    return {(day, id_): _Link(parent, position) for day, id_, parent, position in rows}


def _lineage(run: RunSummary, links: dict[tuple[date, UUID], _Link]) -> Lineage:
    """Climb to the root. Where a parent is missing the rest hangs under the root, as in the tree."""
    way = [Segment(run.position, run.id)]
    seen = {run.id}
    parent_id = run.parent_run_id if run.id != run.trace_id else None
    while parent_id is not None and parent_id not in seen:
        link = links.get((run.day, parent_id))
        if link is None:
            break
        way.append(Segment(link.position, parent_id))
        seen.add(parent_id)
        parent_id = link.parent_run_id if parent_id != run.trace_id else None
    root = links.get((run.day, run.trace_id))
    if root is not None and run.trace_id not in seen:
        way.append(Segment(root.position, run.trace_id))
    way.reverse()
    return Lineage(tuple(segment.run_id for segment in way[:-1]), format_dotted_order(way))
