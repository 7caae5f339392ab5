"""Runs as a list found them → all that a serialized run is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from collector.api.attachments import attachment_urls
from collector.api.serializers import CHILD_FIELDS, PAYLOAD_FIELDS, USAGE_FIELDS, RunParts
from collector.api.usage_fields import usage_fields
from collector.reads.children import find_children
from collector.reads.costs import find_stored_prices
from collector.reads.feedback import summarize_feedback
from collector.reads.lineage import Lineages
from collector.reads.payloads import iterate_payloads, payload_bytes
from collector.reads.traces import find_traces_of_roots
from collector.reads.types import RunSummary
from collector.sharing import find_share_tokens
from collector.storage.blocks import RunPayload

# A page ends early where its payloads pass this; its cursor goes on behind the last run that it holds.
MAX_PAGE_BYTES = 32 << 20
ID_BYTES = 39  # of JSON


def fill_page(
    runs: Sequence[RunSummary],
    selected: frozenset[str] | None,
    visible_project_ids: Callable[[], Sequence[UUID]] | None = None,
) -> Iterator[RunParts]:
    """Yield the runs with all that was asked for (None: everything), until they fill a page.

    Parents that are missing in a run's project are looked for in the visible ones.
    """
    if not runs:
        return

    def wants(*fields: str) -> bool:
        return selected is None or not selected.isdisjoint(fields)

    lineages = Lineages(runs, visible_project_ids)
    feedback = summarize_feedback(runs) if wants("feedback_stats") else {}
    files = attachment_urls(runs) if wants("s3_urls") else {}
    tokens = find_share_tokens(runs) if wants("share_token") else {}
    children = find_children(runs) if selected and selected & CHILD_FIELDS else {}
    wants_usage = wants(*USAGE_FIELDS)
    if wants_usage:
        find_stored_prices(runs)  # remembers them: below no run asks alone
    roots = [run for run in runs if run.id == run.trace_id]
    traces = find_traces_of_roots(roots) if roots else {}
    size = 0
    for number, (run, payload) in enumerate(_payloads(runs, selected), start=1):
        key, place = (run.project_id, run.id), (run.project_id, run.day, run.id)
        parts = RunParts(
            run=run,
            lineage=lineages.of(run),
            payload=payload,
            trace=traces.get(place),
            feedback=feedback.get(key, {}),
            files=files.get(key),
            usage=usage_fields(run) if wants_usage else {},
            share_token=tokens.get(key),
            children=children.get(place),
        )
        yield parts
        size += payload_bytes(payload) + _id_bytes(parts, selected)
        if size > MAX_PAGE_BYTES and not _are_one_place(runs[number - 1 : number + 1]):
            return


def _id_bytes(parts: RunParts, selected: frozenset[str] | None) -> int:
    """Return what a run takes by the ids around it: 100 of them, 10,000 levels down, are 100 MB."""
    size = len(parts.lineage.dotted_order)
    if selected is None or "parent_run_ids" in selected:
        size += len(parts.lineage.parent_run_ids) * ID_BYTES
    if parts.children is not None:
        size += len(parts.children.all) * ID_BYTES
    return size


def _are_one_place(runs: Sequence[RunSummary]) -> bool:
    """Return whether a run and the next one are one in the order: no cursor can stand between them."""
    return len(runs) == 2 and len({(run.start_time, run.id) for run in runs}) == 1


def _payloads(
    runs: Sequence[RunSummary], selected: frozenset[str] | None
) -> Iterator[tuple[RunSummary, RunPayload]]:
    """Read no payloads where none are asked for."""
    if selected is None or selected & PAYLOAD_FIELDS:
        yield from iterate_payloads(runs)
    elif "error" in selected:
        texts = {
            (run.project_id, run.day, run.id): payload
            for run, payload in iterate_payloads([run for run in runs if run.error])
        }
        for run in runs:
            yield run, texts.get((run.project_id, run.day, run.id)) or RunPayload()
    else:
        for run in runs:
            yield run, RunPayload()
