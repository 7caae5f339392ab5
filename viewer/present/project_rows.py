"""Rows of the project list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.reads.types import ProjectSummary
from viewer.present.charts import Bar, view_bars

# From here on a project's error rate is written in the colour of errors; below it is a number like others.
BAD_RATE = 0.05


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project as a row."""

    project: ProjectSummary
    bars: list[Bar]
    is_bad: bool


def view_projects(projects: Sequence[ProjectSummary]) -> list[ProjectRow]:
    return [
        ProjectRow(
            project=project,
            bars=view_bars(project.traces_per_bucket, project.errors_per_bucket, smallest=9.0),
            is_bad=(project.error_rate or 0.0) >= BAD_RATE,
        )
        for project in projects
    ]
