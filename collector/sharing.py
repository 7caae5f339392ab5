"""Sharing: whoever has a run's token may read that run and all that lies below it, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from collector.models import SharedRun
from collector.reads.runs import find_run
from collector.reads.types import RunSummary


class NoSuchRun(Exception):
    """These projects have no run of that id, or it is not stored yet."""


class TokenTaken(Exception):
    """The token that a client chose opens another run already."""


def share_run(project_ids: Sequence[UUID], run_id: UUID, token: UUID | None = None) -> SharedRun:
    """Share a run and return its share. One that is shared keeps its token: links that are out stay good.

    Raises:
        NoSuchRun, TokenTaken
    """
    run = find_run(project_ids, run_id)
    if run is None:
        raise NoSuchRun(run_id)
    try:
        with transaction.atomic():
            shared, _ = SharedRun.objects.get_or_create(
                project_id=run.project_id,
                run_id=run.id,
                defaults={"token": token or uuid.uuid4(), "trace_id": run.trace_id, "day": run.day},
            )
    except IntegrityError as error:
        raise TokenTaken(token) from error
    return shared


def unshare_run(project_ids: Sequence[UUID], run_id: UUID) -> None:
    """End a share at once; what is not shared stays so."""
    SharedRun.objects.filter(project_id__in=project_ids, run_id=run_id).delete()


def find_share(project_ids: Sequence[UUID], run_id: UUID) -> SharedRun | None:
    """Return the share of a run of these projects."""
    return SharedRun.objects.filter(project_id__in=project_ids, run_id=run_id).first()


def find_share_tokens(runs: Sequence[RunSummary]) -> dict[tuple[UUID, UUID], UUID]:
    """Return the tokens by (project id, run id) of those of the runs that are shared."""
    shared = SharedRun.objects.filter(
        project_id__in={run.project_id for run in runs}, run_id__in={run.id for run in runs}
    )
    return {(share.project_id, share.run_id): share.token for share in shared}


def find_shared(token: UUID) -> SharedRun | None:
    """Return what a token opens."""
    return SharedRun.objects.filter(token=token).first()
