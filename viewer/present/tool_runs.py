"""Which tool run answers which tool call. Messages name no run, so name, order and time decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from collector.reads.types import RunSummary, TraceTree


class ToolRuns:
    """The tool runs of a trace, asked from the point of view of one run."""

    def __init__(self, tree: TraceTree, run: RunSummary) -> None:
        self.run = run
        self.parents = {node.run.id: node.run.parent_run_id for node in tree.nodes}
        tools = [node.run for node in tree.nodes if node.run.run_type == "tool"]
        self.tools = sorted(tools, key=lambda tool: tool.start_time)
        self.models = [node.run for node in tree.nodes if node.run.run_type == "llm"]

    def answers_before(self, names: Sequence[str]) -> list[RunSummary | None]:
        """Return the run of each call in what this run was given, oldest call first."""
        return self._answers_until(names, self.run.start_time)

    def answers_after(self, names: Sequence[str]) -> list[RunSummary | None]:
        """Return the run of each call in what this run gave back.

        A model's calls are answered after it. What a chain gives back tells what happened in it.
        """
        if self.run.run_type != "llm":
            return self._answers_until(names, self.run.end_time)
        return self._answers_since(names, self.run.end_time or self.run.start_time)

    def _answers_until(
        self, names: Sequence[str], moment: datetime | None
    ) -> list[RunSummary | None]:
        """Match from the end: the last call of a name has the last run of that name.

        Calls of earlier turns, whose runs are in other traces, find none.
        """
        left = [tool for tool in self.tools if moment is None or tool.start_time < moment]
        found: list[RunSummary | None] = []
        for name in reversed(names):
            index = next((i for i in range(len(left) - 1, -1, -1) if left[i].name == name), None)
            found.append(None if index is None else left.pop(index))
        return found[::-1]

    def _answers_since(self, names: Sequence[str], since: datetime) -> list[RunSummary | None]:
        """Match from the start: the first call of a name has the first run of that name."""
        until = self._next_turn()
        left = [
            tool
            for tool in self.tools
            if tool.start_time >= since and (until is None or tool.start_time < until)
        ]
        found: list[RunSummary | None] = []
        for name in names:
            index = next((i for i, tool in enumerate(left) if tool.name == name), None)
            found.append(None if index is None else left.pop(index))
        return found

    def _next_turn(self) -> datetime | None:
        """When the next model run of the same agent started: what comes later answers that one."""
        scope = self._scope(self.run.id)
        later = [
            model.start_time
            for model in self.models
            if model.start_time > self.run.start_time and self._scope(model.id) == scope
        ]
        return min(later, default=None)

    def _scope(self, run_id: UUID) -> UUID | None:
        """Return the grandparent: the graph above an agent's node."""
        parent = self.parents.get(run_id)
        return self.parents.get(parent) if parent else None
