"""Judging a run, changing a judgement, and taking it back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from collector import deletion
from collector.access import may
from collector.feedback import change_feedback, give_feedback
from collector.reads.feedback import find_feedback
from collector.reads.runs import find_run
from viewer.rendering import HtmxRequest
from viewer.scope import get_project

if TYPE_CHECKING:
    from collector.models import Project

KEEPER_ROLE = "editor"  # the least role that may judge
NEEDED = "Feedback needs a key, and a score, a category or a comment."


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a form says. `value` is a category where the judgement is no number."""

    key: str
    score: float | None
    value: str | None
    comment: str | None

    @classmethod
    def read(cls, form: QueryDict) -> Judgement | None:
        """Return the judgement, or None where it is none."""
        key, given, comment = (form.get(name, "").strip() for name in ("key", "score", "comment"))
        if not key or not (given or comment):
            return None
        score = _number(given)
        return cls(key, score, given or None if score is None else None, comment or None)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@require_POST
def judge_run(
    request: HtmxRequest, project: str, trace_id: UUID, run_id: UUID
) -> HttpResponseRedirect:
    """Store a judgement on a run; with `feedback` change that one, with `remove` too take it back."""
    found = get_project(request, project)
    run = find_run((found.id,), run_id)
    if run is None or run.trace_id != trace_id:
        raise Http404(f"Trace {trace_id} has no run {run_id}.")
    if not may(request.user, KEEPER_ROLE, found.workspace):
        raise PermissionDenied("Viewers cannot judge runs. An admin can change your role.")
    known = request.POST.get("feedback", "")
    judgement = Judgement.read(request.POST)
    if "remove" in request.POST:
        deletion.delete_feedback(found.workspace_id, found.id, _find(found, run_id, known))
    elif judgement is None:
        messages.error(request, NEEDED)
    elif known:
        change_feedback(
            found.id,
            _find(found, run_id, known),
            score=judgement.score,
            value=judgement.value,
            comment=judgement.comment,
        )
    else:
        give_feedback(
            [found.id],
            [run_id],
            key=judgement.key,
            score=judgement.score,
            value=judgement.value,
            comment=judgement.comment,
            by=request.user.get_username(),
        )
    url = reverse("trace-detail", kwargs={"project": found.name, "trace_id": trace_id})
    return HttpResponseRedirect(f"{url}?run={run_id}&tab=feedback")


def _find(project: Project, run_id: UUID, text: str) -> UUID:
    try:
        feedback = find_feedback([project.id], UUID(text))
    except ValueError:
        feedback = None
    if feedback is None or feedback.run_id != run_id:
        raise Http404("This run has no such feedback. It may have been taken back already.")
    return feedback.id
