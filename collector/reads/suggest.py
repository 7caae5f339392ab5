"""What newest runs say of a field: names, tags and models that a search box can offer."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from collector.query.words import escape_like, storable
from collector.reads.sql import fetch_all, time_limit

LOOKED_AT = 2_000  # of the newest traces, or of the newest runs of a model, of each project
SUGGEST_SECONDS = 1.0

SOURCES = {
    "name": "SELECT name AS value FROM trace WHERE {project} AND name <> ''",
    "tag": "SELECT unnest(tags) AS value FROM trace WHERE {project} AND tags <> '{{}}'",
    "model": "SELECT model AS value FROM run WHERE {project} AND model IS NOT NULL",
}
NEWEST = "({source} ORDER BY start_time DESC LIMIT %(looked_at)s)"


def observed_values(
    project_ids: Sequence[UUID], field: str, part: str, limit: int = 8
) -> list[tuple[str, int]]:
    """Return the most frequent values of a field (`name`, `tag`, `model`) with `part` in them, and how often each came.

    Raises:
        ReadTimeout: the database took too long.
    """
    newest = " UNION ALL ".join(
        NEWEST.format(source=SOURCES[field].format(project=f"project_id = %(project_{number})s"))
        for number in range(len(project_ids))
    )
    if not project_ids:
        return []
    params = {f"project_{number}": id_ for number, id_ in enumerate(project_ids)}
    with time_limit(SUGGEST_SECONDS):
        rows = fetch_all(
            f"SELECT value, count(*) FROM ({newest}) AS newest WHERE value ILIKE %(part)s"  # noqa: S608 (our own words)
            " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s",
            {
                **params,
                "looked_at": LOOKED_AT,
                "part": f"%{escape_like(storable(part))}%",
                "limit": limit,
            },
        )
    return [(value, count) for value, count in rows]
