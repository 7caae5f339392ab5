"""What is done with the rows that a reader has selected in a list: tag, judge, export, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from collector import deletion
from collector.access import may
from collector.feedback import give_feedback
from collector.reads.runs import find_run
from collector.tagging import MAX_TAG_CHARACTERS, tag_runs
from viewer.exports import download_runs, runs_of_traces
from viewer.present.numbers import pluralize
from viewer.rendering import HtmxRequest
from viewer.scope import get_project
from viewer.sessions import safe_next
from viewer.views.feedback import NEEDED, Judgement

if TYPE_CHECKING:
    from collector.models import Project

MAX_SELECTED = 1_000
DELETE_SECONDS = (
    1.0  # of few traces nothing is left when the answer comes; the worker deletes the rest
)
WRITER, REMOVER = "editor", "admin"  # the least roles that may change, and that may delete


@require_POST
def change_selection(request: HtmxRequest, project: str) -> HttpResponseBase:
    """Do `action` with the runs or traces `id`, and go back to the list (`next`), saying what was done."""
    found = get_project(request, project)
    ids = _ids(request)
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None or not ids:
        messages.error(request, "Nothing was selected." if action else "There is no such action.")
        return _back(request, found)
    if len(ids) > MAX_SELECTED:
        messages.error(
            request, f"{len(ids):,} rows are too many at once: select {MAX_SELECTED:,} at most."
        )
        return _back(request, found)
    return action(request, found, ids)


def _ids(request: HtmxRequest) -> list[UUID]:
    ids: list[UUID] = []
    for text in request.POST.getlist("id"):
        try:
            ids.append(UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(ids))


def _back(request: HtmxRequest, project: Project) -> HttpResponseRedirect:
    list_url = reverse("trace-list", kwargs={"project": project.name})
    return HttpResponseRedirect(safe_next(request, list_url))


def _demand(request: HtmxRequest, role: str, project: Project) -> None:
    if not may(request.user, role, project.workspace):
        raise PermissionDenied(
            f"This takes the role {role} in the workspace “{project.workspace.name}”."
            " An admin of it can change yours."
        )


def _said(request: HtmxRequest) -> str:
    return "traces" if request.POST.get("of", "traces") == "traces" else "runs"


def _tag(request: HtmxRequest, project: Project, ids: Sequence[UUID]) -> HttpResponseBase:
    _demand(request, WRITER, project)
    tag = request.POST.get("tag", "").strip()[:MAX_TAG_CHARACTERS]
    if not tag:
        messages.error(request, "A tag is needed.")
        return _back(request, project)
    is_removal = request.POST["action"] == "untag"
    tags = [tag]
    count = tag_runs(
        [project.id], ids, add=() if is_removal else tags, remove=tags if is_removal else ()
    )
    rows = f"{count} {_said(request)}"
    words = f"Took the tag “{tag}” off {rows}." if is_removal else f"Tagged {rows} “{tag}”."
    _tell(request, words, len(ids) - count)
    return _back(request, project)


def _judge(request: HtmxRequest, project: Project, ids: Sequence[UUID]) -> HttpResponseBase:
    _demand(request, WRITER, project)
    judgement = Judgement.read(request.POST)
    if judgement is None:
        messages.error(request, NEEDED)
        return _back(request, project)
    count = give_feedback(
        [project.id],
        ids,
        key=judgement.key,
        score=judgement.score,
        value=judgement.value,
        comment=judgement.comment,
        by=request.user.get_username(),
    )
    _tell(request, f"Gave {count} {_said(request)} feedback “{judgement.key}”.", len(ids) - count)
    return _back(request, project)


def _export(request: HtmxRequest, project: Project, ids: Sequence[UUID]) -> HttpResponseBase:
    if request.POST.get("of", "traces") == "traces":
        return download_runs(runs_of_traces([project.id], ids), "traces.jsonl")
    runs = (run for id_ in ids if (run := find_run([project.id], id_)) is not None)
    return download_runs(runs, "runs.jsonl")


def _delete(request: HtmxRequest, project: Project, ids: Sequence[UUID]) -> HttpResponse:
    _demand(request, REMOVER, project)
    if request.POST.get("confirmed") != "yes":
        context = {
            "project": project,
            "section": "traces",
            "ids": ids,
            "back": _back(request, project).url,
        }
        return render(request, "viewer/delete_traces.html", context)
    gone = deletion.delete_traces(project.workspace_id, [project.id], ids)
    deletion.carry_out_due(DELETE_SECONDS)
    _tell(request, f"Deleted {pluralize(len(gone), 'trace')}.", len(ids) - len(gone))
    return _back(request, project)


def _tell(request: HtmxRequest, words: str, missing: int) -> None:
    if missing:
        words += f" {missing} of the selected are not stored any more."
    messages.success(request, words)


ACTIONS: dict[str, Callable[[HtmxRequest, Project, Sequence[UUID]], HttpResponseBase]] = {
    "tag": _tag,
    "untag": _tag,
    "feedback": _judge,
    "export": _export,
    "delete": _delete,
}
