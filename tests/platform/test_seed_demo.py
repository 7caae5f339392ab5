"""`manage.py seed_demo` makes what it says, and leaves other projects alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from collector.drain import drain_lane
from collector.models import Project
from collector.sample.seed import PROJECTS, sample_requests

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def told(count: int, seed: int) -> list[bytes]:
    return [
        repr([(run.id, run.name, run.inputs, run.outputs) for run in decoded.runs]).encode()
        for _, decoded in sample_requests(count, now=NOW, days=3, seed=seed)
    ]


def test_the_same_seed_makes_the_same_traces_and_another_makes_others() -> None:
    assert told(30, 1) == told(30, 1)
    assert told(30, 1) != told(30, 2)


def test_nothing_of_it_is_refused() -> None:
    requests = [decoded for _, decoded in sample_requests(200, now=NOW, days=3, seed=1)]
    assert [item.reason for decoded in requests for item in decoded.rejected] == []
    assert sum(run.parent_run_id is None for decoded in requests for run in decoded.runs) == 200


@pytest.mark.django_db(transaction=True)
def test_as_many_traces_as_were_asked_for_are_stored(store: None) -> None:
    call_command("seed_demo", traces=25, prefix="try-")
    projects = Project.objects.filter(name__in=[f"try-{name}" for name in PROJECTS])
    for project in projects:
        drain_lane(project.id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM trace WHERE project_id = ANY(%s::uuid[])",
            [[project.id for project in projects]],
        )
        assert cursor.fetchone() == (25,)
    with pytest.raises(CommandError, match="--prefix"):
        call_command("seed_demo", traces=1, prefix="try-")
