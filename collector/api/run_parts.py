"""Runs as a list found them → all that a serialized run is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from collector.api.attachments import attachment_urls
from collector.api.serializers import PAYLOAD_FIELDS, RunParts
from collector.reads.feedback import summarize_feedback
from collector.reads.lineage import Lineage, Lineages
from collector.reads.payloads import iterate_payloads, payload_bytes
from collector.reads.traces import find_traces_of_roots
from collector.reads.types import RunSummary
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
    wants_feedback = selected is None or "feedback_stats" in selected
    lineages = Lineages(runs, visible_project_ids)
    feedback = summarize_feedback(runs) if wants_feedback else {}
    files = attachment_urls(runs) if selected is None or "s3_urls" in selected else {}
    roots = [run for run in runs if run.id == run.trace_id]
    traces = find_traces_of_roots(roots) if roots else {}
    size = 0
    for number, (run, payload) in enumerate(_payloads(runs, selected), start=1):
        lineage = lineages.of(run)
        trace = traces.get((run.project_id, run.day, run.id))
        key = (run.project_id, run.id)
        yield RunParts(run, lineage, payload, trace, feedback.get(key, {}), files.get(key))
        size += payload_bytes(payload) + _lineage_bytes(lineage, selected)
        if size > MAX_PAGE_BYTES and not _are_one_place(runs[number - 1 : number + 1]):
            return


def _lineage_bytes(lineage: Lineage, selected: frozenset[str] | None) -> int:
    """Return what a deep run takes by being deep: 100 of them, 10,000 levels down, are 100 MB."""
    size = len(lineage.dotted_order)
    if selected is None or "parent_run_ids" in selected:
        size += len(lineage.parent_run_ids) * ID_BYTES
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
