"""A shared run and all below it, for whoever has the link. The page is the trace page, and only reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from collector.attachments import attachment_path
from collector.models import SharedRun
from collector.reads.errors import ReadTimeout
from collector.reads.shared import get_shared_run, get_shared_tree
from collector.reads.types import TraceTree
from collector.sharing import find_shared
from viewer.present.files import view_files
from viewer.present.run_body import view_run_body
from viewer.present.run_head import view_run_head
from viewer.present.trace_query import TraceQuery
from viewer.present.trace_view import view_trace
from viewer.rendering import HtmxRequest, page_or_partial, wants_partial
from viewer.views.trace import LIVE, PANE, TEMPLATE, raw_response, read_conversation

PAGE = "viewer/public.html"
NOTHING_SHARED = "Nothing is shared by this link."


def for_anybody(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Find what the token opens, and keep the page from search engines, caches and other sites' logs."""

    @wraps(view)
    def opened(request: HtmxRequest, token: UUID, **kwargs: Any) -> HttpResponse:
        shared = find_shared(token)
        if shared is None:
            raise Http404(NOTHING_SHARED)
        response = view(request, shared, **kwargs)
        response["X-Robots-Tag"] = "noindex, nofollow"
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "private, no-store"
        return response

    return opened


@require_safe
@for_anybody
def shared_run(request: HtmxRequest, shared: SharedRun) -> HttpResponse:
    """Show the shared run; of the page only what a script asks for."""
    query = TraceQuery.parse(request.GET.dict())
    try:
        tree = get_shared_tree(shared, limit=query.rows)
    except ReadTimeout:
        return render(request, "viewer/trace_slow.html", status=503)
    if tree is None:
        raise Http404(NOTHING_SHARED)
    selected = query.run or shared.run_id
    pane = _pane(shared, tree, selected, query)
    now, sprite = timezone.now(), static("viewer/icons.svg")
    context = {
        "tree": tree,
        "trace": tree.trace,
        "query": query,
        "view": view_trace(tree, query, selected=selected, now=now, sprite=sprite),
        "conversation": read_conversation(tree, query),
        **pane,
    }
    template = TEMPLATE if wants_partial(request) else PAGE
    part = LIVE if request.htmx.target == LIVE else PANE
    return page_or_partial(request, template, part, context, status=200 if pane else 404)


@require_safe
@for_anybody
def shared_run_raw(request: HtmxRequest, shared: SharedRun, run_id: UUID) -> HttpResponse:
    """Send an open run, or one field of it, as it was received."""
    detail = get_shared_run(shared, run_id)
    if detail is None:
        raise Http404(NOTHING_SHARED)
    return raw_response(request, detail)


def _pane(shared: SharedRun, tree: TraceTree, run_id: UUID, query: TraceQuery) -> dict[str, Any]:
    detail = get_shared_run(shared, run_id)
    if detail is None:
        return {}
    where = {"token": shared.token, "run_id": run_id}
    file_url = partial(attachment_path, detail.run, share_token=shared.token)
    return {
        "detail": detail,
        "head": view_run_head(detail, tree, query, now=timezone.now()),
        "body": view_run_body(detail, tree, query),
        "raw_url": reverse("shared-run-raw", kwargs=where),
        "files": view_files(detail.attachments, file_url),
    }
