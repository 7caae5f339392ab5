"""A project with one run of each kind that a reader may look for, made through the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from langsmith import Client
from langsmith.uuid import uuid7, uuid7_from_datetime

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


def _metadata(**metadata: Any) -> dict[str, Any]:
    return {"extra": {"metadata": metadata}}


PLAN = (
    Planned("agent", "chain", 0, 12, more={
        "tags": ["experimental", "prod"], **_metadata(variant="prod", thread_id="X", conversation_id=None),
        "inputs": {"messages": [{"role": "user", "content": "Where is my kettle?"}]},
    }),
    Planned("ChatOpenAI", "llm", 1, 2, "agent", {
        **_metadata(ls_provider="openai", ls_model_name="gpt-4o-mini"),
        "outputs": {"text": "In the post.", "usage_metadata": USAGE},
        "events": [{"name": "new_token", "offset": 1.5}],
    }),
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
    opening: datetime
    ids: Mapping[str, UUID]
    feedback_ids: Mapping[tuple[str, str], UUID]

    def time(self, seconds: float) -> datetime:
        return self.opening + timedelta(seconds=seconds)

    def names(self, *leaving_out: str) -> list[str]:
        return sorted(set(self.ids) - set(leaving_out))


def open_shop(client: Client) -> Shop:
    """Send the whole plan, an hour ago by its own times, and wait until all of it is stored."""
    opening = datetime.now(UTC).replace(microsecond=123456) - timedelta(hours=1)
    shop = Shop(
        new_project("shop"),
        opening,
        {planned.name: uuid7_from_datetime(opening + timedelta(seconds=planned.begin)) for planned in PLAN},
        {(name, key): uuid7() for name, key, _ in FEEDBACK},
    )
    orders: dict[str | None, str] = {None: ""}
    for planned in PLAN:
        _send(client, shop, planned, orders)
    for name, key, score in FEEDBACK:
        client.create_feedback(
            shop.ids[name], key, score=score, trace_id=shop.ids[name],
            feedback_id=shop.feedback_ids[name, key],
        )  # fmt: skip
    client.flush()
    wait_for(
        lambda: list(client.list_runs(project_name=shop.project)),
        lambda runs: (
            len(runs) == len(PLAN) and sum(len(run.feedback_stats or {}) for run in runs) == 3
        ),
    )
    return shop


def _send(client: Client, shop: Shop, planned: Planned, orders: dict[str | None, str]) -> None:
    run_id, start = shop.ids[planned.name], shop.time(planned.begin)
    order = f"{orders[planned.parent]}{start:%Y%m%dT%H%M%S%fZ}{run_id}"
    orders[planned.name] = f"{order}."
    fields: dict[str, Any] = {"inputs": {}, "outputs": {"done": True}, **planned.more}
    if planned.seconds is None:
        del fields["outputs"]
    else:
        fields["end_time"] = start + timedelta(seconds=planned.seconds)
    if events := fields.get("events"):
        fields["events"] = [
            {"name": event["name"], "time": shop.time(event["offset"]).isoformat()}
            for event in events
        ]
    client.create_run(
        planned.name, fields.pop("inputs"), planned.run_type, project_name=shop.project, id=run_id,
        trace_id=UUID(order[22:58]), dotted_order=order, start_time=start,
        parent_run_id=shop.ids[planned.parent] if planned.parent else None, **fields,
    )  # fmt: skip
