"""The body of the run pane: what the chosen tab shows, and only that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.reads.types import RunDetail, RunNode, RunSummary, TraceTree
from viewer.present.blocks import BlockContext, BlockView, view_input, view_output
from viewer.present.budget import Budget
from viewer.present.events import EventRow, TokenStream, view_events, view_token_stream
from viewer.present.failure import Failure, parse_failure, parse_interrupt
from viewer.present.html import EMPTY, Html
from viewer.present.jsonview import render_json
from viewer.present.metadata import Entry, Section, view_entries, view_metadata
from viewer.present.numbers import pluralize
from viewer.present.raw import raw_run
from viewer.present.tool_runs import ToolRuns
from viewer.present.trace_query import TraceQuery

RAW_NODES, RAW_ITEMS = 8_000, 1_000  # the raw tab has the page for itself


@dataclass(frozen=True, slots=True)
class Origin:
    """The run below in which an error began."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class RunBody:
    """The fields of the chosen tab are set, the others are empty."""

    blocks: tuple[BlockView, ...] = ()
    failure: Failure | None = None
    origin: Origin | None = None
    stream: TokenStream | None = None
    parameters: tuple[Entry, ...] = ()
    parameters_note: str = ""
    tools: tuple[Entry, ...] = ()
    sections: tuple[Section, ...] = ()
    events: tuple[EventRow, ...] = ()
    raw: Html = EMPTY
    raw_is_cut: bool = False


def view_run_body(detail: RunDetail, tree: TraceTree, query: TraceQuery) -> RunBody:
    """Return what the tab of the query shows of a run."""
    if query.tab == "metadata":
        return RunBody(sections=view_metadata(detail, Budget()))
    if query.tab == "events":
        stream = view_token_stream(detail.events, detail.run)
        return RunBody(events=view_events(detail.events, detail.run, Budget()), stream=stream)
    if query.tab == "raw":
        budget = Budget(json_nodes=RAW_NODES)
        raw = render_json(raw_run(detail), budget, max_items=RAW_ITEMS)
        return RunBody(raw=raw, raw_is_cut=budget.omissions > 0)
    return _view_run(detail, tree, query) if query.tab == "run" else RunBody()


def _view_run(detail: RunDetail, tree: TraceTree, query: TraceQuery) -> RunBody:
    tools = ToolRuns(tree, detail.run)
    budget = Budget()
    context = BlockContext(
        detail=detail,
        query=query,
        budget=budget,
        find_runs_before=tools.answers_before,
        find_runs_after=tools.answers_after,
        run_link=lambda run: query.url_of_run(run.id, tab="run"),
    )
    # the output is what one came for: it may take from the budget first
    output, given = view_output(context), view_input(context)
    parameters = detail.extra.get("invocation_params")
    parameters = parameters if isinstance(parameters, dict) else {}
    plain = {key: item for key, item in parameters.items() if _is_told(key, item)}
    schemas = _tools_of(parameters)
    return RunBody(
        blocks=(output, given) if detail.run.status == "running" else (given, output),
        failure=_read_failure(detail),
        origin=_find_origin(detail.run, tree, query) if detail.error else None,
        stream=view_token_stream(detail.events, detail.run),
        parameters=view_entries(plain.items(), budget),
        parameters_note=_describe_parameters(plain, schemas),
        tools=view_entries(schemas, budget),
    )


def _read_failure(detail: RunDetail) -> Failure | None:
    if not detail.error:
        return None
    is_waiting = detail.run.status == "interrupted"
    return parse_interrupt(detail.error) if is_waiting else parse_failure(detail.error)


def _is_told(key: str, value: Any) -> bool:
    return key not in ("tools", "functions") and not key.startswith("_") and value is not None


def _tools_of(parameters: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return name and schema of each tool that the model was offered."""
    offered = parameters.get("tools") or parameters.get("functions")
    named = []
    for tool in offered if isinstance(offered, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        body = function if isinstance(function, dict) else tool
        name = body.get("name") or body.get("type") if isinstance(body, dict) else None
        named.append((name if isinstance(name, str) else "tool", body))
    return named


def _describe_parameters(plain: dict[str, Any], schemas: Sequence[tuple[str, Any]]) -> str:
    words = []
    if "temperature" in plain:
        words.append(f"temperature {plain['temperature']}"[:40])
    if schemas:
        words.append(pluralize(len(schemas), "tool"))
    return ", ".join(words) or pluralize(len(plain), "parameter")


def _find_origin(run: RunSummary, tree: TraceTree, query: TraceQuery) -> Origin | None:
    """Return the deepest failed run below: its error is where this one's came from."""
    start = next((i for i, node in enumerate(tree.nodes) if node.run.id == run.id), None)
    if start is None or not tree.nodes[start].error_count:
        return None
    below = _below(tree.nodes, start)
    failed = [node for node in below if node.run.status == "error" and node.error_count == 0]
    same = [node for node in failed if node.run.error == run.error] or failed
    deepest = max(same, key=lambda node: node.depth, default=None)
    if deepest is None:
        return None
    return Origin(deepest.run.name, query.url_of_run(deepest.run.id, tab="run"))


def _below(nodes: Sequence[RunNode], start: int) -> Sequence[RunNode]:
    end = next(
        (i for i in range(start + 1, len(nodes)) if nodes[i].depth <= nodes[start].depth),
        len(nodes),
    )
    return nodes[start + 1 : end]
