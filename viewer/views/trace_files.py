"""A whole trace as a file, and the traces beside it in the list."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.http import Http404, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from collector.reads.cursors import ListKind, Position, encode_cursor
from collector.reads.runs import iterate_details
from collector.reads.traces import get_trace, get_tree, list_traces
from collector.reads.types import TraceFilter, TraceTree
from viewer.exports import MAX_RUNS, download_runs
from viewer.present.durations import format_duration
from viewer.present.numbers import format_cost, format_count
from viewer.present.trace_conversation import MAX_CALLS, model_calls, read_parts
from viewer.present.transcript import format_day, write_facts, write_heading, write_messages
from viewer.rendering import HtmxRequest
from viewer.scope import get_project


@require_safe
def download_trace(request: HtmxRequest, project: str, trace_id: UUID) -> HttpResponseBase:
    """Send a trace: `form=jsonl` its runs as they were received, `form=markdown` what was said in it."""
    found = get_project(request, project)
    tree = get_tree((found.id,), trace_id, limit=MAX_RUNS)
    if tree is None:
        raise Http404(f"The project “{found.name}” has no trace {trace_id}.")
    if request.GET.get("form") == "markdown":
        response = StreamingHttpResponse(
            _markdown(tree), content_type="text/markdown; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="trace-{trace_id}.md"'
        return response
    return download_runs((node.run for node in tree.nodes), f"trace-{trace_id}.jsonl")


def _markdown(tree: TraceTree) -> Iterator[bytes]:
    trace = tree.trace
    calls = model_calls(tree)[:MAX_CALLS] or [node.run for node in tree.nodes[:1]]
    yield _encode(write_heading(1, trace.name))
    facts = [
        ("Trace", str(trace.id)),
        ("Start", format_day(trace.start_time)),
        ("Status", trace.status),
        (
            "Latency",
            "" if trace.latency_seconds is None else format_duration(trace.latency_seconds),
        ),
        ("Tokens", format_count(trace.total_tokens) if trace.total_tokens else ""),
        ("Cost", "" if trace.total_cost is None else format_cost(trace.total_cost)),
        ("Error", trace.error),
    ]
    yield _encode(write_facts(facts))
    parts = read_parts(tree, iterate_details(calls))
    for part in parts:
        if len(parts) > 1:
            yield _encode(write_heading(2, part.title))
        for text in write_messages(part.messages):
            yield _encode(text)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@require_safe
def neighbour(
    request: HtmxRequest, project: str, trace_id: UUID, side: str
) -> HttpResponseRedirect:
    """Lead to the next trace of the project, `newer` or `older`; to this one where there is none."""
    found = get_project(request, project)
    trace = get_trace((found.id,), trace_id)
    if trace is None:
        raise Http404(f"The project “{found.name}” has no trace {trace_id}.")
    is_older = side == "older"
    kind = ListKind.TRACES if is_older else ListKind.TRACES_OLDEST_FIRST
    cursor = encode_cursor(kind, Position(trace.start_time, trace.id))
    page = list_traces((found.id,), TraceFilter(), cursor, 1, is_descending=is_older)
    goal = page.items[0].id if page.items else trace.id
    url = reverse("trace-detail", kwargs={"project": found.name, "trace_id": goal})
    view = request.GET.get("view", "")
    return HttpResponseRedirect(f"{url}?view={view}" if view.isalpha() else url)
