"""A project with one run of each kind that a reader may look for, made through the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from langsmith import Client
from langsmith.uuid import uuid7_from_datetime

from tests.contract.support import new_project, wait_for

USAGE = {
    "input_tokens": 4000,
    "output_tokens": 2000,
    "total_tokens": 6000,
    "input_token_details": {"cache_read": 1000},
}


@dataclass(frozen=True)
class Planned:
    """A run as it will be sent: times in seconds after the shop opens."""

    name: str
    run_type: str
    begin: float
    seconds: float | None  # None: it does not end
    parent: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    first_token: float | None = None


def _metadata(**metadata: Any) -> dict[str, Any]:
    return {"extra": {"metadata": metadata}}


PLAN = (
    Planned("agent", "chain", 0, 12, more={
        "tags": ["experimental", "prod"], **_metadata(variant="prod", thread_id="X", conversation_id=None),
        "inputs": {"messages": [{"role": "user", "content": "Where is my kettle?"}]},
    }),
    Planned("ChatOpenAI", "llm", 1, 2, "agent", {
        **_metadata(ls_provider="openai", ls_model_name="gpt-4o-mini", thread_id="X"),
        "outputs": {"text": "In the post.", "usage_metadata": USAGE},
    }, first_token=1.5),
    Planned("extractor", "chain", 20, 3, more={
        "tags": ["beta"], **_metadata(variant="test", conversation_id="X", nested={"deep": [1, "two"]}),
        "inputs": {"messages": [{"role": "user", "content": "I want a refund, please"}]},
    }),
    Planned("classify", "chain", 30, 1, more={
        "inputs": {"task": "image classification"}, "error": "ValueError: the picture is missing",
    }),
    Planned("ChatAnthropic", "llm", 30.25, 0.5, "classify", {"error": "Overloaded()"}),
    Planned("waiting", "chain", 40, None, more=_metadata(session_id="Y")),
    Planned("plumbing", "tool", 50, 2.5, more={"tags": ["langsmith:hidden"]}),
)  # fmt: skip
FEEDBACK = (
    ("extractor", "Correctness", 0.0),
    ("plumbing", "star_rating", 5),
    ("agent", "star_rating", 3),
)


@dataclass(frozen=True)
class Shop:
    """The project, and the id of each of its runs by name."""

    project: str
    project_id: UUID
    opening: datetime
    ids: Mapping[str, UUID]

    def time(self, seconds: float) -> datetime:
        return self.opening + timedelta(seconds=seconds)


def open_shop(client: Client) -> Shop:
    """Send the whole plan, an hour ago by its own times, and wait until all of it is stored."""
    project = new_project("shop")
    opening = datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=1)
    ids = {
        planned.name: uuid7_from_datetime(opening + timedelta(seconds=planned.begin))
        for planned in PLAN
    }
    orders: dict[str | None, str] = {None: ""}
    for planned in PLAN:
        client.create_run(**_fields(planned, ids, opening, orders), project_name=project)
    client.flush()
    runs = wait_for(
        lambda: list(client.list_runs(project_name=project)), lambda runs: len(runs) == len(PLAN)
    )
    project_id = client.read_project(project_name=project).id
    for name, key, score in FEEDBACK:
        client.create_feedback(
            ids[name], key, score=score, trace_id=ids[name], session_id=project_id
        )
    client.flush()
    wait_for(
        lambda: [client.read_run(run.id).feedback_stats for run in runs],
        lambda stats: sum(map(bool, stats)) == len(FEEDBACK),
    )
    return Shop(project, project_id, opening, ids)


def _fields(
    planned: Planned, ids: Mapping[str, UUID], opening: datetime, orders: dict[str | None, str]
) -> dict[str, Any]:
    """Return what `create_run` is told of a run. `orders` holds the dotted_order above each run's children."""
    run_id, start = ids[planned.name], opening + timedelta(seconds=planned.begin)
    order = f"{orders[planned.parent]}{start:%Y%m%dT%H%M%S%fZ}{run_id}"
    orders[planned.name] = f"{order}."
    fields: dict[str, Any] = {"inputs": {}, **planned.more}
    if planned.seconds is not None:
        fields.setdefault("outputs", {"done": True})
        fields["end_time"] = start + timedelta(seconds=planned.seconds)
    if planned.first_token is not None:
        time = opening + timedelta(seconds=planned.first_token)
        fields["events"] = [{"name": "new_token", "time": time.isoformat()}]
    return fields | {
        "name": planned.name,
        "run_type": planned.run_type,
        "id": run_id,
        "trace_id": UUID(order[22:58]),
        "dotted_order": order,
        "start_time": start,
        "parent_run_id": ids[planned.parent] if planned.parent else None,
    }
